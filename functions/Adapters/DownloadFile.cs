using Marketplace.Functions.Http;
using Marketplace.Storage;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.Options;

namespace Marketplace.Functions.Adapters;

/// <summary>Sends a reader to the bytes: a signed address of the blob, which takes ranges and answers with the bytes themselves.</summary>
public static class DownloadFile
{
    public static async Task<Results<RedirectHttpResult, ProblemHttpResult>> Handle(
        string owner, string name, string revision, string path, Requester requester, MarketplaceStorage storage,
        IOptions<MarketplaceOptions> options, HttpContext context, CancellationToken cancellationToken)
    {
        var (version, problem) = await Lookup.VersionAsync(storage, requester.Caller, owner, name, revision, cancellationToken);
        if (version is null)
            return problem!;
        // ASP.NET leaves %2F in catch-all values as it was sent.
        path = path.Replace("%2F", "/", StringComparison.OrdinalIgnoreCase);
        if (version.Files.FirstOrDefault(f => f.Path == path) is not { } file)
            return Problems.NotFound($"file '{path}' in version {version.Number} of '{version.Adapter}'");

        var headers = context.Response.Headers;
        headers.ETag = headers["X-Linked-Etag"] = $"\"{file.Digest}\"";
        headers["X-Linked-Size"] = file.Size.ToString();
        headers.CacheControl = "private, no-store";
        var fileName = Path.GetFileName(file.Path);
        var address = await storage.Content.SignedReadUriAsync(file.Digest, fileName, options.Value.DownloadLifetime, cancellationToken);
        return TypedResults.Redirect(address.AbsoluteUri);
    }
}
