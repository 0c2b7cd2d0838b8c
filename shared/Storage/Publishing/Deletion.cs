using Marketplace.Core;

namespace Marketplace.Storage;

/// <summary>
/// Deletes adapters for their owners. Order: entries of an index, so that the sweep knows; the mark in the adapter's row, from which on it exists for nobody; the highest number that any publisher who did not see
/// the mark can still take; everything that belongs to versions up to that number; what the account was charged; the audit event; last the row, which becomes that of a free name. The numbers of versions go on when the
/// name is used anew: so nothing that names a version by its number (lineages, collections, recipes, scripts) is ever taken to mean another, and whatever is removed here can be removed again, by anybody, at any time.
/// </summary>
public sealed class Deletion
{
    private readonly MarketplaceStorage storage;

    internal Deletion(MarketplaceStorage storage) => this.storage = storage;

    /// <summary>Deletes an adapter, or what the Hub's protocol knows of one that has no version yet; finishes a deletion that was interrupted.</summary>
    /// <param name="id">The adapter.</param>
    /// <param name="by">The account that asks. Whether it may is the caller's to know.</param>
    /// <param name="ct">Stops between two writes.</param>
    public async Task<DeletionOutcome> DeleteAsync(AdapterId id, string by, CancellationToken ct = default)
    {
        while (true)
        {
            var row = await storage.Adapters.GetRowAsync(id, ct);
            if (row is { Deletion: { Done: false } unfinished })
            {
                await ForgetRepositoryAsync(id, unfinished.At, ct);
                await FinishAsync(id, ct);
                return new DeletionOutcome.Deleted();
            }

            if (row?.Takedown is { } takedown)
                return new DeletionOutcome.TakenDown(takedown);
            if (row is null or { Deletion: not null } && await storage.Repositories.GetAsync(id, ct) is null)
                return new DeletionOutcome.NotFound();

            await storage.DeletionIndex.AddAsync(row?.Id ?? id, await BaseModelsAsync(id, row, ct), ct);
            var now = storage.Clock.GetUtcNow();
            var marked = (row ?? new AdapterRecord(id, true, false, "", null, null, now, now, null, default)) with
            {
                Private = true,
                Listed = false,
                Deletion = new DeletionMark(now, by, AuditScope.Current?.Via),
                DeletedAt = now,
                UpdatedAt = now,
            };
            var written = row is null
                ? await storage.Adapters.CreateAsync(marked, ct) == AddResult.Added
                : await storage.Adapters.UpdateAsync(marked, ct) == UpdateResult.Updated;
            if (!written)
                continue;
            await ForgetRepositoryAsync(id, now, ct);
            await FinishAsync(id, ct);
            return new DeletionOutcome.Deleted();
        }
    }

    /// <summary>Those of some versions, stored when their adapters were there, whose adapters were deleted since.</summary>
    /// <param name="baseModel">The base model of all of them.</param>
    /// <param name="since">When they were stored.</param>
    /// <param name="versions">The versions.</param>
    /// <param name="ct">Stops.</param>
    public async Task<IReadOnlySet<(AdapterId Adapter, int Number)>> AmongAsync(
        string baseModel, DateTimeOffset since, IReadOnlySet<(AdapterId Adapter, int Number)> versions, CancellationToken ct = default)
    {
        var named = versions.ToLookup(v => v.Adapter);
        var gone = new HashSet<(AdapterId, int)>();
        // Clocks of two processes may differ.
        await foreach (var id in storage.DeletionIndex.ListAsync(baseModel, since - TimeSpan.FromHours(1), ct))
        {
            if (named.Contains(id) && await storage.Adapters.GetRowAsync(id, ct) is { } row)
                gone.UnionWith(named[id].Where(v => !row.Has(v.Number)));
        }

        return gone;
    }

    /// <summary>Does what follows from the mark; nothing if there is none, or all was done. Repeatable by anyone.</summary>
    internal async Task FinishAsync(AdapterId id, CancellationToken ct)
    {
        while (await storage.Adapters.GetRowAsync(id, ct) is { Deletion: { Done: false } mark } row)
        {
            // What was committed under the mark's eyes is one more than what anybody saw before it. Nothing is removed before the number is kept: afterwards it could not be found out.
            if (mark.Through is not { } through)
            {
                var newest = Math.Max(row.DeletedThrough, (await storage.Versions.NewestAsync(id, ct))?.Number ?? 0);
                await storage.Adapters.UpdateAsync(row with { Deletion = mark with { Through = newest + 1 } }, ct);
                continue;
            }

            await ClearAsync(row, through, refund: true, ct);
            await storage.Usage.ReleaseAsync(id, ct);
            await storage.Audit.WriteAsync(new AuditEvent(mark.At, mark.By, "delete", row.Id.ToString(), null, mark.Via), $"delete {Keys.Adapter(id)} {through}", ct);
            var free = row with
            {
                BaseModelName = "",
                BaseModel = null,
                Main = null,
                Summary = null,
                Deletion = mark with { Done = true },
                DeletedThrough = through,
                UpdatedAt = storage.Clock.GetUtcNow(),
            };
            if (await storage.Adapters.UpdateAsync(free, ct) == UpdateResult.Updated)
                return;
        }
    }

    /// <summary>Finishes what was interrupted, and looks once more after what publishers left that were overtaken; returns how many deletions it finished.</summary>
    internal async Task<int> SweepAsync(DateTimeOffset before, CancellationToken ct)
    {
        var entries = new List<DeletionEntry>();
        await foreach (var entry in storage.DeletionIndex.ListAsync(ct))
            entries.Add(entry);
        var finished = 0;
        foreach (var entry in entries)
        {
            var row = await storage.Adapters.GetRowAsync(entry.Adapter, ct);
            if (row?.DeletedAt is { } at)
                await ForgetRepositoryAsync(entry.Adapter, at, ct);
            if (row is { Deletion.Done: false })
            {
                await FinishAsync(entry.Adapter, ct);
                finished++;
            }
            else if (entry.WrittenAt < before)
            {
                if (row is not null)
                    await ClearAsync(row, row.DeletedThrough, refund: false, ct);
                await storage.DeletionIndex.RemoveAsync(entry, ct);
            }
        }

        return finished;
    }

    /// <summary>Removes what belongs to versions of a deleted adapter, of a publisher that was overtaken as well.</summary>
    internal Task ClearAsync(AdapterRecord row, CancellationToken ct) =>
        row.Deletion is { Done: false } ? FinishAsync(row.Id, ct) : ClearAsync(row, row.DeletedThrough, refund: true, ct);

    // Not among what anybody finishes: the kernels, which publish too, have no rights to this table.
    private async Task ForgetRepositoryAsync(AdapterId id, DateTimeOffset at, CancellationToken ct)
    {
        // After an interruption the name may be in use again, by the record that was left.
        if (await storage.Repositories.GetAsync(id, ct) is { } repository && repository.CreatedAt <= at && !(repository.Draft?.At > at) && !(repository.Pending?.At > at))
            await storage.Repositories.DeleteAsync(repository, ct);
    }

    // A version's row comes last of what it has: from it the rest is found again.
    private async Task ClearAsync(AdapterRecord row, int through, bool refund, CancellationToken ct)
    {
        foreach (var baseModel in (await storage.DeletionIndex.GetAsync(row.Id, ct))?.BaseModels ?? [])
            await storage.Libraries.RemoveThroughAsync(baseModel, row.Id, through, storage.Arrivals, ct);
        await storage.Tags.RemoveThroughAsync(row.Id, through, ct);
        await storage.Variants.RemoveThroughAsync(row.Id, through, ct);
        var versions = (await storage.Versions.ListAsync(row.Id, ct)).Where(v => v.Number <= through).ToList();
        await storage.Descendants.RemoveThroughAsync(row.Id, through, versions, ct);
        foreach (var version in versions)
        {
            foreach (var digest in version.Files.Select(f => f.Digest).Distinct())
                await storage.ContentIndex.RemoveAsync(digest, row.Id, version.Number, ct);
            if (refund)
                await storage.Usage.ReleaseAsync(version, ct);
            await storage.Versions.RemoveAsync(version, ct);
        }
    }

    // It may have been in other libraries with earlier versions; snapshots of these name it still.
    private async Task<IReadOnlyCollection<string>> BaseModelsAsync(AdapterId id, AdapterRecord? row, CancellationToken ct)
    {
        var models = new HashSet<string>((await storage.DeletionIndex.GetAsync(id, ct))?.BaseModels ?? [], StringComparer.OrdinalIgnoreCase);
        if (row?.BaseModel is { } current)
            models.Add(current);
        foreach (var spelling in (await storage.Versions.ListAsync(id, ct)).Select(v => v.BaseModelName).Distinct())
        {
            if (await storage.BaseModels.ResolveAsync(spelling, id.Owner, ct) is { } model)
                models.Add(model);
        }

        return models;
    }
}
