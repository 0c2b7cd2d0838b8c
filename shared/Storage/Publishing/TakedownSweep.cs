using Marketplace.Core;

namespace Marketplace.Storage;

/// <summary>Finishes takedowns and restorations that were interrupted, and gives up the bytes of adapters that were down for longer than they can be restored.</summary>
internal sealed class TakedownSweep(MarketplaceStorage storage)
{
    /// <summary>Goes over everything that may be down; returns how many takedowns and restorations it finished, and how many adapters lost their bytes.</summary>
    public async Task<(int Finished, int Purged)> RunAsync(DateTimeOffset now, DateTimeOffset before, CancellationToken ct)
    {
        await storage.Descendants.CompleteAsync(ct);
        var (finished, purged) = (0, 0);
        var entries = new List<TakedownEntry>();
        await foreach (var entry in storage.TakedownIndex.ListAsync(ct))
            entries.Add(entry);
        foreach (var entry in entries.Where(e => !e.Purged))
        {
            if (await storage.Adapters.GetAsync(entry.Adapter, ct) is not { Takedown: { } mark })
            {
                await ForgetAsync(entry, before, ct);
                continue;
            }

            finished += await FinishAsync(entry.Adapter, mark, ct) ? 1 : 0;
            purged += await PurgeAsync(entry.Adapter, now, ct) ? 1 : 0;
        }

        return (finished, purged);
    }

    private async Task<bool> FinishAsync(AdapterId id, TakedownMark mark, CancellationToken ct)
    {
        var finished = false;
        if (mark is { Restoring: true })
            finished = await storage.Takedowns.RestoreAsync(id, AuditLog.Service, ct) is RestoreOutcome.Restored;
        else if (mark is { InForce: not null, Spread: false })
            finished = await storage.Takedowns.FinishAsync(id, ct) is not null;
        // A walk that was overtaken by another order, or by a restoration, may have left a cause behind.
        foreach (var root in mark.Causes.Select(c => c.Root).OfType<AdapterId>())
            finished |= await storage.Takedowns.ReleaseAsync(id, root, ct);
        return finished;
    }

    // Bytes go as all others do: once no version says that it uses them. First comes the mark, after which nobody can restore it.
    private async Task<bool> PurgeAsync(AdapterId id, DateTimeOffset now, CancellationToken ct)
    {
        while (await storage.Adapters.GetAsync(id, ct) is { Takedown: { } mark } adapter)
        {
            if (mark.PurgedAt is null)
            {
                if (mark.Restoring || mark.Since + storage.Options.TakedownRetention > now)
                    return false;
                if (await storage.Adapters.UpdateAsync(adapter with { Takedown = mark with { PurgedAt = now } }, ct) != UpdateResult.Updated)
                    continue;
            }

            foreach (var version in await storage.Versions.ListAsync(id, ct))
            {
                foreach (var digest in version.Files.Select(f => f.Digest).Distinct())
                    await storage.ContentIndex.RemoveAsync(digest, id, version.Number, ct);
            }

            await storage.Audit.WriteAsync(new AuditEvent(mark.PurgedAt ?? now, AuditLog.Service, "purge", adapter.Id.ToString(), $"down since {mark.Since:O}"), $"purge {Keys.Adapter(id)}", ct);
            await storage.TakedownIndex.PurgedAsync(adapter.Id, ct);
            return true;
        }

        return false;
    }

    // An entry is written before its mark, so one without is left alone while it is young. Whoever restored the adapter may have been held up by another's look at its library.
    private async Task ForgetAsync(TakedownEntry entry, DateTimeOffset before, CancellationToken ct)
    {
        await storage.Catalogue.SyncLibraryAsync(entry.Adapter, [], ct);
        if (entry.WrittenAt >= before)
            return;
        await foreach (var because in storage.TakedownIndex.ListAsync(entry.Adapter, ct))
        {
            if (because.WrittenAt < before)
                await storage.TakedownIndex.RemoveAsync(because, ct);
        }

        await storage.TakedownIndex.RemoveAsync(entry, ct);
    }
}
