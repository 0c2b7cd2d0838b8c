using System.Text.Json;
using Marketplace.Core;
using Marketplace.Core.Api;
using Marketplace.Storage;
using Marketplace.Tests.EndToEnd;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Crashes;

/// <summary>The timer that keeps snapshots current, and the functions' process killed at the writes of a clustering.</summary>
public sealed class ClusteringCrashTests(AzuriteFixture azurite)
{
    private const string Base = StackAdapters.BaseModel;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <summary>The writes of a clustering, in their order.</summary>
    public enum Step
    {
        /// <summary>What places newcomers.</summary>
        Placement,

        /// <summary>The snapshot's body.</summary>
        Body,

        /// <summary>The first row that names it.</summary>
        Row,

        /// <summary>The row by which it is listed.</summary>
        ListRow,

        /// <summary>The outcome in the job's row.</summary>
        Outcome,

        /// <summary>The message that asked for it.</summary>
        MessageDelete,
    }

    public static TheoryData<Step> Steps => [.. Enum.GetValues<Step>()];

    [Theory]
    [MemberData(nameof(Steps))]
    public async Task A_clustering_killed_at_a_write_leaves_one_snapshot_as_if_undisturbed(Step step)
    {
        await using var stack = await Stack.StartAsync(await azurite.ConnectionStringAsync(), new StackSettings { FunctionsThroughProxy = true });
        await stack.RunAsync(async () =>
        {
            var owner = await stack.AccountAsync("ann");
            for (var i = 0; i < 6; i++)
                await owner.PublishedAsync($"ann/a{i}", PlantedAdapters.Files(i % 2, i));
            var first = await ClusteringTests.ClusterAsync(owner, new ClusteringRequest(Base, K: 2));
            await owner.PublishedAsync("ann/a0", PlantedAdapters.Files(1, 10));

            // Before storage hears of it with one number of clusters, after storage did it with the other.
            var expected = new List<string> { first.Id };
            foreach (var (k, afterwards) in new[] { (2, false), (3, true) })
            {
                string jobId;
                using (var point = new SnapshotKill(stack, step, afterwards))
                {
                    jobId = (await owner.PostAsync<JobView>("/clusterings", new ClusteringRequest(Base, K: k), 202)).JobId;
                    await point.Killed;
                    await stack.StartFunctionsAsync();
                }

                owner = stack.Caller(owner.Key);
                var killed = await ClusteringTests.SnapshotAsync(owner, await owner.EndedAsync(jobId));
                expected.Insert(0, killed.Id);
                var list = await owner.GetAsync<ListResponse<ClusterSnapshotSummary>>($"/clusterings?baseModel={Base}");
                Assert.Equal(expected, list.Items.Select(s => s.Id)); // one, not two, and in order
                Assert.Equal(expected[1], killed.Previous);

                // Another account asks the same: another job, which nothing disturbs; only what follows from its own id and place in the chain differs.
                var bob = await stack.AccountAsync($"bob{k}");
                var undisturbed = await ClusteringTests.ClusterAsync(bob, new ClusteringRequest(Base, K: k));
                expected.Insert(0, undisturbed.Id);
                Assert.Equal(Content(undisturbed), Content(killed));
                Assert.Equal(
                    (await stack.Storage.Libraries.ReadPlacementAsync(undisturbed.Id, Cancel))!.ToBytes(), (await stack.Storage.Libraries.ReadPlacementAsync(killed.Id, Cancel))!.ToBytes());
            }
        });
    }

    [Fact]
    public async Task The_timer_clusters_what_changed_skips_what_did_not_and_survives_a_kill()
    {
        await using var stack = await Stack.StartAsync(await azurite.ConnectionStringAsync(), new StackSettings
        {
            FunctionsThroughProxy = true,
            Environment = new Dictionary<string, string>
            {
                ["Marketplace__ReclusterSchedule"] = "* * * * * *",
                ["Marketplace__ReclusterFlatAb"] = "true",
                ["Logging__LogLevel__Recluster"] = "Debug",
            },
        });
        await stack.RunAsync(async () =>
        {
            var owner = await stack.AccountAsync("ann");
            for (var i = 0; i < 6; i++)
                await owner.PublishedAsync($"ann/a{i}", PlantedAdapters.Files(i % 2, i));
            await SettledAsync(6);
            var (snapshots, jobs) = (await SnapshotsAsync(), await JobsAsync());
            Assert.Contains(snapshots, s => s.Similarity == "delta");
            Assert.Contains(snapshots, s => s.Similarity == "flatAb");
            Assert.Contains("is clustered again by delta: 6 members", stack.Functions.Output, StringComparison.Ordinal);

            // Four more runs see a library that has not changed.
            var skips = Skips();
            await UntilAsync(() => Task.FromResult(Skips() >= skips + 8));
            Assert.Equal(snapshots.Select(s => s.Id), (await SnapshotsAsync()).Select(s => s.Id));
            Assert.Equal(jobs, await JobsAsync());

            // A change, and the process dies while it writes the snapshot; the timer asks for the same again and again meanwhile.
            using (var point = new SnapshotKill(stack, Step.Row, afterwards: false))
            {
                await owner.PublishedAsync("ann/a6", PlantedAdapters.Files(0, 20));
                await point.Killed;
                await stack.StartFunctionsAsync();
            }

            owner = stack.Caller(owner.Key);
            await SettledAsync(7);
            var after = await SnapshotsAsync();
            Assert.Equal(2, after.Count(s => s.Members == 7));
            Assert.Equal(snapshots.Select(s => s.Id), after.Where(s => s.Members < 7).Select(s => s.Id));
            var delta = after.Single(s => s is { Members: 7, Similarity: "delta" });
            Assert.Equal(snapshots.First(s => s.Similarity == "delta").Id, delta.Previous);
            Assert.Equal(2, delta.Clusters.Count);

            int Skips() => stack.Functions.Output.Split("has not changed: job").Length - 1;
            async Task<IReadOnlyList<ClusterSnapshotSummary>> SnapshotsAsync() => (await owner.GetAsync<ListResponse<ClusterSnapshotSummary>>($"/clusterings?baseModel={Base}")).Items;
            async Task<IEnumerable<string>> JobsAsync() => [.. (await stack.Admin.GetAsync<ListResponse<JobView>>("/jobs")).Items.Select(j => j.JobId).Order()];
            Task SettledAsync(int members) => UntilAsync(async () => (await SnapshotsAsync()).Count(s => s.Members == members) == 2);
        });
    }

    [Fact]
    public async Task A_publish_killed_before_its_placement_is_placed_by_the_next_delivery()
    {
        await using var stack = await Stack.StartAsync(await azurite.ConnectionStringAsync(), new StackSettings { FunctionsThroughProxy = true });
        await stack.RunAsync(async () =>
        {
            var owner = await stack.AccountAsync("ann");
            for (var i = 0; i < 6; i++)
                await owner.PublishedAsync($"ann/a{i}", PlantedAdapters.Files(i % 2, i));
            var snapshot = await ClusteringTests.ClusterAsync(owner, new ClusteringRequest(Base, K: 2));
            foreach (var afterwards in new[] { false, true })
            {
                var ticket = await owner.StageAsync($"ann/killed-{afterwards}".ToLowerInvariant(), PlantedAdapters.Files(1, 30));
                using (var point = new SnapshotKill(stack, call => SnapshotKill.IsRow(call, $"{stack.Namespace}arrivals"), afterwards))
                {
                    await owner.PostAsync<UploadStatus>($"/uploads/{ticket.UploadId}/complete", null, 202);
                    await point.Killed;
                    await stack.StartFunctionsAsync();
                }

                owner = stack.Caller(owner.Key);
                var decided = await owner.DecidedAsync(ticket.UploadId);
                Assert.Equal(("published", 1), (decided.State, decided.Version!.Number));
                var arrival = Assert.Single((await owner.GetAsync<ClusterSnapshotView>($"/clusterings/{snapshot.Id}")).Arrivals!, a => a.Version == decided.Version);
                Assert.Equal("c1", arrival.Cluster);
            }
        });
    }

    // Without what names a snapshot and its place in the chain.
    private static string Content(ClusterSnapshotView view) => JsonSerializer.Serialize(
        view with { Id = "", Scope = "", CreatedAt = default, Previous = null, Moves = [], Arrivals = null }, ApiJson.Options);

    private static async Task UntilAsync(Func<Task<bool>> awaited)
    {
        var deadline = DateTime.UtcNow + TimeSpan.FromSeconds(90);
        while (!await awaited())
        {
            Assert.True(DateTime.UtcNow < deadline, "It does not come about.");
            await Task.Delay(100, Cancel);
        }
    }

    /// <summary>Kills the functions at a write, once.</summary>
    private sealed class SnapshotKill : IDisposable
    {
        private readonly TaskCompletionSource killed = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly IDisposable watch;
        private int calls;

        public SnapshotKill(Stack stack, Step step, bool afterwards)
            : this(stack, call => Is(call, step, stack.Namespace), afterwards)
        {
        }

        public SnapshotKill(Stack stack, Func<StackStorageCall, bool> matches, bool afterwards) =>
            watch = stack.Proxy.On(call => matches(call) && Interlocked.Increment(ref calls) == 1, async call =>
            {
                if (afterwards)
                    await call.ForwardAsync();
                await stack.Functions.KillAsync();
                call.Abort();
                killed.SetResult();
            });

        public Task Killed => killed.Task.WaitAsync(TimeSpan.FromSeconds(60));

        public void Dispose() => watch.Dispose();

        public static bool IsRow(StackStorageCall call, string table) =>
            call.Method is "POST" or "PUT" or "PATCH" && (call.Path == $"/{table}" || call.Path.StartsWith($"/{table}(", StringComparison.Ordinal));

        private static bool Is(StackStorageCall call, Step step, string prefix) => step switch
        {
            Step.Placement => call.Method == "PUT" && call.Path.StartsWith($"/{prefix}-snapshots/", StringComparison.Ordinal) && call.Path.EndsWith(".safetensors", StringComparison.Ordinal),
            Step.Body => call.Method == "PUT" && call.Path.StartsWith($"/{prefix}-snapshots/", StringComparison.Ordinal)
                && !call.Path.Contains("/libraries/", StringComparison.Ordinal) && call.Path.EndsWith(".json", StringComparison.Ordinal),
            Step.Row => IsRow(call, $"{prefix}snapshots") && call.Text.Contains("\"PartitionKey\":\"i|", StringComparison.Ordinal),
            Step.ListRow => IsRow(call, $"{prefix}snapshots") && call.Text.Contains("\"PartitionKey\":\"b|", StringComparison.Ordinal),
            Step.Outcome => IsRow(call, $"{prefix}jobs") && call.Text.Contains("\"Status\":\"Succeeded\"", StringComparison.Ordinal),
            Step.MessageDelete => call.Method == "DELETE" && call.Path.StartsWith($"/{prefix}-functions-jobs/", StringComparison.Ordinal),
            _ => throw new ArgumentOutOfRangeException(nameof(step)),
        };
    }
}
