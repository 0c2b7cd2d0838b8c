using Marketplace.Core;
using Marketplace.Functions.Http;
using Marketplace.Storage;
using Marketplace.Storage.Jobs;
using Marketplace.Storage.Telemetry;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.Options;

namespace Marketplace.Functions.Adapters;

/// <summary>
/// Sends a reader to the bytes: a signed address of the blob, which takes ranges and answers with the bytes themselves. With a rank, to those of the
/// version truncated to it.
/// </summary>
public static class DownloadFile
{
    public static async Task<Results<RedirectHttpResult, ProblemHttpResult>> Handle(
        string owner, string name, string revision, string path, Requester requester, MarketplaceStorage storage, RankedExports ranks,
        IOptions<MarketplaceOptions> options, HttpContext context, CancellationToken cancellationToken, string? rank = null)
    {
        var (version, problem) = await Lookup.VersionAsync(storage, requester.Caller, owner, name, revision, cancellationToken);
        if (version is null)
            return problem!;
        // ASP.NET leaves %2F in catch-all values as it was sent.
        path = path.Replace("%2F", "/", StringComparison.OrdinalIgnoreCase);
        if (rank is not null)
        {
            if (path is not (RepositoryPath.Config or RepositoryPath.Weights))
                return Problems.InvalidRequest("path", $"A rank concerns {RepositoryPath.Config} and {RepositoryPath.Weights}; ask for '{path}' without one.");
            var (outcome, refusal) = await RankRequest.AnswerAsync(ranks, version, rank, cancellationToken);
            if (outcome is null)
                return refusal!;
            if (outcome is RankOutcome.Truncated { Export: var export })
            {
                var truncated = export.Files.First(f => f.Path == path);
                return Redirect(
                    truncated.Sha256, truncated.Size,
                    await ranks.SignedReadUriAsync(version, export.Rank, truncated, options.Value.DownloadLifetime, cancellationToken));
            }
        }

        if (version.Files.FirstOrDefault(f => f.Path == path) is not { } file)
            return Problems.NotFound($"file '{path}' in version {version.Number} of '{version.Adapter}'");
        return Redirect(
            file.Digest.Hex, file.Size,
            await storage.Content.SignedReadUriAsync(file.Digest, Path.GetFileName(file.Path), options.Value.DownloadLifetime, cancellationToken));

        RedirectHttpResult Redirect(string digest, long size, Uri address)
        {
            var headers = context.Response.Headers;
            headers.ETag = headers["X-Linked-Etag"] = $"\"{digest}\"";
            headers["X-Linked-Size"] = size.ToString();
            MarketplaceMeter.OnDownload(size);
            headers.CacheControl = "private, no-store";
            return TypedResults.Redirect(address.AbsoluteUri);
        }
    }
}
