using Marketplace.Functions.Http;
using Marketplace.Storage;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.Options;

namespace Marketplace.Functions.Evaluations;

/// <summary>Sends a reader to an evaluation's predictions, item by item: a signed address of the blob.</summary>
public static class DownloadPredictions
{
    public static async Task<Results<RedirectHttpResult, ProblemHttpResult>> Handle(
        string id, Requester requester, MarketplaceStorage storage, IOptions<MarketplaceOptions> options, HttpContext context, CancellationToken cancellationToken)
    {
        var (result, problem) = await GetEvaluation.FindAsync(id, requester, storage, cancellationToken);
        if (result is null)
            return problem!;
        context.Response.Headers.CacheControl = "private, no-store";
        return TypedResults.Redirect((await storage.EvaluationResults.SignedReadUriAsync(result.Id, options.Value.DownloadLifetime, cancellationToken)).AbsoluteUri);
    }
}
