using Marketplace.Core.Api;
using Marketplace.Core.Methods;
using Marketplace.Functions.Http;
using Marketplace.Storage;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.Functions.Clusterings;

/// <summary>The map of a cluster snapshot, as points or as a picture.</summary>
public static class GetClusterMap
{
    public static async Task<Results<Ok<ClusterMapView>, ProblemHttpResult>> Handle(
        string id, Requester requester, MarketplaceStorage storage, CancellationToken cancellationToken) =>
        await storage.Libraries.GetSnapshotAsync(id, requester.Caller, cancellationToken) is { } snapshot
            ? TypedResults.Ok(Map(await GetClustering.ViewAsync(storage, snapshot, cancellationToken)))
            : Problems.NotFound($"clustering '{id}'");

    public static async Task<Results<ContentHttpResult, ProblemHttpResult>> HandleSvg(
        string id, Requester requester, MarketplaceStorage storage, HttpContext context, CancellationToken cancellationToken)
    {
        if (await storage.Libraries.GetSnapshotAsync(id, requester.Caller, cancellationToken) is not { } snapshot)
            return Problems.NotFound($"clustering '{id}'");
        // A picture that is opened as a page must not be able to do anything.
        context.Response.Headers.ContentSecurityPolicy = "default-src 'none'; style-src 'unsafe-inline'";
        return TypedResults.Text(MbcMapSvg.Render(await GetClustering.ViewAsync(storage, snapshot, cancellationToken)), "image/svg+xml");
    }

    private static ClusterMapView Map(ClusterSnapshotView view) => new(
        view.Id, view.BaseModel, view.Explained,
        [.. view.Clusters.SelectMany(c => c.Members.Select(m => new MapPointView(m.Version, c.Name, m.X, m.Y, m.Version == c.Medoid)))]);
}
