using Marketplace.Storage.Telemetry;

namespace Marketplace.Functions.Http;

/// <summary>Counts refusals where they are written, whichever part of the pipeline refused; the writing itself stays with the result.</summary>
internal sealed class ProblemCounter : IProblemDetailsService
{
    public ValueTask<bool> TryWriteAsync(ProblemDetailsContext context)
    {
        if (context.ProblemDetails.Extensions.TryGetValue("code", out var code) && code is string text)
            MarketplaceMeter.OnProblem(text, context.ProblemDetails.Status ?? context.HttpContext.Response.StatusCode);
        return ValueTask.FromResult(false);
    }

    public async ValueTask WriteAsync(ProblemDetailsContext context)
    {
        await TryWriteAsync(context);
        throw new InvalidOperationException("Problems are written by their results.");
    }
}
