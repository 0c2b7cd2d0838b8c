using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Text;
using Azure.Data.Tables;
using Marketplace.Core.Api;

namespace Marketplace.Storage;

/// <summary>What became of a request for a job.</summary>
/// <param name="Job">The job, new or there before.</param>
/// <param name="Enqueue">Whether it waits for a worker, so that a message must be sent; a second message does no harm.</param>
public sealed record JobSubmission(JobRecord Job, bool Enqueue);

/// <summary>
/// Jobs by id. The id is a keyed hash of what is asked for, so asking twice is asking once, and nobody without the key can test whether
/// somebody else has asked for something.
/// </summary>
public sealed class JobStore
{
    private readonly Table table;
    private readonly Table secrets;
    private readonly TimeProvider clock;
    private readonly AuditLog audit;
    private byte[]? secret;

    internal JobStore(Table table, Table secrets, TimeProvider clock, AuditLog audit) => (this.table, this.secrets, this.clock, this.audit) = (table, secrets, clock, audit);

    /// <summary>The id of a request: its kind, its canonical JSON with inputs resolved to digests, and the code that will run it.</summary>
    public async Task<string> ComputeIdAsync(JobKind kind, string canonicalJson, string kernelIdentity, CancellationToken ct = default)
    {
        secret ??= await SecretAsync(ct);
        return Convert.ToHexStringLower(HMACSHA256.HashData(secret, Encoding.UTF8.GetBytes($"{kind}\n{kernelIdentity}\n{canonicalJson}")));
    }

    /// <summary>
    /// Enters a job as queued. One that is there already is returned as it is, except that a failed or cancelled one starts its next attempt.
    /// </summary>
    public async Task<JobSubmission> SubmitAsync(JobRecord job, CancellationToken ct = default)
    {
        var fresh = job with { Status = JobStatus.Queued, Attempt = 1, Sequence = 1, CreatedAt = clock.GetUtcNow() };
        if (await GetAsync(job.Id, ct) is null)
        {
            // The listing row comes first: a listing row without job is skipped by lists, a job without listing row would be lost to them.
            await table.AddAsync(Listing(fresh), ct);
            if (await table.AddAsync(Write(fresh), ct) is not null)
                await table.PutAsync(Active(fresh), ct);
        }
        while (true)
        {
            var present = await GetAsync(job.Id, ct) ?? throw new InvalidOperationException("A job row has vanished.");
            if (present.Status is not (JobStatus.Failed or JobStatus.Cancelled))
                return new JobSubmission(present, present.Status == JobStatus.Queued);
            if (await table.UpdateAsync(Write(Restarted(present)), present.ETag, ct) == UpdateResult.Updated)
                await table.PutAsync(Active(present), ct);
        }
    }

    /// <summary>Starts the next attempt at a job that succeeded, because what it made is no more; unless another has done so.</summary>
    public async Task<JobSubmission> RestartAsync(JobRecord job, CancellationToken ct = default)
    {
        if (await table.UpdateAsync(Write(Restarted(job)), job.ETag, ct) == UpdateResult.Updated)
            await table.PutAsync(Active(job), ct);
        var present = await GetAsync(job.Id, ct) ?? job;
        return new JobSubmission(present, present.Status == JobStatus.Queued);
    }

    /// <summary>The job with that id, or null.</summary>
    public async Task<JobRecord?> GetAsync(string id, CancellationToken ct = default) =>
        IsId(id) && await table.GetAsync(Keys.Job(id), ct) is { } row ? Read(row) : null;

    /// <summary>The newest jobs that an account was the first to ask for.</summary>
    public async Task<IReadOnlyList<JobRecord>> ListAsync(string owner, int limit = 100, CancellationToken ct = default)
    {
        var (jobs, seen) = (new List<JobRecord>(), new HashSet<string>(StringComparer.Ordinal));
        await foreach (var row in table.QueryAsync(Filter.Partition(Keys.JobsOf(owner)), ct, pageSize: Math.Clamp(limit, 1, 1000)))
        {
            if (seen.Add(row.Text("Id")) && await GetAsync(row.Text("Id"), ct) is { } job)
                jobs.Add(job);
            if (jobs.Count >= limit)
                break;
        }
        return jobs;
    }

    /// <summary>Jobs of all accounts that failed since a moment. Reads the whole table, for operators.</summary>
    public async IAsyncEnumerable<JobRecord> ListFailedAsync(DateTimeOffset since, [EnumeratorCancellation] CancellationToken ct = default)
    {
        await foreach (var row in table.QueryAsync(Filter.Of($"Status eq {JobStatus.Failed.ToString()} and FinishedAt gt {since}"), ct))
            yield return Read(row);
    }

    /// <summary>
    /// How many jobs of an account wait or run, for a limit: its marks are looked at, and those of jobs that have ended removed. A mark is put after its job's row, so a crash
    /// between the two leaves one job uncounted, and a mark put anew meanwhile has another ETag than the one that is removed.
    /// </summary>
    public async Task<int> CountActiveAsync(string owner, CancellationToken ct = default)
    {
        var active = 0;
        await foreach (var mark in table.QueryAsync(Filter.Partition(Keys.ActiveJobsOf(owner)), ct))
        {
            if (await GetAsync(mark.RowKey, ct) is { IsTerminal: false })
                active++;
            else
                await table.DeleteAsync(new(mark.PartitionKey, mark.RowKey), mark.ETag, ct);
        }
        return active;
    }

    /// <summary>
    /// Takes a job for work; null if there is nothing to do for it. A job that another worker seems to have is taken over, since only one
    /// worker at a time holds the message.
    /// </summary>
    public Task<JobRecord?> TryStartAsync(string id, CancellationToken ct = default) => ChangeAsync(id, null, job =>
        job.CancelRequested ? Ended(job, JobStatus.Cancelled, null, null, null) : job with
        {
            Status = JobStatus.Running,
            StartedAt = job.StartedAt ?? clock.GetUtcNow(),
        }, job => job.Status == JobStatus.Running, ct);

    /// <summary>Notes progress; null if the attempt is over, and the work should stop. A cancel request shows in the returned job.</summary>
    public Task<JobRecord?> ReportProgressAsync(JobRecord job, JobProgress progress, CancellationToken ct = default) =>
        ChangeAsync(job.Id, job.Attempt, present => present with { Progress = progress }, _ => true, ct);

    /// <summary>Asks for a job's end: a waiting one ends at once, a running one when its worker notices. Returns the job as it is then, or null.</summary>
    public async Task<JobRecord?> RequestCancelAsync(string id, CancellationToken ct = default) =>
        await ChangeAsync(id, null, job => job.Status == JobStatus.Queued
            ? Ended(job, JobStatus.Cancelled, null, null, null)
            : job with { CancelRequested = true }, _ => true, ct) ?? await GetAsync(id, ct);

    /// <summary>Ends an attempt with a result or an error, unless it is over already (Conflict).</summary>
    public async Task<UpdateResult> FinishAsync(
        JobRecord job, JobStatus status, string? resultJson = null, string? errorCode = null, string? errorMessage = null, CancellationToken ct = default)
    {
        var ended = await ChangeAsync(job.Id, job.Attempt, present => Ended(present, status, resultJson, errorCode, errorMessage), _ => true, ct);
        if (ended is not null)
        {
            // The job's row keeps what came of it, should the process end here.
            await audit.WriteAsync(
                new AuditEvent(ended.FinishedAt ?? clock.GetUtcNow(), ended.Owner, Action(status), $"jobs/{job.Id}", errorCode is null ? ApiJson.Name(ended.Kind) : $"{ApiJson.Name(ended.Kind)}: {errorCode}"),
                $"job {job.Id} {job.Attempt}", ct);
        }

        return ended is not null ? UpdateResult.Updated
            : await GetAsync(job.Id, ct) is null ? UpdateResult.NotFound : UpdateResult.Conflict;
    }

    /// <summary>
    /// Replaces a job's row by a changed one, again and again until nobody interferes; null if the job is over, gone, in another attempt
    /// than <paramref name="attempt"/>, or not <paramref name="wanted"/> after the change.
    /// </summary>
    private async Task<JobRecord?> ChangeAsync(
        string id, int? attempt, Func<JobRecord, JobRecord> change, Func<JobRecord, bool> wanted, CancellationToken ct)
    {
        while (await GetAsync(id, ct) is { IsTerminal: false } present && present.Attempt == (attempt ?? present.Attempt))
        {
            var changed = change(present) with { Sequence = present.Sequence + 1 };
            if (await table.UpdateAsync(Write(changed), present.ETag, ct) == UpdateResult.Updated)
                return wanted(changed) ? await GetAsync(id, ct) ?? changed : null;
        }
        return null;
    }

    private static string Action(JobStatus status) => status switch
    {
        JobStatus.Succeeded => "job-succeeded",
        JobStatus.Cancelled => "job-cancelled",
        _ => "job-failed",
    };

    private JobRecord Ended(JobRecord job, JobStatus status, string? resultJson, string? errorCode, string? errorMessage) => job with
    {
        Status = status,
        ResultJson = resultJson,
        ErrorCode = errorCode,
        ErrorMessage = errorMessage,
        FinishedAt = clock.GetUtcNow(),
    };

    private static JobRecord Restarted(JobRecord job) => job with
    {
        Status = JobStatus.Queued,
        Attempt = job.Attempt + 1,
        Sequence = job.Sequence + 1,
        Progress = null,
        CancelRequested = false,
        ResultJson = null,
        ErrorCode = null,
        ErrorMessage = null,
        StartedAt = null,
        FinishedAt = null,
    };

    private async Task<byte[]> SecretAsync(CancellationToken ct)
    {
        var key = Keys.Secret("job-ids");
        var row = Rows.New(key);
        row["Value"] = RandomNumberGenerator.GetBytes(32);
        await secrets.AddAsync(row, ct);
        return (await secrets.GetAsync(key, ct))!.GetBinary("Value");
    }

    private static bool IsId(string? id) => id is { Length: >= 2 and <= 64 } && id.All(char.IsAsciiHexDigitLower);

    private static TableEntity Listing(JobRecord job)
    {
        var row = Rows.New(Keys.JobOf(job.Owner, job.CreatedAt, job.Id));
        row["Id"] = job.Id;
        return row;
    }

    private static TableEntity Active(JobRecord job) => Rows.New(Keys.ActiveJob(job.Owner, job.Id));

    private static TableEntity Write(JobRecord job)
    {
        var row = Rows.New(Keys.Job(job.Id));
        row["Id"] = job.Id;
        row["Kind"] = job.Kind.ToString();
        row["Owner"] = job.Owner;
        row.SetLong("RequestJson", job.RequestJson);
        row["Status"] = job.Status.ToString();
        row["Attempt"] = job.Attempt;
        row["Sequence"] = job.Sequence;
        row.SetValue("Progress", job.Progress);
        row["CancelRequested"] = job.CancelRequested;
        row.SetLong("ResultJson", job.ResultJson);
        row["ErrorCode"] = job.ErrorCode;
        row.SetLong("ErrorMessage", job.ErrorMessage);
        row["CreatedAt"] = job.CreatedAt;
        row["StartedAt"] = job.StartedAt;
        row["FinishedAt"] = job.FinishedAt;
        return row;
    }

    private static JobRecord Read(TableEntity row) => new(
        row.Text("Id"), row.Enum<JobKind>("Kind"), row.Text("Owner"), row.GetLong("RequestJson") ?? "", row.Enum<JobStatus>("Status"),
        row.Number("Attempt"), row.GetInt64("Sequence") ?? 0, row.Value<JobProgress>("Progress"), row.Flag("CancelRequested"),
        row.GetLong("ResultJson"), row.GetString("ErrorCode"), row.GetLong("ErrorMessage"), row.Time("CreatedAt"),
        row.GetDateTimeOffset("StartedAt"), row.GetDateTimeOffset("FinishedAt"), row.ETag);
}
