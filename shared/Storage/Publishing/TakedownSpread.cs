using Marketplace.Core;

namespace Marketplace.Storage;

/// <summary>
/// What a takedown does to copies and descendants. A walk and a publisher never miss each other: the publisher writes its row in the index of descendants, then the version row, then reads the notes and marks of its
/// inputs (<see cref="ApplyAsync"/>). The walk writes an input's mark or note, then lists the descendants, then reads their version rows. If the walk finds no version row, the publisher's reading comes after that row,
/// hence after the walk's writing, and finds it. If the publisher finds nothing, the walk's writing comes later, hence its listing does, and the version row is there to be found.
/// </summary>
internal sealed class TakedownSpread(MarketplaceStorage storage)
{
    /// <summary>Sees to all copies and descendants of a root; says which versions show it and which adapters are down because of it.</summary>
    public async Task<(IReadOnlyList<(AdapterId, int)> Flagged, IReadOnlyList<AdapterId> Down)> RunAsync(AdapterId root, TakedownCause own, CancellationToken ct)
    {
        var (open, seen) = (new Queue<(AdapterId Adapter, int Number)>(), new HashSet<(AdapterId, int)>());
        var (flagged, down) = (new List<(AdapterId, int)>(), new HashSet<AdapterId>());
        void Add(AdapterId adapter, int number)
        {
            if (seen.Add((adapter, number)))
                open.Enqueue((adapter, number));
        }

        foreach (var version in await storage.Versions.ListAsync(root, ct))
        {
            Add(version.Adapter, version.Number);
            if (!own.Copies)
                continue;
            await foreach (var use in storage.ContentIndex.ListAsync(version.Weights, ct))
            {
                if (use.Adapter == root || await storage.Versions.GetAsync(use.Adapter, use.Number, ct) is not { } same || same.Weights != version.Weights)
                    continue;
                await storage.Descendants.TaintAsync(use.Adapter, use.Number, root, own.At, ct);
                if (await TakeDownAsync(use.Adapter, root, own, copy: true, ct))
                    down.Add(use.Adapter);
                Add(use.Adapter, use.Number);
            }
        }

        while (own.Descendants != DescendantPolicy.Keep && open.TryDequeue(out var parent))
        {
            await foreach (var child in storage.Descendants.ListAsync(parent.Adapter, parent.Number, ct))
            {
                if (seen.Contains((child.Adapter, child.Number)))
                    continue;
                if (await TouchAsync(child, root, own, ct))
                    down.Add(child.Adapter);
                else if (own.Descendants == DescendantPolicy.Flag)
                    flagged.Add((child.Adapter, child.Number));
                Add(child.Adapter, child.Number);
            }
        }

        return (flagged, [.. down]);
    }

    /// <summary>
    /// Lets a committed version have what it would have had, had it been there when its ancestors were taken down. Whatever is written here because of a root is taken back if the root is restored meanwhile: the
    /// restoration marks the root first and lists afterwards, so either it finds what was written, or the second look at the root finds the mark.
    /// </summary>
    public async Task ApplyAsync(VersionRecord version, CancellationToken ct)
    {
        if (version.Lineage is not { } lineage)
            return;
        var roots = new HashSet<AdapterId>();
        foreach (var parent in lineage.Parents.DistinctBy(p => (p.Adapter, p.Number)))
        {
            if (await storage.Adapters.GetAsync(parent.Adapter, parent.Number, ct) is { Takedown.InForce: not null })
                roots.Add(parent.Adapter);
            foreach (var (_, root, at) in await storage.Descendants.TaintsAsync(parent.Adapter, parent.Number, ct))
            {
                if (await storage.Adapters.GetAsync(root, ct) is { } record && Takedowns.Counts(record, at))
                    roots.Add(root);
            }
        }

        foreach (var root in roots)
        {
            if (await storage.Adapters.GetAsync(root, ct) is not { Takedown.InForce: { Descendants: not DescendantPolicy.Keep } own })
                continue;
            if (await TouchAsync(version, root, own, ct))
                await ReleaseAsync(version.Adapter, root, AuditLog.Service, ct);
        }
    }

    /// <summary>Takes a root's cause from an adapter, unless the root still covers it; true if that brought the adapter back.</summary>
    public async Task<bool> ReleaseAsync(AdapterId id, AdapterId root, string by, CancellationToken ct)
    {
        while (await storage.Adapters.GetAsync(id, ct) is { Takedown: { PurgedAt: null } mark } adapter && mark.Causes.FirstOrDefault(c => c.Root == root) is { } cause)
        {
            if (await storage.Adapters.GetAsync(root, ct) is { Takedown.InForce: { } own } && own.Covers(cause.Copy))
                return false;
            var changed = adapter with { Takedown = Takedowns.Without(mark, root) };
            await storage.Audit.WriteAsync(
                new AuditEvent(storage.Clock.GetUtcNow(), by, "restore", adapter.Id.ToString(), $"with {root}{(changed.Takedown is null ? "" : ", still down for another reason")}"),
                ct: ct);
            if (changed.Takedown is null)
                await storage.Catalogue.ReturnAsync(changed, ct);
            if (await storage.Adapters.UpdateAsync(changed, ct) != UpdateResult.Updated)
                continue;
            await storage.Catalogue.SyncLibraryAsync(adapter.Id, [], ct);
            return changed.Takedown is null;
        }

        return false;
    }

    // The note, and under the policy the mark; says whether the adapter is down because of the root now.
    private async Task<bool> TouchAsync(VersionRecord child, AdapterId root, TakedownCause own, CancellationToken ct)
    {
        await storage.Descendants.TaintAsync(child.Adapter, child.Number, root, own.At, ct);
        if (own.Descendants == DescendantPolicy.TakeDown)
            return await TakeDownAsync(child.Adapter, root, own, copy: false, ct);
        await storage.Audit.WriteAsync(
            new AuditEvent(own.At, own.By, "flag", $"{child.Adapter}@{child.Number}", $"because of {root}"), $"flag {Keys.Adapter(child.Adapter)} {child.Number} {Keys.Adapter(root)}", ct);
        return false;
    }

    private async Task<bool> TakeDownAsync(AdapterId id, AdapterId root, TakedownCause own, bool copy, CancellationToken ct)
    {
        if (id == root)
            return false;
        await storage.TakedownIndex.AddAsync(root, id, ct);
        // Without a row yet, its publisher is about to write it, and reads the notes of its inputs after that.
        while (await storage.Adapters.GetAsync(id, ct) is { } adapter)
        {
            var mark = adapter.Takedown ?? new TakedownMark([], Spread: true);
            var cause = new TakedownCause(root, copy, own.Reason, own.Message, own.At, own.By);
            if (!mark.Causes.Contains(cause)
                && await storage.Adapters.UpdateAsync(adapter with { Takedown = mark with { Causes = mark.Causes.RemoveAll(c => c.Root == root).Add(cause) } }, ct) != UpdateResult.Updated)
                continue;

            await storage.Catalogue.SyncLibraryAsync(adapter.Id, [], ct);
            await storage.Audit.WriteAsync(
                new AuditEvent(own.At, own.By, "takedown", adapter.Id.ToString(), $"{own.Reason}, because of {root}{(copy ? ", same weights" : "")}"),
                $"takedown {Keys.Adapter(id)} {Keys.Adapter(root)}", ct);
            return true;
        }

        return false;
    }
}
