using Marketplace.Functions.Http;
using Marketplace.Storage;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.Options;

namespace Marketplace.Functions.EvaluationSets;

/// <summary>Sends a reader to a version's canonical JSON lines: a signed address of the blob.</summary>
public static class DownloadEvaluationSet
{
    public static async Task<Results<RedirectHttpResult, ProblemHttpResult>> Handle(
        string owner, string name, string revision, Requester requester, MarketplaceStorage storage, IOptions<MarketplaceOptions> options, HttpContext context,
        CancellationToken cancellationToken)
    {
        var (set, version, problem) = await SetLookup.FindVersionAsync(storage, requester.Caller, $"{owner}/{name}@{revision}", cancellationToken);
        if (set is null || version is null)
            return problem!;
        var headers = context.Response.Headers;
        headers.ETag = headers["X-Linked-Etag"] = $"\"{version.Digest}\"";
        headers["X-Linked-Size"] = version.Bytes.ToString();
        headers.CacheControl = "private, no-store";
        var address = await storage.EvaluationSets.SignedReadUriAsync(version.Digest, $"{set.Id.Name}.jsonl", options.Value.DownloadLifetime, cancellationToken);
        return TypedResults.Redirect(address.AbsoluteUri);
    }
}
