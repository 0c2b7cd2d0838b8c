using Marketplace.Core.Api;
using Marketplace.Functions.Http;
using Marketplace.Storage;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.Functions.Clusterings;

/// <summary>The newest cluster snapshots of a library: those for everybody, and the caller's own.</summary>
public static class ListClusterings
{
    private const int Newest = 20;

    public static async Task<Results<Ok<ListResponse<ClusterSnapshotView>>, ProblemHttpResult>> Handle(
        Requester requester, MarketplaceStorage storage, CancellationToken cancellationToken, string? baseModel = null)
    {
        if (baseModel is null)
            return Problems.InvalidRequest("baseModel", "Say whose library: ?baseModel=org/name.");
        var canonical = await storage.BaseModels.ResolveAsync(baseModel, requester.Caller.Owner ?? "", cancellationToken);
        if (canonical is null)
            return Problems.NotFound($"library of '{baseModel}'");
        var views = new List<ClusterSnapshotView>();
        foreach (var snapshot in (await storage.Libraries.ListSnapshotsAsync(canonical, requester.Caller, cancellationToken)).Take(Newest))
        {
            if (await storage.Libraries.GetSnapshotAsync(snapshot.Id, requester.Caller, cancellationToken) is { } whole)
                views.Add(GetClustering.View(whole));
        }

        return TypedResults.Ok(new ListResponse<ClusterSnapshotView>(views));
    }
}
