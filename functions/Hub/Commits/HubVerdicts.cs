using Marketplace.Functions.Uploads;
using Marketplace.Storage;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.Options;

namespace Marketplace.Functions.Hub.Commits;

/// <summary>
/// The verdict on a commit: sought while its client waits, or waited for. Whoever meets a commit whose process died helps it on: one that was recorded but never queued is queued, one whose time is over is
/// asked for again.
/// </summary>
public sealed class HubVerdicts(MarketplaceStorage storage, UploadDecision decision, IOptions<MarketplaceOptions> options, TimeProvider time, IHostApplicationLifetime lifetime) : IDisposable
{
    // How long a commit waits for others to be checked in this process, before it goes to the queue.
    private static readonly TimeSpan LongestQueue = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan LongestPause = TimeSpan.FromMilliseconds(500);

    // Each takes a core and several times its bytes of memory.
    private readonly SemaphoreSlim room = new(Environment.ProcessorCount);

    /// <inheritdoc/>
    public void Dispose() => room.Dispose();

    /// <summary>Queues a commit's upload and sees to its verdict; the upload as it is then, still queued where the verdict takes longer than clients are made to wait.</summary>
    internal async Task<UploadRecord> DecideAsync(PendingCommit pending, CancellationToken cancellationToken)
    {
        var upload = await QueueAsync(pending.UploadId, cancellationToken);
        if (upload is not { State: UploadState.Queued })
            return upload ?? throw new InvalidOperationException($"Upload {pending.UploadId} is gone.");
        if (upload.Files.Sum(f => f.Size) > options.Value.HubValidatedBytes || !await room.WaitAsync(LongestQueue, cancellationToken))
            await storage.Queues.SendAsync(QueueNames.Validations, upload.Id, cancellationToken);
        else if (await NowAsync(upload) is { } decided)
            return decided;
        return await WaitAsync(pending, options.Value.HubCommitWait, cancellationToken) ?? upload;
    }

    // A client that hangs up does not stop it: others would have to wait until somebody took it up again.
    private async Task<UploadRecord?> NowAsync(UploadRecord upload)
    {
        try
        {
            return await decision.RunAsync(upload, lifetime.ApplicationStopping);
        }
        finally
        {
            room.Release();
        }
    }

    /// <summary>Waits for the verdict on a commit; null if there is none yet.</summary>
    internal async Task<UploadRecord?> WaitAsync(PendingCommit pending, TimeSpan patience, CancellationToken cancellationToken)
    {
        var (began, pause, reminded) = (time.GetTimestamp(), FirstPause, false);
        while (true)
        {
            var upload = await QueueAsync(pending.UploadId, cancellationToken);
            if (upload is not { State: UploadState.Queued })
            {
                if (upload is not null)
                    await CommitAftermath.TidyAsync(storage, upload, cancellationToken);
                return upload ?? Gone(pending);
            }

            if (!reminded && upload.ExpiresAt < time.GetUtcNow())
            {
                await storage.Queues.SendAsync(QueueNames.Validations, upload.Id, cancellationToken);
                reminded = true;
            }

            if (time.GetElapsedTime(began) is var waited && waited >= patience)
                return null;
            await Task.Delay(pause < patience - waited ? pause : patience - waited, time, cancellationToken);
            pause = pause * 2 < LongestPause ? pause * 2 : LongestPause;
        }
    }

    /// <summary>What the revision of a commit that is no version is, to who may know.</summary>
    internal static async Task<ProblemHttpResult> DescribeAsync(MarketplaceStorage storage, RepositoryRecord record, PendingCommit pending, CancellationToken cancellationToken)
    {
        var because = await storage.Uploads.GetAsync(pending.UploadId, cancellationToken) switch
        {
            { State: UploadState.Open or UploadState.Queued } => $"The commit {pending.Commit} of '{record.Id}' is being checked; it appears when it has passed.",
            { } upload => await CommitIssues.DescribeAsync(storage, upload, cancellationToken),
            null => "The commit was given up; commit again.",
        };
        return HubProblems.RevisionNotFound(record.Id.ToString(), pending.Commit, because);
    }

    // An upload is written before the repository names it, and queued after that: one that is named and open was left by a process that died, or is about to be queued.
    private async Task<UploadRecord?> QueueAsync(string uploadId, CancellationToken cancellationToken)
    {
        while (await storage.Uploads.GetAsync(uploadId, cancellationToken) is { } upload)
        {
            if (upload.State != UploadState.Open)
                return upload;
            await storage.Uploads.UpdateAsync(upload with { State = UploadState.Queued }, cancellationToken);
        }

        return null;
    }

    private static UploadRecord Gone(PendingCommit pending) =>
        new(pending.UploadId, default, "", false, UploadState.Cancelled, [], null, null, pending.At, pending.At, null, null, null, default);
}
