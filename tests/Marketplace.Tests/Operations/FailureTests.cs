using Marketplace.Core.Api;
using Marketplace.Core.Merges;
using Marketplace.Storage;
using Marketplace.Tests.Cli;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Operations;

/// <summary>What an operator does about jobs and uploads that failed. No kernels run: their jobs stay where a test can see them.</summary>
public sealed class FailureTests(FailureTests.Fixture fixture) : IClassFixture<FailureTests.Fixture>
{
    private readonly Stack stack = fixture.Stack;

    public sealed class Fixture(AzuriteFixture azurite) : StackFixture(azurite, new StackSettings());

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public void Every_kind_of_job_has_the_queue_of_who_can_run_it()
    {
        JobKind[] functions = [JobKind.Subtraction, JobKind.SubtractionBatch, JobKind.Clustering, JobKind.RouterExport];
        Assert.All(Enum.GetValues<JobKind>(), kind => Assert.Equal(functions.Contains(kind) ? QueueNames.FunctionsJobs : QueueNames.KernelJobs, QueueNames.Of(kind)));
    }

    [Fact]
    public Task A_poisoned_job_is_listed_and_tried_again_by_the_operator_only() => stack.RunAsync(async () =>
    {
        var owner = await stack.AccountAsync("ann");
        foreach (var seed in new[] { 1, 2 })
            await owner.PublishedAsync($"ann/input-{seed}", StackAdapters.Files(seed));
        var job = await owner.PostAsync<JobView>("/merges", new MergeRecipe("linear", [RecipeInput.Of("ann/input-1"), RecipeInput.Of("ann/input-2")], new OutputRequest("ann/sum")), 202);
        var queue = stack.Storage.Queues.Client(QueueNames.KernelJobs);
        await queue.ClearMessagesAsync(Ct);
        // Its message is lost: it waits, and nobody knows of it.
        Assert.Equal(("queued", 1), await stack.Admin.PostAsync<JobView>($"/jobs/{job.JobId}/retry", null, 202) is { } waiting ? (waiting.Status, waiting.Attempt) : default);
        Assert.Equal(job.JobId, MessageText.Parse((await queue.ReceiveMessageAsync(cancellationToken: Ct)).Value.MessageText).Id);
        await queue.ClearMessagesAsync(Ct);
        // What the poison trigger does.
        await stack.Storage.Jobs.FinishAsync((await stack.Storage.Jobs.GetAsync(job.JobId, Ct))!, JobStatus.Failed, null, "poisoned", "It failed too often.", Ct);

        var failures = await stack.Admin.GetAsync<FailuresView>("/failures?days=1");
        var failure = Assert.Single(failures.Items, i => i.Id == job.JobId);
        Assert.Equal(("job", "merge", "ann", "poisoned", 1), (failure.Kind, failure.What, failure.Owner, failure.Code, failure.Attempt));
        Assert.Equal(QueueNames.All, failures.Queues.Select(q => q.Queue));
        (await owner.SendAsync(HttpMethod.Get, "/failures")).Problem(403, "forbidden");
        (await owner.SendAsync(HttpMethod.Post, $"/jobs/{job.JobId}/retry")).Problem(403, "forbidden");
        (await stack.Admin.SendAsync(HttpMethod.Get, "/failures?days=0")).Problem(400, "invalid-request");
        (await stack.Admin.SendAsync(HttpMethod.Post, $"/jobs/{new string('0', 64)}/retry")).Problem(404, "not-found");

        using var cli = new CliProcess();
        string[] where = ["--url", stack.Address.ToString(), "--key", stack.Admin.Key!];
        Assert.Contains(job.JobId, (await cli.Run(["failures", "list", .. where])).Output, StringComparison.Ordinal);
        var run = await cli.Run(["failures", "retry", job.JobId, "--json", .. where]);
        Assert.True(run.ExitCode == 0, run.ToString());
        Assert.Equal(("queued", 2), (run.Json.GetProperty("status").GetString(), run.Json.GetProperty("attempt").GetInt32()));
        Assert.Equal(job.JobId, MessageText.Parse((await queue.PeekMessageAsync(Ct)).Value.MessageText).Id);
        Assert.DoesNotContain((await stack.Admin.GetAsync<FailuresView>("/failures")).Items, i => i.Id == job.JobId);
        await owner.PostAsync<JobView>($"/jobs/{job.JobId}/cancel", null, 202);
        (await stack.Admin.SendAsync(HttpMethod.Post, $"/jobs/{job.JobId}/retry")).Problem(409, "conflict");
        Assert.Contains(await stack.Storage.Audit.ListAsync(DateOnly.FromDateTime(DateTime.UtcNow), Ct), e => e.Action == "retry-job" && e.Subject == $"jobs/{job.JobId}");
    });

    [Fact]
    public Task A_poisoned_upload_is_validated_again_while_its_bytes_are_there() => stack.RunAsync(async () =>
    {
        var owner = await stack.AccountAsync("bob");
        var (kept, lost) = (await owner.StageAsync("bob/kept", StackAdapters.Files(5)), await owner.StageAsync("bob/lost", StackAdapters.Files(6)));
        foreach (var ticket in new[] { kept, lost })
        {
            var upload = (await stack.Storage.Uploads.GetAsync(ticket.UploadId, Ct))!;
            (await stack.Admin.SendAsync(HttpMethod.Post, $"/uploads/{ticket.UploadId}/retry")).Problem(409, "conflict");
            await stack.Storage.Uploads.UpdateAsync(upload with { State = UploadState.Failed, FailureCode = "poisoned", FailureMessage = "It failed too often." }, Ct);
        }

        await stack.Storage.Staging.DeleteUploadAsync(lost.UploadId, Ct);
        var listed = (await stack.Admin.GetAsync<FailuresView>("/failures")).Items.Where(i => i.Kind == "upload").Select(i => (i.Id, i.What, i.Owner)).ToHashSet();
        Assert.Superset(new HashSet<(string, string, string)> { (kept.UploadId, "bob/kept", "bob"), (lost.UploadId, "bob/lost", "bob") }, listed);
        (await owner.SendAsync(HttpMethod.Post, $"/uploads/{kept.UploadId}/retry")).Problem(403, "forbidden");
        Assert.Contains("absent", (await stack.Admin.SendAsync(HttpMethod.Post, $"/uploads/{lost.UploadId}/retry")).Problem(409, "conflict").Detail, StringComparison.Ordinal);
        (await stack.Admin.SendAsync(HttpMethod.Post, $"/uploads/{new string('0', 32)}/retry")).Problem(404, "not-found");
        await stack.Admin.PostAsync<UploadStatus>($"/uploads/{kept.UploadId}/retry", null, 202);
        Assert.Equal("published", (await owner.DecidedAsync(kept.UploadId)).State);
    });
}
