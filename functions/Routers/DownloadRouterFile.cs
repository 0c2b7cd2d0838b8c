using Marketplace.Functions.Http;
using Marketplace.Storage;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.Options;

namespace Marketplace.Functions.Routers;

/// <summary>Sends a reader to a router's bytes: a signed address of the blob.</summary>
public static class DownloadRouterFile
{
    public static async Task<Results<RedirectHttpResult, ProblemHttpResult>> Handle(
        string id, string name, Requester requester, MarketplaceStorage storage, IOptions<MarketplaceOptions> options, HttpContext context, CancellationToken cancellationToken)
    {
        var (router, problem) = await GetRouter.FindAsync(id, requester, storage, cancellationToken);
        if (router is null)
            return problem!;
        if (router.Files.FirstOrDefault(f => f.Name == name) is not { } file)
            return Problems.NotFound($"file '{name}' in router '{id}'");
        var headers = context.Response.Headers;
        headers.ETag = headers["X-Linked-Etag"] = $"\"{file.Sha256}\"";
        headers["X-Linked-Size"] = file.Size.ToString();
        headers.CacheControl = "private, no-store";
        return TypedResults.Redirect((await storage.Routers.SignedReadUriAsync(id, file.Name, options.Value.DownloadLifetime, cancellationToken)).AbsoluteUri);
    }
}
