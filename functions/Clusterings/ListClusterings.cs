using System.Text.Json;
using Marketplace.Core.Api;
using Marketplace.Functions.Http;
using Marketplace.Storage;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.Functions.Clusterings;

/// <summary>The newest cluster snapshots of a library, without their members: those for everybody, and the caller's own.</summary>
public static class ListClusterings
{
    private const int Newest = 20;

    public static async Task<Results<Ok<ListResponse<ClusterSnapshotSummary>>, ProblemHttpResult>> Handle(
        Requester requester, MarketplaceStorage storage, CancellationToken cancellationToken, string? baseModel = null)
    {
        if (baseModel is null)
            return Problems.InvalidRequest("baseModel", "Say whose library: ?baseModel=org/name.");
        var canonical = await storage.BaseModels.ResolveAsync(baseModel, requester.Caller.Owner ?? "", cancellationToken);
        if (canonical is null)
            return Problems.NotFound($"library of '{baseModel}'");
        var snapshots = await storage.Libraries.ListSnapshotsAsync(canonical, requester.Caller, cancellationToken);
        return TypedResults.Ok(new ListResponse<ClusterSnapshotSummary>(
            [.. snapshots.Take(Newest).Select(s => JsonSerializer.Deserialize<ClusterSnapshotSummary>(s.SummaryJson, ApiJson.Options)!)]));
    }
}
