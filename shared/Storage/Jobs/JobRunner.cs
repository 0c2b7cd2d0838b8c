using System.Diagnostics;
using Marketplace.Storage.Telemetry;
using Microsoft.Extensions.Logging;
using OpenTelemetry;

namespace Marketplace.Storage.Jobs;

/// <summary>
/// Runs one delivery of a job's message: start, progress, cancellation, finish. A delivery may come twice or after the job has ended; every step
/// is guarded by the job row's ETag, and the work itself must be repeatable.
/// </summary>
public sealed class JobRunner(JobStore jobs, TimeProvider time, ILogger logger)
{
    private static readonly TimeSpan ReportInterval = TimeSpan.FromMilliseconds(400);

    /// <summary>Runs the job unless it has ended.</summary>
    /// <param name="id">The job.</param>
    /// <param name="work">Computes and publishes; returns the result as JSON.</param>
    /// <param name="cancellationToken">Ends the delivery (the lease is lost, or the host stops), not the job.</param>
    public async Task RunAsync(string id, Func<JobRecord, JobProgressReporter, CancellationToken, Task<string>> work, CancellationToken cancellationToken)
    {
        if (await jobs.TryStartAsync(id, cancellationToken) is not { } job)
            return;
        logger.LogInformation("Job {JobId} ({Kind}) attempt {Attempt} starts", job.Id, job.Kind, job.Attempt);
        var started = time.GetTimestamp();
        using var span = MarketplaceActivity.Start($"job {MarketplaceMeter.Spelled(job.Kind)}")
            ?.SetTag("marketplace.job.id", job.Id).SetTag("marketplace.job.kind", MarketplaceMeter.Spelled(job.Kind)).SetTag("marketplace.job.attempt", job.Attempt);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var reporter = new JobProgressReporter(time);
        var watch = WatchAsync(job, reporter, stop);
        try
        {
            var result = await work(job, reporter, stop.Token);
            await EndAsync(JobStatus.Succeeded, result, null, null);
            logger.LogInformation("Job {JobId} succeeded", job.Id);
        }
        catch (OperationCanceledException) when (reporter.CancelSeen && !cancellationToken.IsCancellationRequested)
        {
            await EndAsync(JobStatus.Cancelled, null, "cancelled", "The job was cancelled.");
            logger.LogInformation("Job {JobId} was cancelled", job.Id);
        }
        catch (JobFailureException failure)
        {
            span.Fail(failure.Code);
            await EndAsync(JobStatus.Failed, null, failure.Code, failure.Message);
            logger.LogWarning("Job {JobId} failed: {Code}", job.Id, failure.Code);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            // The job is not over: the message comes again, or makes it fail as poison.
            span.Fail(e.GetType().FullName!);
            throw;
        }
        finally
        {
            await stop.CancelAsync();
            await watch;
        }

        async Task EndAsync(JobStatus outcome, string? result, string? code, string? message)
        {
            span?.SetTag("marketplace.job.outcome", MarketplaceMeter.Spelled(outcome));
            // Whoever finds it ended by somebody else counts nothing.
            if (await jobs.FinishAsync(job, outcome, result, code, message, cancellationToken) == UpdateResult.Updated)
                MarketplaceMeter.OnJobEnded(job.Kind, outcome, time.GetElapsedTime(started));
        }
    }

    // One loop writes progress and looks for a wish to cancel, so that the work never waits for storage.
    private async Task WatchAsync(JobRecord job, JobProgressReporter reporter, CancellationTokenSource stop)
    {
        try
        {
            while (true)
            {
                await Task.Delay(ReportInterval, time, stop.Token);
                if (await LookAsync(job, reporter, stop.Token))
                    continue;
                await stop.CancelAsync();
                return;
            }
        }
        catch (OperationCanceledException)
        {
            // The work has ended, or the host stops.
        }
    }

    // Whether the work may go on.
    private async Task<bool> LookAsync(JobRecord job, JobProgressReporter reporter, CancellationToken cancellationToken)
    {
        try
        {
            var now = await AskAsync();
            reporter.CancelSeen = now is { CancelRequested: true };
            return now is { IsTerminal: false, CancelRequested: false };
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            logger.LogWarning("Progress of job {JobId} can't be written: {Reason}", job.Id, e.Message);
            return true;
        }

        async Task<JobRecord?> AskAsync()
        {
            // Twice a second for as long as the job runs: traces do without.
            using var silent = SuppressInstrumentationScope.Begin();
            return reporter.TakeNews() is { } progress
                ? await jobs.ReportProgressAsync(job, progress, cancellationToken)
                : await jobs.GetAsync(job.Id, cancellationToken);
        }
    }
}

/// <summary>Takes progress from the work, cheaply and from any thread.</summary>
public sealed class JobProgressReporter(TimeProvider time)
{
    private readonly long started = time.GetTimestamp();
    private JobProgress? news;
    private (JobProgressReporter Whole, int Index, int Count, string Name)? part;

    /// <summary>Whether the work is being stopped because its owner asked for it.</summary>
    internal bool CancelSeen { get; set; }

    /// <summary>Says how far the work is; the time to go follows from the pace so far.</summary>
    /// <param name="done">Pieces that are done.</param>
    /// <param name="total">All pieces.</param>
    /// <param name="current">The piece at hand.</param>
    /// <param name="share">How much of the work they are, where pieces differ; by default as much as of their number.</param>
    public void Report(int done, int total, string? current, double? share = null)
    {
        var fraction = share ?? (total > 0 ? (double)done / total : 0);
        if (part is var (whole, index, count, name))
        {
            whole.Report(index, count, $"{name}: {current}", (index + fraction) / count);
            return;
        }

        var elapsed = time.GetElapsedTime(started).TotalSeconds;
        double? eta = fraction > 0 ? Math.Round(elapsed * (1 - fraction) / fraction, 1) : null;
        Volatile.Write(ref news, new JobProgress(done, total, current, eta));
    }

    /// <summary>A reporter for one of several pieces of like size, which counts as so much of the whole.</summary>
    /// <param name="index">Pieces before it.</param>
    /// <param name="count">All pieces.</param>
    /// <param name="name">Its name.</param>
    public JobProgressReporter Part(int index, int count, string name) => new(time) { part = (this, index, count, name) };

    internal JobProgress? TakeNews() => Interlocked.Exchange(ref news, null);
}
