using System.Text.Json;
using Marketplace.Core;
using Marketplace.Core.Api;
using Marketplace.Core.Merges;
using Marketplace.Storage;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.EndToEnd;

/// <summary>Jobs as their owner sees them: asked for, watched, cancelled, failed and asked for again.</summary>
public sealed class JobTests(JobTests.Fixture fixture) : IClassFixture<JobTests.Fixture>
{
    private readonly Stack stack = fixture.Stack;

    public sealed class Fixture(AzuriteFixture azurite) : StackFixture(azurite, new StackSettings
    {
        Kernels = true,
        KernelsThroughProxy = true,
        Environment = new Dictionary<string, string> { ["Storage__RetryDelay"] = "00:00:00.1" },
    })
    {
        public override async ValueTask InitializeAsync()
        {
            await base.InitializeAsync();
            var owner = await Stack.AccountAsync("ann");
            foreach (var seed in new[] { 1, 2 })
                await owner.PublishedAsync($"ann/input-{seed}", StackAdapters.Files(seed));
        }
    }

    [Fact]
    public Task A_watched_job_tells_each_state_once_and_resumes_where_the_stream_was_cut() => stack.RunAsync(async () =>
    {
        var owner = await stack.AccountAsync("ann");
        List<(long Id, JobView Job)> first, rest;
        JobView job;
        using (var gate = HoldResult())
        {
            job = await owner.PostAsync<JobView>("/merges", Merge("watched", 1.5), 202);
            await gate.Arrived;
            first = await owner.EventsAsync(job.JobId, count: 1);
        }

        rest = await owner.EventsAsync(job.JobId, lastEventId: first[0].Id);
        var all = first.Concat(rest).ToList();
        Assert.Equal(all.OrderBy(e => e.Id).Select(e => e.Id).Distinct(), all.Select(e => e.Id));
        Assert.All(all, e => Assert.Equal(e.Id, e.Job.Sequence));
        Assert.All(all.SkipLast(1), e => Assert.True(e.Job.Status is "queued" or "running", e.Job.Status));
        Assert.Equal("succeeded", all[^1].Job.Status);
        Assert.Empty(await owner.EventsAsync(job.JobId, lastEventId: all[^1].Id));
        Assert.Equal("succeeded", Assert.Single(await owner.EventsAsync(job.JobId)).Job.Status);
    });

    [Fact]
    public Task A_running_job_stops_when_it_is_cancelled_and_publishes_nothing() => stack.RunAsync(async () =>
    {
        var owner = await stack.AccountAsync("ann");
        JobView job;
        using (var gate = HoldResult())
        {
            job = await owner.PostAsync<JobView>("/merges", Merge("cancelled", 2.5), 202);
            await gate.Arrived;
            Assert.Equal("running", (await owner.GetAsync<JobView>($"/jobs/{job.JobId}")).Status);
            await owner.PostAsync<JobView>($"/jobs/{job.JobId}/cancel", null, 202);
            job = await owner.EndedAsync(job.JobId);
        }

        Assert.Equal(("cancelled", "cancelled"), (job.Status, job.Code));
        (await owner.SendAsync(HttpMethod.Get, "/adapters/ann/cancelled")).Problem(404, "not-found");

        var again = await owner.PostAsync<JobView>("/merges", Merge("cancelled", 2.5), 202);
        Assert.Equal((job.JobId, 2), (again.JobId, again.Attempt));
        Assert.Equal("succeeded", (await owner.EndedAsync(job.JobId)).Status);
        (await owner.SendAsync(HttpMethod.Post, $"/jobs/{job.JobId}/cancel")).Problem(409, "conflict");
    });

    [Fact]
    public Task Asking_twice_is_asking_once() => stack.RunAsync(async () =>
    {
        var owner = await stack.AccountAsync("ann");
        var asked = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => owner.PostAsync<JobView>("/merges", Merge("twice", 3.5), 202)));
        var id = Assert.Single(asked.Select(j => j.JobId).Distinct());
        var ended = await owner.EndedAsync(id);
        Assert.Equal(("succeeded", 1), (ended.Status, ended.Attempt));

        var later = await owner.PostAsync<JobView>("/merges", Merge("twice", 3.5), 202);
        Assert.Equal((id, "succeeded", ended.Sequence), (later.JobId, later.Status, later.Sequence));
        Assert.Single((await owner.GetAsync<ListResponse<VersionView>>("/adapters/ann/twice/versions")).Items);
        Assert.Single((await owner.GetAsync<ListResponse<JobView>>("/jobs")).Items, j => j.JobId == id);
    });

    [Fact]
    public Task The_same_request_of_another_account_is_another_job() => stack.RunAsync(async () =>
    {
        var (ann, bob) = (await stack.AccountAsync("ann"), await stack.AccountAsync("bob"));
        var request = new ClusteringRequest(StackAdapters.BaseModel, K: 2);
        var first = await ann.PostAsync<JobView>("/clusterings", request, 202);
        var second = await bob.PostAsync<JobView>("/clusterings", request, 202);
        Assert.NotEqual(first.JobId, second.JobId);
        Assert.Equal(first.Request.GetRawText(), second.Request.GetRawText());
        await Task.WhenAll(ann.EndedAsync(first.JobId), bob.EndedAsync(second.JobId));
        (await bob.SendAsync(HttpMethod.Get, $"/jobs/{first.JobId}")).Problem(404, "not-found");
        Assert.DoesNotContain((await bob.GetAsync<ListResponse<JobView>>("/jobs")).Items, j => j.JobId == first.JobId);
    });

    [Fact]
    public Task A_job_that_fails_five_times_is_poisoned_and_can_be_asked_for_again() => stack.RunAsync(async () =>
    {
        var owner = await stack.AccountAsync("ann");
        // Inputs of its own: what the kernels have read once they need not read again.
        var input = await owner.PublishedAsync("ann/unreadable", StackAdapters.Files(seed: 50));
        var request = new MergeRecipe("linear", [RecipeInput.Of("ann/input-1"), RecipeInput.Of("ann/unreadable")], new OutputRequest("ann/poisoned"));
        var weights = (await owner.GetAsync<VersionView>($"/adapters/{input.Adapter}/versions/1")).Files.Single(f => f.Path.EndsWith(".safetensors", StringComparison.Ordinal));
        var reads = 0;
        JobView job;
        using (stack.Proxy.On(c => c.Method == "GET" && c.Path.EndsWith(weights.Sha256, StringComparison.Ordinal), c =>
        {
            Interlocked.Increment(ref reads);
            c.Refuse(403);
            return Task.CompletedTask;
        }))
        {
            job = await owner.PostAsync<JobView>("/merges", request, 202);
            job = await owner.EndedAsync(job.JobId);
        }

        Assert.Equal(("failed", "poisoned"), (job.Status, job.Code));
        Assert.Equal(5, reads);
        foreach (var queue in new[] { QueueNames.KernelJobs, QueueNames.Poison(QueueNames.KernelJobs) })
            await EmptyAsync(queue);

        var again = await owner.PostAsync<JobView>("/merges", request, 202);
        Assert.Equal((job.JobId, 2), (again.JobId, again.Attempt));
        Assert.Equal("succeeded", (await owner.EndedAsync(job.JobId)).Status);
    });

    [Fact]
    public Task A_merge_is_published_with_its_lineage() => stack.RunAsync(async () =>
    {
        var owner = await stack.AccountAsync("ann");
        var job = await owner.EndedAsync((await owner.PostAsync<JobView>("/merges", Merge("result", 4.5), 202)).JobId);
        var result = JsonSerializer.Deserialize<DerivedResult>(job.Result!.Value, ApiJson.Options)!;
        var version = await owner.GetAsync<VersionView>("/adapters/ann/result/versions/main");
        Assert.Equal(result.Version, new VersionReference(version.Adapter, version.Number, version.Id));
        Assert.Equal(["ann/input-1", "ann/input-2"], version.Lineage!.Parents.Select(p => p.Version.Adapter));
        Assert.Equal([1, 4.5], version.Lineage.Parents.Select(p => p.Weight));
        Assert.False(string.IsNullOrEmpty(version.Lineage.Kernel));
        foreach (var file in version.Files)
            Assert.Equal(file.Sha256, Digest.Of(await owner.DownloadAsync(result.Version, file.Path)).Hex);
    });

    private static MergeRecipe Merge(string output, double weight) =>
        new("linear", [RecipeInput.Of("ann/input-1"), RecipeInput.Of("ann/input-2", weight)], new OutputRequest($"ann/{output}"));

    // Holds a merge where it stores its result: inputs may be cached, so that they are not always read.
    private StackGate HoldResult() =>
        new(stack.Proxy, c => c.Method == "PUT" && c.Path.StartsWith($"/{stack.Namespace}-content/sha256/", StringComparison.Ordinal));

    private async Task EmptyAsync(string queue)
    {
        for (var attempt = 0; attempt < 200; attempt++)
        {
            if ((await stack.Storage.Queues.Client(queue).GetPropertiesAsync()).Value.ApproximateMessagesCount == 0)
                return;
            await Task.Delay(50);
        }

        Assert.Fail($"{queue} is not empty.");
    }
}
