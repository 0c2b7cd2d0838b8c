using Marketplace.Core.Api;
using Marketplace.Core.Methods;
using Marketplace.Functions.Clusterings;
using Marketplace.Functions.Http;
using Marketplace.Storage;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.Functions.Adapters;

/// <summary>In which cluster of its library an adapter is, by the newest snapshot that knows it: the caller's own, else everybody's.</summary>
public static class GetCluster
{
    public static async Task<Results<Ok<AdapterClusterView>, ProblemHttpResult>> Handle(
        string owner, string name, Requester requester, MarketplaceStorage storage, CancellationToken cancellationToken, string? similarity = null)
    {
        similarity ??= Text.Of(AdapterSimilarity.Delta);
        if (!Text.TryParse<AdapterSimilarity>(similarity, out _))
            return Problems.InvalidRequest("similarity", $"A similarity is one of: {Text.Choices<AdapterSimilarity>()}.");
        var (adapter, problem) = await Lookup.AdapterAsync(storage, requester.Caller, owner, name, cancellationToken);
        if (adapter is null)
            return problem!;
        if (adapter.BaseModel is { } baseModel)
        {
            // A private adapter is in snapshots of its owner only.
            foreach (var whose in new[] { adapter.Private ? adapter.Id.Owner : requester.Caller.Owner, adapter.Private ? null : "" })
            {
                if (whose is null || await storage.Libraries.NewestSnapshotAsync(baseModel, whose.Length == 0 ? null : whose, similarity, null, cancellationToken) is not { } newest)
                    continue;
                if (await FindAsync(newest.Id, adapter, requester.Caller, storage, cancellationToken) is { } found)
                    return TypedResults.Ok(found);
            }
        }

        return Problems.NotFound($"snapshot of clusters with '{adapter.Id}'");
    }

    private static async Task<AdapterClusterView?> FindAsync(
        string snapshotId, AdapterRecord adapter, Caller caller, MarketplaceStorage storage, CancellationToken cancellationToken)
    {
        if (await storage.Libraries.GetSnapshotAsync(snapshotId, caller, cancellationToken) is not { } snapshot)
            return null;
        var view = GetClustering.View(snapshot);
        var id = adapter.Id.ToString();
        bool Is(VersionReference version) => string.Equals(version.Adapter, id, StringComparison.OrdinalIgnoreCase) && adapter.Has(version.Number);
        AdapterClusterView Of(VersionReference version, string? cluster, string role, double? cosine = null, bool outlier = false, string? reason = null) =>
            new(version, view.Id, view.Similarity, view.Scope, cluster, role, cosine, outlier, reason);

        AdapterClusterView? found = null;
        foreach (var cluster in view.Clusters)
            if (cluster.Members.FirstOrDefault(m => Is(m.Version)) is { } member)
                found = Of(member.Version, cluster.Name, "member", member.CentreCosine);
        if (view.Zero.FirstOrDefault(Is) is { } zero)
            found = Of(zero, MbcSelection.ZeroBucket, "zero");
        if (view.Excluded.FirstOrDefault(e => Is(e.Version)) is { } excluded)
            found = Of(excluded.Version, null, "excluded", reason: excluded.Reason);
        // A version that came later counts more than the one that was clustered.
        return await storage.Arrivals.GetAsync(snapshotId, adapter.Id, cancellationToken) is { } arrival && adapter.Has(arrival.Version.Number) && arrival.Version.Number > (found?.Version.Number ?? 0)
            ? Of(Views.Reference(arrival.Adapter, arrival.Version), arrival.Cluster, "arrival", Math.Round(arrival.Cosine, 6), arrival.Outlier)
            : found;
    }
}
