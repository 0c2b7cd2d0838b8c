namespace Marketplace.Storage;

/// <summary>
/// Makes what accounts are charged agree with what they have published: what was published before there were charges, charges of publishes that never came to their version, and whatever
/// was taken down or deleted since.
/// </summary>
public sealed class UsageRecount
{
    private readonly MarketplaceStorage storage;

    internal UsageRecount(MarketplaceStorage storage) => this.storage = storage;

    /// <summary>Recounts all accounts, one after the other; returns how many there are. Publishers may go on meanwhile.</summary>
    public async Task<int> RunAsync(DateTimeOffset now, CancellationToken ct = default)
    {
        var owners = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        await foreach (var owner in storage.Publishers.ListAsync(ct))
            owners.Add(owner);
        await foreach (var owner in storage.Usage.ListOwnersAsync(ct))
            owners.Add(owner);
        foreach (var owner in owners)
            await RunAsync(owner, now, ct);
        return owners.Count;
    }

    private async Task RunAsync(string owner, DateTimeOffset now, CancellationToken ct)
    {
        // A publish takes less than the grace period from its charge to its version.
        var before = now - storage.Options.SweepGrace;
        var (versions, sets) = (new List<VersionRecord>(), new List<(Core.AdapterId, EvaluationSetVersion)>());
        await foreach (var version in storage.Versions.ListOwnedAsync(owner, ct))
            versions.Add(version);
        await foreach (var set in storage.EvaluationSets.ListOwnedAsync(owner, ct))
            sets.Add(set);
        await storage.Usage.AgreeAsync(owner, versions, sets, before, ct);
    }
}
