using Marketplace.Core;
using Marketplace.Core.Api;
using Marketplace.Functions.Collections;
using Marketplace.Functions.Http;
using Marketplace.Storage;

namespace Marketplace.Functions.Clusterings;

/// <summary>A snapshot's members as they are to be had now: it was taken earlier, and what was public then may have been withdrawn since.</summary>
internal static class SnapshotMembers
{
    /// <summary>Code of a member that was withdrawn. It tells no more than a look at the adapter itself would.</summary>
    public const string Unavailable = "not-available";

    private const int SideBySide = 16;

    /// <summary>The snapshot, if something may be made of it: one with private members is its owner's alone, whoever else may look at it.</summary>
    public static async Task<Found<ClusterSnapshot>> FindAsync(MarketplaceStorage storage, Requester requester, string id, CancellationToken cancellationToken)
    {
        if (await storage.Libraries.GetSnapshotAsync(id, requester.Caller, cancellationToken) is not { } snapshot)
            return Problems.NotFound($"clustering '{id}'");
        return snapshot.Owner is { } owner && !requester.Owns(owner)
            ? Problems.Forbidden($"The snapshot holds private adapters of '{owner}', who alone may make something of it.")
            : snapshot;
    }

    /// <summary>The members that the caller may use, in the snapshot's order, and the others with words.</summary>
    public static async Task<(List<ClusterMemberView> Present, List<RefusedMember> Skipped)> PresentAsync(
        MarketplaceStorage storage, Requester requester, IReadOnlyList<ClusterMemberView> members, CancellationToken cancellationToken)
    {
        var audience = CollectionRequests.Audience(requester);
        var usable = new bool[members.Count];
        await Parallel.ForEachAsync(
            Enumerable.Range(0, members.Count), new ParallelOptions { MaxDegreeOfParallelism = SideBySide, CancellationToken = cancellationToken },
            async (i, ct) => usable[i] = await storage.Adapters.GetAsync(AdapterId.Parse(members[i].Version.Adapter), members[i].Version.Number, ct) is { } adapter
                && audience.CanSee(adapter) && (adapter.Listed || requester.Owns(adapter.Id)));
        return (
            [.. members.Where((_, i) => usable[i])],
            [.. members.Where((_, i) => !usable[i]).Select(m => new RefusedMember(Name(m.Version), Unavailable, "It is in the snapshot, but no longer to be had."))]);
    }

    /// <summary>What the snapshot has in no cluster, with words: adapters that change nothing, and those that could not be compared.</summary>
    public static IEnumerable<RefusedMember> InNoCluster(ClusterSnapshot snapshot)
    {
        var view = GetClustering.View(snapshot);
        return
        [
            .. view.Zero.Select(v => new RefusedMember(Name(v), "in-no-cluster", "All its ΔW are zero, so it is in no cluster and adds nothing to a merge.")),
            .. view.Excluded.Select(e => new RefusedMember(Name(e.Version), "in-no-cluster", "The snapshot left it out of all clusters: " + e.Reason)),
        ];
    }

    private static string Name(VersionReference version) => $"{version.Adapter}@{version.Number}";
}
