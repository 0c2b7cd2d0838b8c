using Marketplace.Core;
using Marketplace.Core.Api;

namespace Marketplace.Storage;

/// <summary>
/// Takes adapters down and restores them. The mark in the adapter's row is the truth, and from that write on it exists for nobody; what follows (its library, its descendants, its copies) can be done again by whoever
/// asks again, and by the sweep, until the mark says that it was done. An adapter may be down for several reasons, one for each root, and comes back when the last of them is gone.
/// </summary>
public sealed class Takedowns
{
    private readonly MarketplaceStorage storage;
    private readonly TakedownSpread spread;

    internal Takedowns(MarketplaceStorage storage) => (this.storage, spread) = (storage, new TakedownSpread(storage));

    /// <summary>Takes an adapter down, or changes or finishes its takedown; null if there is none of that name.</summary>
    public async Task<TakedownReport?> TakeDownAsync(AdapterId id, TakedownOrder order, CancellationToken ct = default)
    {
        await storage.Descendants.CompleteAsync(ct);
        while (await storage.Adapters.GetAsync(id, ct) is { } adapter)
        {
            var (own, others) = (adapter.Takedown?.Own, adapter.Takedown?.Causes.Where(c => c.Root is not null) ?? []);
            var cause = new TakedownCause(
                null, false, order.Reason, order.Message, own?.At ?? storage.Clock.GetUtcNow(), own?.By ?? order.By, order.Descendants, order.Copies,
                own is null ? AuditScope.Current?.Via : own.Via);
            await storage.TakedownIndex.AddAsync(adapter.Id, ct);
            var mark = new TakedownMark([cause, .. others], Spread: false, PurgedAt: adapter.Takedown?.PurgedAt);
            if (await storage.Adapters.UpdateAsync(adapter with { Takedown = mark }, ct) == UpdateResult.Updated)
                return await FinishAsync(adapter.Id, ct);
        }

        return null;
    }

    /// <summary>Does what follows from an adapter's own takedown. Repeatable by anyone; null if it is not, or no longer, taken down itself.</summary>
    public async Task<TakedownReport?> FinishAsync(AdapterId id, CancellationToken ct = default)
    {
        if (await storage.Adapters.GetAsync(id, ct) is not { Takedown.InForce: { } own } adapter)
            return null;
        await storage.Catalogue.SyncLibraryAsync(adapter.Id, [], ct);
        await storage.Audit.WriteAsync(
            new AuditEvent(own.At, own.By, "takedown", adapter.Id.ToString(), $"{ApiJson.Name(own.Reason)}, descendants: {ApiJson.Name(own.Descendants)}{(own.Copies ? ", copies" : "")}", own.Via),
            $"takedown {Keys.Adapter(adapter.Id)} {own.Reason} {own.Descendants} {own.Copies}", ct);
        await LiftAsync(adapter.Id, own.By, ct);
        var (flagged, down) = await spread.RunAsync(adapter.Id, own, ct);
        return new(await SpreadAsync(adapter.Id, own, ct) ?? adapter, flagged, down);
    }

    /// <summary>
    /// Undoes a takedown. First it is marked, so that nothing new is taken down because of it; then everything that is down because of it loses that cause; the adapter itself comes last. So a restoration that was
    /// interrupted leaves it down, and is finished by asking again.
    /// </summary>
    public async Task<RestoreOutcome> RestoreAsync(AdapterId id, string by, CancellationToken ct = default)
    {
        TakedownCause undone;
        while (true)
        {
            if (await storage.Adapters.GetAsync(id, ct) is not { Takedown: { Own: { } own } mark } adapter)
                return new RestoreOutcome.NotTakenDown();
            undone = own;
            if (mark.PurgedAt is not null)
                return new RestoreOutcome.Purged();
            if (mark.Restoring || await storage.Adapters.UpdateAsync(adapter with { Takedown = mark with { Restoring = true } }, ct) == UpdateResult.Updated)
                break;
        }

        var with = await LiftAsync(id, by, ct);
        while (await storage.Adapters.GetAsync(id, ct) is { Takedown: { Own: { } own } mark } adapter)
        {
            if (!mark.Restoring)
                return new RestoreOutcome.Superseded();
            // The event comes before the write after which nobody would know that it is missing.
            await WriteRestoredAsync(adapter.Id, by, own, ct);
            var restored = adapter with { Takedown = Without(mark, null) };
            if (restored.Takedown is null)
                await storage.Catalogue.ReturnAsync(restored, ct);
            if (await storage.Adapters.UpdateAsync(restored, ct) != UpdateResult.Updated)
                continue;
            await storage.Catalogue.SyncLibraryAsync(id, [], ct);
            return new RestoreOutcome.Restored(restored, with);
        }

        // Another, such as the sweep, was quicker: what was asked for is so all the same.
        if (await storage.Adapters.GetAsync(id, ct) is not { } back)
            return new RestoreOutcome.NotTakenDown();
        await WriteRestoredAsync(back.Id, by, undone, ct);
        return new RestoreOutcome.Restored(back, with);
    }

    /// <summary>What was taken down among the ancestors of an adapter's versions, by number, as far as it shows at them.</summary>
    public async Task<ILookup<int, Taint>> TaintsAsync(AdapterId id, int? number = null, CancellationToken ct = default)
    {
        var found = new List<(int Number, Taint Taint)>();
        foreach (var group in (await storage.Descendants.TaintsAsync(id, number, ct)).GroupBy(t => t.Root))
        {
            if (await storage.Adapters.GetAsync(group.Key, ct) is { Takedown.InForce: { Descendants: not DescendantPolicy.Keep } cause } root)
                found.AddRange(group.Where(t => Counts(root, t.At)).Select(t => (t.Number, new Taint(root, cause))));
        }

        return found.ToLookup(f => f.Number, f => f.Taint);
    }

    /// <summary>The adapters that are down because of a root.</summary>
    public async Task<IReadOnlyList<AdapterId>> ListBecauseAsync(AdapterId root, CancellationToken ct = default)
    {
        var down = new List<AdapterId>();
        await foreach (var entry in storage.TakedownIndex.ListAsync(root, ct))
        {
            if (await storage.Adapters.GetAsync(entry.Adapter, ct) is { Takedown: { } mark } && mark.Causes.Any(c => c.Root == root))
                down.Add(entry.Adapter);
        }

        return down;
    }

    /// <summary>Those of some adapters that are down, for answers that were stored when they were not.</summary>
    public async Task<IReadOnlySet<AdapterId>> AmongAsync(IReadOnlySet<AdapterId> adapters, CancellationToken ct = default)
    {
        var down = new HashSet<AdapterId>();
        await foreach (var entry in storage.TakedownIndex.ListAsync(ct))
        {
            if (adapters.Contains(entry.Adapter) && await storage.Adapters.GetAsync(entry.Adapter, ct) is { Takedown: not null })
                down.Add(entry.Adapter);
        }

        return down;
    }

    /// <summary>Whether what was noted of a root's takedown concerns the adapter that has its name now.</summary>
    internal static bool Counts(AdapterRecord root, DateTimeOffset at) => root.DeletedThrough == 0 || at >= root.CreatedAt;

    /// <summary>Lets a version that has just been committed have what the takedowns of its ancestors mean for it.</summary>
    internal Task ApplyAsync(VersionRecord version, CancellationToken ct) => spread.ApplyAsync(version, ct);

    /// <summary>Takes a root's cause from an adapter, unless the root still covers it; true if that brought the adapter back.</summary>
    internal Task<bool> ReleaseAsync(AdapterId id, AdapterId root, CancellationToken ct) => spread.ReleaseAsync(id, root, AuditLog.Service, ct);

    /// <summary>Takes a root's cause from whatever is down because of it although the root no longer covers it; returns what came back.</summary>
    internal async Task<IReadOnlyList<AdapterId>> LiftAsync(AdapterId root, string by, CancellationToken ct)
    {
        var back = new List<AdapterId>();
        var children = new List<TakedownEntry>();
        await foreach (var entry in storage.TakedownIndex.ListAsync(root, ct))
            children.Add(entry);
        foreach (var child in children)
        {
            if (await spread.ReleaseAsync(child.Adapter, root, by, ct))
                back.Add(child.Adapter);
        }

        return back;
    }

    /// <summary>The mark without the cause of a root, or the adapter's own; null if no cause is left.</summary>
    internal static TakedownMark? Without(TakedownMark mark, AdapterId? root) =>
        mark.Causes.RemoveAll(c => c.Root == root) is { IsEmpty: false } left ? mark with { Causes = left, Restoring = false } : null;

    private Task WriteRestoredAsync(AdapterId id, string by, TakedownCause undone, CancellationToken ct) => storage.Audit.WriteAsync(
        new AuditEvent(storage.Clock.GetUtcNow(), by, "restore", id.ToString(), $"taken down {undone.At:O}"), ct: ct);

    // Unless it was changed meanwhile: then what has to follow is another thing.
    private async Task<AdapterRecord?> SpreadAsync(AdapterId id, TakedownCause done, CancellationToken ct)
    {
        while (await storage.Adapters.GetAsync(id, ct) is { Takedown: { InForce: { } own } mark } adapter && own == done)
        {
            var changed = adapter with { Takedown = mark with { Spread = true } };
            if (mark.Spread || await storage.Adapters.UpdateAsync(changed, ct) == UpdateResult.Updated)
                return changed;
        }

        return null;
    }
}
