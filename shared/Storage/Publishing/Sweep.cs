using Azure;

namespace Marketplace.Storage;

/// <summary>What a sweep did.</summary>
/// <param name="ExpiredUploads">Uploads that were open when their time was over.</param>
/// <param name="RemindedUploads">Uploads whose validation was asked for again.</param>
/// <param name="StagedFiles">Staged files deleted.</param>
/// <param name="ContentBlobs">Content blobs deleted.</param>
/// <param name="DerivedSets">Weights whose derived data was deleted.</param>
/// <param name="LibraryStates">States of libraries that were clustered long ago.</param>
/// <param name="CollectionBodies">Bodies of collections that are no more, or have another body.</param>
/// <param name="Predictions">Parts of evaluations that are over, and predictions without a result.</param>
/// <param name="FinishedTakedowns">Takedowns and restorations that had been interrupted.</param>
/// <param name="PurgedAdapters">Adapters down for so long that their bytes were given up.</param>
/// <param name="AuditEvents">Audit events that were old enough to go.</param>
/// <param name="FinishedDeletions">Deletions of adapters that had been interrupted.</param>
/// <param name="LfsObjects">Objects of Git LFS that were never committed.</param>
public sealed record SweepResult(
    int ExpiredUploads, int RemindedUploads, int StagedFiles, int ContentBlobs, int DerivedSets, int LibraryStates = 0, int CollectionBodies = 0, int Predictions = 0,
    int FinishedTakedowns = 0, int PurgedAdapters = 0, int AuditEvents = 0, int FinishedDeletions = 0, int LfsObjects = 0);

/// <summary>Removes what nothing refers to: bytes of uploads that are over, content that no version uses, bodies that no collection has.</summary>
public sealed class Sweep
{
    private readonly MarketplaceStorage storage;

    internal Sweep(MarketplaceStorage storage) => this.storage = storage;

    /// <summary>Sweeps once. Several sweeps may run at a time, beside any number of publishers.</summary>
    public async Task<SweepResult> SweepAsync(DateTimeOffset now, CancellationToken ct = default)
    {
        var before = now - storage.Options.SweepGrace;
        // Before contents: what it gives up may go at once.
        var (takedowns, purged) = await new TakedownSweep(storage).RunAsync(now, before, ct);
        var deletions = await storage.Deletion.SweepAsync(before, ct);
        return new SweepResult(
            await ExpireAsync(now, ct), await RemindAsync(now, ct),
            await SweepStagingAsync(before, ct), await SweepContentAsync(before, ct), await SweepDerivedAsync(before, ct),
            await storage.Libraries.SweepStatesAsync(before, ct), await storage.Collections.SweepAsync(before, ct),
            await storage.EvaluationResults.SweepAsync(before, ct), takedowns, purged,
            await storage.Audit.SweepAsync(DateOnly.FromDateTime((now - storage.Options.AuditRetention).UtcDateTime), ct), deletions,
            await SweepObjectsAsync(now, before, ct));
    }

    private async Task<int> ExpireAsync(DateTimeOffset now, CancellationToken ct)
    {
        var expired = 0;
        await foreach (var upload in storage.Uploads.ListOverdueAsync(UploadState.Open, now, ct))
            expired += await storage.Uploads.UpdateAsync(upload with { State = UploadState.Expired }, ct) == UpdateResult.Updated ? 1 : 0;
        return expired;
    }

    /// <summary>A process may have died between completing an upload and sending its message. A second message does no harm.</summary>
    private async Task<int> RemindAsync(DateTimeOffset now, CancellationToken ct)
    {
        var reminded = 0;
        await foreach (var upload in storage.Uploads.ListOverdueAsync(UploadState.Queued, now, ct))
        {
            await storage.Queues.SendAsync(QueueNames.Validations, upload.Id, ct);
            reminded++;
        }
        return reminded;
    }

    /// <summary>
    /// Goes by what is staged, not by the rows: a signed address may be used after its upload ended, and then the next sweep finds it.
    /// </summary>
    private async Task<int> SweepStagingAsync(DateTimeOffset before, CancellationToken ct)
    {
        var deleted = 0;
        var seen = new HashSet<string>(StringComparer.Ordinal);
        await foreach (var file in storage.Staging.ListAsync(ct))
        {
            if (!seen.Add(file.UploadId))
                continue;
            var upload = await storage.Uploads.GetAsync(file.UploadId, ct);
            if (upload is null or { CanBeRetried: true } ? file.LastWritten < before : upload.State is not (UploadState.Open or UploadState.Queued))
                deleted += await storage.Staging.DeleteUploadAsync(file.UploadId, ct);
        }
        return deleted;
    }

    /// <summary>
    /// Sealing writes a blob, so what is sealed and old was sealed for nothing, or for an upload that is over, unless one still waits for it. What was never sealed has no blob yet: the row goes, and
    /// storage drops the block by itself within a week.
    /// </summary>
    private async Task<int> SweepObjectsAsync(DateTimeOffset now, DateTimeOffset before, CancellationToken ct)
    {
        var awaited = new HashSet<string>(StringComparer.Ordinal);
        await foreach (var upload in storage.Uploads.ListOverdueAsync(UploadState.Queued, now, ct))
            awaited.UnionWith(upload.Files.Select(f => f.Staged).OfType<string>());
        var deleted = await storage.StagedObjects.SweepAsync(name => !awaited.Contains(name), before, ct);
        await foreach (var item in storage.LfsObjects.ListOldAsync(before, ct))
        {
            if (await storage.StagedObjects.SizeAsync(item.Name, ct) is not null)
                continue;
            await storage.LfsObjects.DeleteAsync(item.Owner, item.Oid, item.Name, ct);
            deleted++;
        }

        return deleted;
    }

    /// <summary>
    /// A publisher touches the bytes before it writes index and version row. So bytes that were old when listed and unused when looked up
    /// can only become used after a touch, which changes their ETag, and the delete fails.
    /// </summary>
    private async Task<int> SweepContentAsync(DateTimeOffset before, CancellationToken ct)
    {
        var deleted = 0;
        await foreach (var content in storage.Content.ListOldAsync(before, ct))
        {
            if (!await storage.ContentIndex.IsUsedAsync(content.Digest, ct) && !await storage.EvaluationSets.IsUsedAsync(content.Digest, ct) && await storage.Content.DeleteAsync(content, ct))
                deleted++;
        }
        return deleted;
    }

    private async Task<int> SweepDerivedAsync(DateTimeOffset before, CancellationToken ct)
    {
        var deleted = 0;
        await foreach (var weights in storage.Derived.ListOldAsync(before, ct))
        {
            if (await storage.Content.ExistsAsync(weights, ct))
                continue;
            await storage.Derived.DeleteAllAsync(weights, ct);
            deleted++;
        }
        return deleted;
    }
}
