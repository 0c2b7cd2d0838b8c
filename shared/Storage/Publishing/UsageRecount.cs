using Marketplace.Core;

namespace Marketplace.Storage;

/// <summary>
/// Makes what accounts are charged agree with what they have published: what was published before there were charges, charges of publishes that never came to their version, and adapters
/// that were deleted, or whose bytes were given up after a takedown. While an adapter can be restored it counts.
/// </summary>
public sealed class UsageRecount
{
    private readonly MarketplaceStorage storage;

    internal UsageRecount(MarketplaceStorage storage) => this.storage = storage;

    /// <summary>Recounts all accounts, one after the other; returns how many there are, and how many charges were not right. Publishers may go on meanwhile.</summary>
    public async Task<(int Accounts, int Corrected)> RunAsync(DateTimeOffset now, CancellationToken ct = default)
    {
        var owners = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        await foreach (var owner in storage.Publishers.ListAsync(ct))
            owners.Add(owner);
        await foreach (var owner in storage.Usage.ListOwnersAsync(ct))
            owners.Add(owner);
        var corrected = 0;
        foreach (var owner in owners)
            corrected += await RunAsync(owner, now, ct);
        return (owners.Count, corrected);
    }

    private async Task<int> RunAsync(string owner, DateTimeOffset now, CancellationToken ct)
    {
        // A publish takes less than the grace period from its charge to its version.
        var before = now - storage.Options.SweepGrace;
        var (versions, sets) = (new List<VersionRecord>(), new List<(AdapterId Set, EvaluationSetVersion Version)>());
        // The highest number that no longer counts.
        var gone = new Dictionary<AdapterId, int>();
        await foreach (var adapter in storage.Adapters.ListRowsAsync(owner, ct))
        {
            if (adapter.Takedown is { PurgedAt: not null } || adapter.Deletion is not null)
                gone[adapter.Id] = int.MaxValue;
            else if (adapter.DeletedThrough > 0)
                gone[adapter.Id] = adapter.DeletedThrough;
        }

        await foreach (var version in storage.Versions.ListOwnedAsync(owner, ct))
        {
            if (version.Number > gone.GetValueOrDefault(version.Adapter))
                versions.Add(version);
        }

        await foreach (var set in storage.EvaluationSets.ListOwnedAsync(owner, ct))
            sets.Add(set);
        var drafts = new List<RepositoryRecord>();
        await foreach (var repository in storage.Repositories.ListOwnedAsync(owner, ct))
        {
            if (repository.Draft is { } draft && draft.Base == versions.Where(v => v.Adapter == repository.Id).MaxBy(v => v.Number)?.Id)
                drafts.Add(repository);
        }

        return await storage.Usage.AgreeAsync(owner, versions, sets, drafts, before, ct);
    }
}
