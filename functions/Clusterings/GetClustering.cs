using System.Text.Json;
using Marketplace.Core.Api;
using Marketplace.Functions.Http;
using Marketplace.Storage;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.Functions.Clusterings;

/// <summary>One cluster snapshot, with what has arrived since.</summary>
public static class GetClustering
{
    public static async Task<Results<Ok<ClusterSnapshotView>, ProblemHttpResult>> Handle(
        string id, Requester requester, MarketplaceStorage storage, CancellationToken cancellationToken)
    {
        if (await storage.Libraries.GetSnapshotAsync(id, requester.Caller, cancellationToken) is not { } snapshot)
            return Problems.NotFound($"clustering '{id}'");
        var view = View(snapshot);
        var known = view.Clusters.SelectMany(c => c.Members.Select(m => m.Version)).Concat(view.Zero).Concat(view.Excluded.Select(e => e.Version)).ToHashSet();
        var arrivals = await storage.Arrivals.ListAsync(id, requester.Caller, cancellationToken);
        return TypedResults.Ok(view with { Arrivals = [.. arrivals.Select(View).Where(a => !known.Contains(a.Version))] });
    }

    internal static ClusterSnapshotView View(ClusterSnapshot snapshot) =>
        JsonSerializer.Deserialize<ClusterSnapshotView>(snapshot.BodyJson, ApiJson.Options)!;

    internal static ArrivalView View(Arrival arrival) =>
        new(Views.Reference(arrival.Adapter, arrival.Version), arrival.Cluster, Math.Round(arrival.Cosine, 6), arrival.Outlier, arrival.At);
}
