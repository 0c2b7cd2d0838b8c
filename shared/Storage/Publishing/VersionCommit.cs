using Marketplace.Core;
using Marketplace.Storage.Telemetry;

namespace Marketplace.Storage;

/// <summary>
/// The one place that publishes. Order: bytes, derived data, the account's charge, content index, descendants of the inputs, version row, then what follows from that row
/// (pointer, takedowns of inputs, library, audit). The version row is the commit; before it there is only garbage for the sweep, after it everything can be redone from the row.
/// Any step may be repeated, and any process may do the later steps for another that died. A name whose adapter was deleted is used anew with the next free number (<see cref="Deletion"/>).
/// </summary>
public sealed class VersionCommit
{
    private readonly MarketplaceStorage storage;

    internal VersionCommit(MarketplaceStorage storage) => this.storage = storage;

    /// <summary>Publishes a version.</summary>
    /// <exception cref="InvalidDataException">A local copy does not have the digest that was declared for it.</exception>
    public async Task<PublishOutcome> PublishAsync(PublishRequest request, CancellationToken ct = default)
    {
        if (!string.Equals(request.Adapter.Owner, request.Owner, StringComparison.OrdinalIgnoreCase))
            return new PublishOutcome.OwnerMismatch();

        using var span = MarketplaceActivity.Start("publish version");
        await PutBytesAsync(request, ct);
        foreach (var derived in request.Derived)
            await storage.Derived.PutAsync(request.WeightsDigest, derived.AnalysisVersion, derived.Name, derived.Content, ct);
        var owner = await storage.Publishers.EnsureAsync(request.Owner, ct);
        var begun = request.BegunAt ?? storage.Clock.GetUtcNow();

        while (true)
        {
            // A deletion ends before anything is written for the adapter that takes its name.
            var name = await storage.Adapters.GetRowAsync(request.Adapter, ct);
            if (name is { Deletion.Done: false })
            {
                await storage.Deletion.FinishAsync(request.Adapter, ct);
                continue;
            }

            if (name?.DeletedAt >= begun)
                return new PublishOutcome.Deleted();
            var floor = name?.DeletedThrough ?? 0;
            // The head is read before looking for this key's version. Whoever publishes the same key meanwhile gets a higher number than
            // this head, hence the number we would take: we meet on it.
            var head = await storage.Versions.NewestAsync(request.Adapter, ct) is { } newest && newest.Number > floor ? newest : null;
            if (await storage.Versions.FindByUploadAsync(request.Adapter, request.IdempotencyKey, ct) is { } present && present.Number > floor)
                return await CompleteAsync(present, ct) is { } completed ? new PublishOutcome.Published(completed) : new PublishOutcome.Deleted();
            if (request.ExpectedParent is not null && request.ExpectedParent != (head?.Id ?? PublishRequest.NoParent))
                return new PublishOutcome.ParentConflict(head is null ? null : new VersionPointer(head.Number, head.Id));

            var version = Compose(request, owner, head, floor);
            if (await storage.Usage.ChargeAsync(version, ct) is { } excess)
                return new PublishOutcome.QuotaExceeded(excess);
            foreach (var digest in version.Files.Select(f => f.Digest).Distinct())
                await storage.ContentIndex.AddAsync(new ContentUse(digest, version.Adapter, version.Number, owner, version.Private), ct);
            if (version.Lineage is { } lineage)
                await storage.Descendants.AddAsync(version.Adapter, version.Number, lineage, ct);
            var row = await storage.Adapters.GetRowAsync(version.Adapter, ct);
            if (row is { Deletion.Done: false } || (row?.DeletedThrough ?? 0) != floor)
                continue; // deleted meanwhile
            if (row?.Takedown is { } mark)
                return new PublishOutcome.TakenDown(mark);
            if (await InputObstacleAsync(version, ct) is { } obstacle)
                return obstacle;
            if (await storage.Versions.AddAsync(version, ct) == AddResult.Added)
            {
                if (await CompleteAsync(version, new(row), ct) is not { } published)
                    return new PublishOutcome.Deleted();
                MarketplaceMeter.OnPublished(version);
                return new PublishOutcome.Published(published);
            }

            // The number is taken. Whoever took it may have died since: help the pointer forward, then look again.
            if (await storage.Versions.GetAsync(request.Adapter, version.Number, ct) is { } other)
                await CompleteAsync(other, ct);
        }
    }

    /// <summary>
    /// What was taken down or deleted since the work began, right before the row that commits it. A takedown that begins after this look finds the version by the index row that is there already, or is found by
    /// <see cref="Takedowns.ApplyAsync"/> after the version row: then the version was published before, and is treated as all other descendants are.
    /// </summary>
    private async Task<PublishOutcome?> InputObstacleAsync(VersionRecord version, CancellationToken ct)
    {
        var inputs = await Task.WhenAll((version.Lineage?.Parents ?? []).DistinctBy(p => (p.Adapter, p.Number)).Select(async p => (p.Number, Row: await storage.Adapters.GetRowAsync(p.Adapter, ct))));
        if (inputs.FirstOrDefault(i => i.Row is { Takedown: not null }).Row is { } down)
            return new PublishOutcome.InputTakenDown(down.Id);
        return inputs.FirstOrDefault(i => i.Row is { } row && !row.Has(i.Number)).Row is { } gone ? new PublishOutcome.InputDeleted(gone.Id) : null;
    }

    /// <summary>
    /// Does what follows from a version row: the adapter's pointer, takedowns of its inputs, its library entry, the audit event. Repeatable by anyone. Null if the adapter was deleted before: what a publisher
    /// wrote that did not see the mark is removed.
    /// </summary>
    public Task<VersionRecord?> CompleteAsync(VersionRecord version, CancellationToken ct = default) => CompleteAsync(version, null, ct);

    // The adapter's row as it was right before the version's: whatever has changed it since shows when it is written.
    private sealed record Seen(AdapterRecord? Row);

    private async Task<VersionRecord?> CompleteAsync(VersionRecord version, Seen? seen, CancellationToken ct)
    {
        if (await AdvanceAsync(version, seen, ct) is not var (adapter, left))
            return null;
        await storage.Takedowns.ApplyAsync(version, ct);
        await storage.Catalogue.SyncLibraryAsync(version.Adapter, [left, adapter.BaseModel, await ResolveAsync(version, ct)], ct);
        var audit = new AuditEvent(version.CreatedAt, version.PublishedBy, "publish", $"{version.Adapter}@{version.Number}", version.Id);
        await storage.Audit.WriteAsync(audit, $"publish {version.Adapter} {version.Id}", ct);
        return version;
    }

    /// <summary>Moves the pointer to the version unless it is there or beyond; returns the adapter and the base model it had before, or null if the version's adapter was deleted.</summary>
    private async Task<(AdapterRecord Adapter, string? Left)?> AdvanceAsync(VersionRecord version, Seen? seen, CancellationToken ct)
    {
        for (; ; seen = null)
        {
            var present = seen is null ? await storage.Adapters.GetRowAsync(version.Adapter, ct) : seen.Row;
            if (present is { Deletion.Done: false } || present?.DeletedThrough >= version.Number)
            {
                await storage.Deletion.ClearAsync(present, ct);
                return null;
            }

            if (present?.Main?.Number >= version.Number)
                return (present, null);
            var baseModel = await ResolveAsync(version, ct);
            if (baseModel is not null)
                await storage.BaseModels.EnsureAsync(baseModel, ct);
            var now = storage.Clock.GetUtcNow();
            var started = new AdapterRecord(version.Adapter, version.Private, Listed: true, "", null, null, now, now, null, default);
            var moved = present switch
            {
                null => started,
                { Deletion: not null } => started with { ETag = present.ETag, DeletedThrough = present.DeletedThrough, DeletedAt = present.DeletedAt },
                _ => present,
            } with
            {
                BaseModelName = version.BaseModelName,
                BaseModel = baseModel,
                Main = new VersionPointer(version.Number, version.Id),
                UpdatedAt = now,
                Summary = version.Summary,
            };
            var done = present is null
                ? await storage.Adapters.CreateAsync(moved, ct) == AddResult.Added
                : await storage.Adapters.UpdateAsync(moved, ct) == UpdateResult.Updated;
            if (done)
                return (moved, present?.BaseModel);
        }
    }

    private Task<string?> ResolveAsync(VersionRecord version, CancellationToken ct) =>
        storage.BaseModels.ResolveAsync(version.BaseModelName, version.Adapter.Owner, ct);

    private async Task PutBytesAsync(PublishRequest request, CancellationToken ct)
    {
        foreach (var file in request.Files.DistinctBy(f => f.File.Digest))
        {
            if (file.LocalPath is { } path)
                await storage.Content.PutAsync(file.File.Digest, path, ct);
            else if (!await storage.Content.TouchAsync(file.File.Digest, ct))
                throw new FileNotFoundException($"No content with digest {file.File.Digest} is stored.");
        }
    }

    private VersionRecord Compose(PublishRequest request, string owner, VersionRecord? head, int floor)
    {
        var manifest = VersionManifest.Create(request.Files.Select(f => f.File), head?.Id);
        // The spelling of the first publication stays.
        var adapter = head?.Adapter ?? (AdapterId.TryCreate(owner, request.Adapter.Name, out var id) ? id : request.Adapter);
        return new VersionRecord(
            adapter, (head?.Number ?? floor) + 1, manifest.Id, manifest.Parent, manifest.Files, storage.Clock.GetUtcNow(), owner, request.Message,
            request.BaseModelName, request.Lineage, request.IdempotencyKey, request.Private, request.WeightsDigest, request.ConfigDigest, request.Summary);
    }
}
