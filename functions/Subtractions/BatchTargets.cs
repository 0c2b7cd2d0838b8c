using System.Collections.Concurrent;
using Marketplace.Core;
using Marketplace.Core.Api;
using Marketplace.Functions.Clusterings;
using Marketplace.Functions.Http;
using Marketplace.Storage;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.Functions.Subtractions;

/// <summary>Which adapters a batch of subtractions is for, where it does not name them one by one.</summary>
internal static class BatchTargets
{
    private const string PublicScope = "public";
    private const string OwnScope = "mine";
    private const int SideBySide = 16;

    /// <summary>Versions as <c>owner/name@number</c>, and what is left out with words.</summary>
    internal readonly record struct Found(IReadOnlyList<string> Versions, IReadOnlyList<RefusedMember> Skipped);

    /// <summary>The targets of a library or a cluster with their base model, nothing where the request names them itself, or the problem.</summary>
    public static async Task<(Found? Targets, string? BaseModel, ProblemHttpResult? Problem)> FindAsync(
        SubtractionBatchRequest request, Requester requester, MarketplaceStorage storage, CancellationToken cancellationToken) => request switch
        {
            { Library: { } library } => await OfLibraryAsync(library, requester, storage, cancellationToken),
            { Cluster: { } cluster } => await OfClusterAsync(cluster, requester, storage, cancellationToken),
            _ => (new Found([], []), null, null),
        };

    private static async Task<(Found?, string?, ProblemHttpResult?)> OfLibraryAsync(
        LibraryTargets library, Requester requester, MarketplaceStorage storage, CancellationToken cancellationToken)
    {
        if (library.Scope is not (PublicScope or OwnScope))
            return (null, null, Problems.InvalidRequest("library.scope", $"A scope is one of: {PublicScope}, {OwnScope}."));
        var baseModel = await storage.BaseModels.ResolveAsync(library.BaseModel, requester.Owner, cancellationToken);
        var audience = library.Scope == OwnScope ? Collections.CollectionRequests.Audience(requester) : Caller.Anonymous;
        var members = baseModel is null ? [] : await storage.Libraries.ListMembersAsync(baseModel, audience, cancellationToken);
        if (members.Count == 0)
            return (null, null, Problems.NotFound($"library of '{library.BaseModel}'"));

        var found = new ConcurrentBag<string>();
        await Parallel.ForEachAsync(members, new ParallelOptions { MaxDegreeOfParallelism = SideBySide, CancellationToken = cancellationToken }, async (member, ct) =>
        {
            if (await storage.Adapters.GetAsync(member.Adapter, ct) is { } adapter && audience.CanSee(adapter)
                && (adapter.Listed || requester.Owns(adapter.Id)) && (library.Derived || adapter.Summary?.DerivedBy is null))
            {
                found.Add($"{member.Adapter}@{member.Version.Number}");
            }
        });
        return (new Found([.. found], []), members[0].BaseModel, null);
    }

    private static async Task<(Found?, string?, ProblemHttpResult?)> OfClusterAsync(
        ClusterTargets cluster, Requester requester, MarketplaceStorage storage, CancellationToken cancellationToken)
    {
        var (stored, problem) = await SnapshotMembers.FindAsync(storage, requester, cluster.Snapshot, cancellationToken);
        if (stored is null)
            return (null, null, problem);
        var snapshot = GetClustering.View(stored);
        if (snapshot.Clusters.FirstOrDefault(c => c.Name == cluster.Name) is not { } wanted)
            return (null, null, Problems.InvalidRequest("cluster.name", $"The snapshot has no cluster '{cluster.Name}'. It has: {string.Join(", ", snapshot.Clusters.Select(c => c.Name))}."));
        var (present, skipped) = await SnapshotMembers.PresentAsync(storage, requester, wanted.Members, cancellationToken);
        return (new Found([.. present.Select(m => $"{m.Version.Adapter}@{m.Version.Number}")], skipped), snapshot.BaseModel, null);
    }
}
