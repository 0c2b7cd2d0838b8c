using System.Text.Json;
using Marketplace.Core;
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
        var view = await ViewAsync(storage, snapshot, cancellationToken);
        var known = view.Clusters.SelectMany(c => c.Members.Select(m => m.Version)).Concat(view.Zero).Concat(view.Excluded.Select(e => e.Version)).ToHashSet();
        var arrivals = await storage.Arrivals.ListAsync(id, requester.Caller, cancellationToken);
        return TypedResults.Ok(view with { Arrivals = [.. arrivals.Select(View).Where(a => !known.Contains(a.Version))] });
    }

    /// <summary>The snapshot without what was taken down or deleted since. Numbers, and the clusters' names, stay those of the moment when it was made.</summary>
    internal static async Task<ClusterSnapshotView> ViewAsync(MarketplaceStorage storage, ClusterSnapshot snapshot, CancellationToken cancellationToken)
    {
        var view = View(snapshot);
        var named = view.Clusters.SelectMany(c => c.Members.Select(m => m.Version).Append(c.Medoid)).Concat(view.Zero).Concat(view.Excluded.Select(e => e.Version))
            .Concat(view.Moves.Select(m => m.Version)).Select(v => (Adapter: Id(v), v.Number)).ToHashSet();
        var down = await storage.Takedowns.AmongAsync(named.Select(n => n.Adapter).ToHashSet(), cancellationToken);
        var deleted = await storage.Deletion.AmongAsync(snapshot.BaseModel, snapshot.CreatedAt, named, cancellationToken);
        if (down.Count == 0 && deleted.Count == 0)
            return view;
        bool Stays(VersionReference version) => Id(version) is var id && !down.Contains(id) && !deleted.Contains((id, version.Number));
        return view with
        {
            Clusters = [.. view.Clusters.Select(c => Without(c, Stays)).OfType<ClusterView>()],
            Zero = [.. view.Zero.Where(Stays)],
            Excluded = [.. view.Excluded.Where(e => Stays(e.Version))],
            Moves = [.. view.Moves.Where(m => Stays(m.Version))],
        };
    }

    // A cluster whose medoid is gone is shown by the member that was most like it; without members there is nothing to show.
    private static ClusterView? Without(ClusterView cluster, Func<VersionReference, bool> stays)
    {
        ClusterMemberView[] left = [.. cluster.Members.Where(m => stays(m.Version))];
        return left.Length == 0 ? null : cluster with { Members = left, Medoid = stays(cluster.Medoid) ? cluster.Medoid : left.MaxBy(m => m.MedoidCosine)!.Version };
    }

    private static AdapterId Id(VersionReference version) => AdapterId.Parse(version.Adapter);

    internal static ClusterSnapshotView View(ClusterSnapshot snapshot) =>
        JsonSerializer.Deserialize<ClusterSnapshotView>(snapshot.BodyJson, ApiJson.Options)!;

    internal static ArrivalView View(Arrival arrival) =>
        new(Views.Reference(arrival.Adapter, arrival.Version), arrival.Cluster, Math.Round(arrival.Cosine, 6), arrival.Outlier, arrival.At);
}
