using Marketplace.Functions.Hub;
using Marketplace.Storage.Telemetry;

namespace Marketplace.Functions.Http;

/// <summary>
/// Counts refusals where they are written, whichever part of the pipeline refused. What asked in the Hub's protocol is answered in its words; otherwise the writing stays with the result.
/// </summary>
internal sealed class ProblemCounter : IProblemDetailsService
{
    public async ValueTask<bool> TryWriteAsync(ProblemDetailsContext context)
    {
        if (context.ProblemDetails.Extensions.TryGetValue("code", out var code) && code is string text)
            MarketplaceMeter.OnProblem(text, context.ProblemDetails.Status ?? context.HttpContext.Response.StatusCode);
        if (!HubErrors.Concerns(context.HttpContext))
            return false;
        await HubErrors.WriteAsync(context);
        return true;
    }

    public async ValueTask WriteAsync(ProblemDetailsContext context)
    {
        if (!await TryWriteAsync(context))
            throw new InvalidOperationException("Problems are written by their results.");
    }
}
