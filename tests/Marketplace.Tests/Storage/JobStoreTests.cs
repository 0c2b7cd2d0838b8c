using Marketplace.Storage;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Storage;

public sealed class JobStoreTests(AzuriteFixture azurite) : StorageTest(azurite)
{
    [Fact]
    public async Task Asking_twice_is_asking_once()
    {
        var first = await SubmitAsync();
        var second = await SecondProcess().Jobs.SubmitAsync(New(first.Id) with { Owner = "bob" }, Ct);

        Assert.Equal((first.Id, "alice", 1), (second.Job.Id, second.Job.Owner, second.Job.Attempt));
        Assert.True(second.Enqueue);
        Assert.Single(await Storage.Jobs.ListAsync("alice", ct: Ct));
        Assert.Empty(await Storage.Jobs.ListAsync("bob", ct: Ct));
    }

    [Fact]
    public async Task An_id_depends_on_kind_request_code_and_a_secret_of_the_deployment()
    {
        var id = await Storage.Jobs.ComputeIdAsync(JobKind.Merge, "{}", "1", Ct);

        Assert.Equal(id, await SecondProcess().Jobs.ComputeIdAsync(JobKind.Merge, "{}", "1", Ct));
        Assert.NotEqual(id, await Storage.Jobs.ComputeIdAsync(JobKind.Subtraction, "{}", "1", Ct));
        Assert.NotEqual(id, await Storage.Jobs.ComputeIdAsync(JobKind.Merge, "{\"a\":1}", "1", Ct));
        Assert.NotEqual(id, await Storage.Jobs.ComputeIdAsync(JobKind.Merge, "{}", "2", Ct));
        var elsewhere = await Azurite.NewStorageAsync();
        Assert.NotEqual(id, await elsewhere.Jobs.ComputeIdAsync(JobKind.Merge, "{}", "1", Ct));
    }

    [Fact]
    public async Task Processes_that_start_at_once_agree_on_the_secret()
    {
        var ids = await Task.WhenAll(Enumerable.Range(0, 6).Select(_ => SecondProcess().Jobs.ComputeIdAsync(JobKind.Merge, "{}", "1", Ct)));

        Assert.Single(ids.Distinct());
    }

    [Fact]
    public async Task A_job_runs_reports_and_succeeds_with_growing_sequence()
    {
        var queued = await SubmitAsync();
        var running = (await Storage.Jobs.TryStartAsync(queued.Id, Ct))!;
        var reported = (await Storage.Jobs.ReportProgressAsync(running, new JobProgress(1, 2, "layer", 3.5), Ct))!;
        Assert.Equal(UpdateResult.Updated, await Storage.Jobs.FinishAsync(reported, JobStatus.Succeeded, "{\"r\":1}", ct: Ct));

        var done = (await Storage.Jobs.GetAsync(queued.Id, Ct))!;
        Assert.Equal([1, 2, 3, 4], [queued.Sequence, running.Sequence, reported.Sequence, done.Sequence]);
        Assert.Equal(JobStatus.Running, running.Status);
        Assert.Equal(new JobProgress(1, 2, "layer", 3.5), reported.Progress);
        Assert.Equal((JobStatus.Succeeded, "{\"r\":1}"), (done.Status, done.ResultJson));
        Assert.True(done.StartedAt >= done.CreatedAt && done.FinishedAt >= done.StartedAt);
    }

    [Fact]
    public async Task A_finished_job_is_served_and_never_finished_again()
    {
        var job = await SubmitAsync();
        var running = (await Storage.Jobs.TryStartAsync(job.Id, Ct))!;
        await Storage.Jobs.FinishAsync(running, JobStatus.Succeeded, "1", ct: Ct);

        Assert.Equal(UpdateResult.Conflict, await Storage.Jobs.FinishAsync(running, JobStatus.Failed, errorCode: "late", ct: Ct));
        Assert.Null(await Storage.Jobs.TryStartAsync(job.Id, Ct));
        Assert.Null(await Storage.Jobs.ReportProgressAsync(running, new JobProgress(1, 1, null, null), Ct));
        var again = await Storage.Jobs.SubmitAsync(New(job.Id), Ct);
        Assert.Equal(("1", false), (again.Job.ResultJson, again.Enqueue));
    }

    [Fact]
    public async Task Of_many_who_finish_an_attempt_one_does()
    {
        var running = (await Storage.Jobs.TryStartAsync((await SubmitAsync()).Id, Ct))!;

        var results = await Task.WhenAll(Enumerable.Range(0, 5).Select(i => SecondProcess().Jobs.FinishAsync(running, JobStatus.Succeeded, $"{i}", ct: Ct)));

        Assert.Equal(1, results.Count(r => r == UpdateResult.Updated));
    }

    [Theory]
    [InlineData(JobStatus.Failed)]
    [InlineData(JobStatus.Cancelled)]
    public async Task Asking_again_after_an_end_without_result_starts_another_attempt(JobStatus end)
    {
        var job = await SubmitAsync();
        var running = (await Storage.Jobs.TryStartAsync(job.Id, Ct))!;
        await Storage.Jobs.FinishAsync(running, end, errorCode: "code", errorMessage: "why", ct: Ct);
        Assert.Equal("code", (await Storage.Jobs.GetAsync(job.Id, Ct))!.ErrorCode);

        var submissions = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => SecondProcess().Jobs.SubmitAsync(New(job.Id), Ct)));

        Assert.All(submissions, s => Assert.Equal((2, JobStatus.Queued, null), (s.Job.Attempt, s.Job.Status, s.Job.ErrorCode)));
        Assert.Equal(UpdateResult.Conflict, await Storage.Jobs.FinishAsync(running, JobStatus.Succeeded, "old", ct: Ct));
        Assert.Null(await Storage.Jobs.ReportProgressAsync(running, new JobProgress(1, 1, null, null), Ct));
        Assert.Equal(2, (await Storage.Jobs.TryStartAsync(job.Id, Ct))!.Attempt);
    }

    [Fact]
    public async Task A_waiting_job_is_cancelled_at_once()
    {
        var job = await SubmitAsync();

        Assert.Equal(JobStatus.Cancelled, (await Storage.Jobs.RequestCancelAsync(job.Id, Ct))!.Status);

        Assert.Null(await Storage.Jobs.TryStartAsync(job.Id, Ct));
    }

    [Fact]
    public async Task A_running_job_learns_of_its_cancellation_from_its_progress()
    {
        var job = await SubmitAsync();
        var running = (await Storage.Jobs.TryStartAsync(job.Id, Ct))!;

        Assert.Equal(JobStatus.Running, (await Storage.Jobs.RequestCancelAsync(job.Id, Ct))!.Status);

        Assert.True((await Storage.Jobs.ReportProgressAsync(running, new JobProgress(1, 2, null, null), Ct))!.CancelRequested);
        Assert.Null(await Storage.Jobs.TryStartAsync(job.Id, Ct));
        Assert.Equal(JobStatus.Cancelled, (await Storage.Jobs.GetAsync(job.Id, Ct))!.Status);
    }

    [Fact]
    public async Task A_running_job_is_taken_over_after_its_worker_died()
    {
        var job = await SubmitAsync();
        var first = (await Storage.Jobs.TryStartAsync(job.Id, Ct))!;

        var second = (await SecondProcess().Jobs.TryStartAsync(job.Id, Ct))!;

        Assert.Equal((JobStatus.Running, 1, first.StartedAt), (second.Status, second.Attempt, second.StartedAt));
    }

    [Fact]
    public async Task Nothing_happens_to_a_job_that_does_not_exist()
    {
        var ghost = New("00ff");

        Assert.Null(await Storage.Jobs.GetAsync(ghost.Id, Ct));
        Assert.Null(await Storage.Jobs.TryStartAsync(ghost.Id, Ct));
        Assert.Null(await Storage.Jobs.RequestCancelAsync(ghost.Id, Ct));
        Assert.Equal(UpdateResult.NotFound, await Storage.Jobs.FinishAsync(ghost, JobStatus.Failed, ct: Ct));
        Assert.Null(await Storage.Jobs.GetAsync("../x", Ct));
    }

    [Fact]
    public async Task An_accounts_jobs_are_listed_newest_first()
    {
        var ids = new List<string>();
        for (var i = 0; i < 3; i++)
        {
            ids.Add((await Storage.Jobs.SubmitAsync(New($"0{i}"), Ct)).Job.Id);
            Clock.Advance(TimeSpan.FromSeconds(1));
        }

        Assert.Equal(ids.AsEnumerable().Reverse(), (await Storage.Jobs.ListAsync("ALICE", ct: Ct)).Select(j => j.Id));
        Assert.Equal(2, (await Storage.Jobs.ListAsync("alice", 2, Ct)).Count);
    }

    [Fact]
    public async Task Only_jobs_that_wait_or_run_count_as_active()
    {
        var jobs = new List<JobRecord>();
        for (var i = 0; i < 3; i++)
            jobs.Add((await Storage.Jobs.SubmitAsync(New($"0{i}"), Ct)).Job);
        Assert.Equal(3, await Storage.Jobs.CountActiveAsync("ALICE", Ct));
        Assert.Equal(0, await Storage.Jobs.CountActiveAsync("bob", Ct));

        await Storage.Jobs.FinishAsync(jobs[0], JobStatus.Failed, ct: Ct);
        await Storage.Jobs.TryStartAsync(jobs[1].Id, Ct);
        await Storage.Jobs.RequestCancelAsync(jobs[2].Id, Ct);
        Assert.Equal(1, await Storage.Jobs.CountActiveAsync("alice", Ct));

        // Its mark has been removed; another attempt puts one again.
        await Storage.Jobs.SubmitAsync(jobs[0], Ct);
        Assert.Equal(2, await Storage.Jobs.CountActiveAsync("alice", Ct));
    }

    private async Task<JobRecord> SubmitAsync() =>
        (await Storage.Jobs.SubmitAsync(New(await Storage.Jobs.ComputeIdAsync(JobKind.Merge, "{}", "1", Ct)), Ct)).Job;

    private static JobRecord New(string id) => new(
        id, JobKind.Merge, "alice", "{}", JobStatus.Queued, 1, 1, null, false, null, null, null, default, null, null, default);
}
