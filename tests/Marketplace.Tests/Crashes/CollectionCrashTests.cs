using System.Text.Json;
using Marketplace.Core;
using Marketplace.Core.Api;
using Marketplace.Core.Merges;
using Marketplace.Storage;
using Marketplace.Storage.Jobs;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Crashes;

/// <summary>
/// Jobs that make many versions, killed half-way: the functions in a batch of subtractions, the kernels in a cluster build. What was published before is
/// found again and not made twice, the rest is made, and all of it is to the byte what an undisturbed job makes.
/// </summary>
public sealed class CollectionCrashTests(CollectionCrashTests.Stacks stacks) : IClassFixture<CollectionCrashTests.Stacks>
{
    private const int Adapters = 5;

    /// <summary>Where the process dies: the second of the version's writes, so that one version is done and others are not, or an end of the job.</summary>
    public enum Moment
    {
        /// <summary>Bytes of the second version.</summary>
        Bytes,

        /// <summary>The second version's merge report.</summary>
        Report,

        /// <summary>The second version's row.</summary>
        Row,

        /// <summary>The second adapter's pointer.</summary>
        MainPointer,

        /// <summary>The collection's body.</summary>
        CollectionBody,

        /// <summary>The collection's row.</summary>
        CollectionRow,

        /// <summary>The job's outcome.</summary>
        Outcome,
    }

    public sealed class Stacks(AzuriteFixture azurite) : CrashStacks(azurite, new StackSettings { FunctionsThroughProxy = true, Kernels = true, KernelsThroughProxy = true })
    {
        private protected override async Task PrepareAsync(Stack stack)
        {
            var owner = await stack.AccountAsync("ann");
            for (var seed = 1; seed <= Adapters; seed++)
                await owner.PublishedAsync($"ann/a{seed}", StackAdapters.Files(seed));
        }
    }

    public static TheoryData<Moment> Moments => [.. Enum.GetValues<Moment>()];

    [Theory]
    [MemberData(nameof(Moments))]
    public Task A_batch_of_subtractions_killed_half_way_ends_as_if_undisturbed(Moment moment) => stacks.BothAsync(async (stack, afterwards) =>
    {
        var owner = await stack.AccountAsync("ann");
        JobView job;
        using (var kill = Kill(stack, stack.Functions, moment, afterwards))
        {
            job = await owner.PostAsync<JobView>("/subtractions/batch", Request("killed"), 202);
            await kill.Killed;
            await stack.StartFunctionsAsync();
        }

        owner = stack.Caller(owner.Key);
        var killed = await ResultAsync(owner, job.JobId);
        var undisturbed = await ResultAsync(owner, (await owner.PostAsync<JobView>("/subtractions/batch", Request("undisturbed"), 202)).JobId);
        await CheckAsync(stack, owner, job.JobId, killed, undisturbed, QueueNames.FunctionsJobs);
        Assert.Equal(undisturbed.General, killed.General);

        // Each case subtracts another part, hence makes bytes that nobody has stored yet.
        SubtractionBatchRequest Request(string name) => new(
            [new("ann/a1"), new("ann/a2")], new($"ann/{name}-{moment}", $"{{name}}-{name}-{moment}"), ["ann/a3", "ann/a4", "ann/a5"], Beta: 0.3 + (0.05 * (int)moment));
    });

    [Theory]
    [MemberData(nameof(Moments))]
    public Task A_cluster_build_killed_half_way_ends_as_if_undisturbed(Moment moment) => stacks.BothAsync(async (stack, afterwards) =>
    {
        var owner = await stack.AccountAsync("ann");
        // Each case has a library of its own, since results join the library that they are made from.
        var baseModel = $"org/{moment}";
        for (var seed = 1; seed <= Adapters; seed++)
            await owner.PublishedAsync($"ann/b{seed}-{moment}", StackAdapters.Files((100 * (1 + (int)moment)) + seed, baseModel));
        var clustering = await owner.EndedAsync((await owner.PostAsync<JobView>("/clusterings", new ClusteringRequest(baseModel, K: 3), 202)).JobId);
        var snapshot = JsonSerializer.Deserialize<ClusteringResult>(clustering.Result!.Value, ApiJson.Options)!.SnapshotId;

        JobView job;
        using (var kill = Kill(stack, stack.Kernels, moment, afterwards))
        {
            job = await owner.PostAsync<JobView>($"/clusterings/{snapshot}/build", Request("killed"), 202);
            await kill.Killed;
            await stack.StartKernelsAsync();
        }

        var killed = await ResultAsync(owner, job.JobId);
        Assert.Equal(3, killed.Members.Count);
        var undisturbed = await ResultAsync(owner, (await owner.PostAsync<JobView>($"/clusterings/{snapshot}/build", Request("undisturbed"), 202)).JobId);
        await CheckAsync(stack, owner, job.JobId, killed, undisturbed, QueueNames.KernelJobs, baseModel);

        BuildLibraryRequest Request(string name) => new("dare_linear", new($"ann/{name}-lib-{moment}"), new Dictionary<string, RecipeValue> { ["density"] = 0.7 }, Weights: "mean");
    });

    private static async Task CheckAsync(Stack stack, StackApi owner, string jobId, CollectionResult killed, CollectionResult undisturbed, string queue, string baseModel = StackAdapters.BaseModel)
    {
        Assert.Equal(undisturbed.Members.Select(m => m.Label), killed.Members.Select(m => m.Label));
        Assert.Empty(killed.Refused);
        foreach (var (member, other) in killed.Members.Zip(undisturbed.Members))
        {
            // One version, with the job's key for it, whose bytes and pointers are as they should be.
            await Aftermath.CheckAsync(stack, owner, member.Version, other.Version, queue, baseModel);
            var row = await stack.Storage.Versions.GetAsync(AdapterId.Parse(member.Version.Adapter), 1);
            Assert.Equal(CollectionDerivation.Key(jobId, member.Label), row!.UploadId);
            Assert.Equal((other.General, other.EnergyRemoved), (member.General, member.EnergyRemoved));
        }

        var collection = await owner.GetAsync<CollectionView>($"/collections/{killed.Collection}");
        Assert.Equal(jobId, collection.JobId);
        Assert.Equal(killed.Members.Select(m => m.Version).OrderBy(v => v.Adapter, StringComparer.Ordinal), collection.Members!.Select(m => m.Version).OrderBy(v => v.Adapter, StringComparer.Ordinal));
    }

    private static async Task<CollectionResult> ResultAsync(StackApi owner, string jobId)
    {
        var ended = await owner.EndedAsync(jobId);
        Assert.True(ended.Status == "succeeded", $"{ended.Code}: {ended.Detail}");
        return JsonSerializer.Deserialize<CollectionResult>(ended.Result!.Value, ApiJson.Options)!;
    }

    private static CountedKill Kill(Stack stack, StackProcess process, Moment moment, bool afterwards)
    {
        var space = stack.Namespace;
        return moment switch
        {
            // Configuration and weights of a version are two files each, and the configurations of all are one content.
            Moment.Bytes => new(stack, process, c => Write.Bytes.Is(c, space), 3, afterwards),
            Moment.Report => new(stack, process, c => c.Method == "PUT" && c.Path.StartsWith($"/{space}-reports/", StringComparison.Ordinal) && c.Path.EndsWith(".merge.json", StringComparison.Ordinal), 2, afterwards),
            Moment.Row => new(stack, process, c => Write.Row.Is(c, space), 2, afterwards),
            Moment.MainPointer => new(stack, process, c => Write.MainPointer.Is(c, space), 2, afterwards),
            Moment.CollectionBody => new(stack, process, c => c.Method == "PUT" && c.Path.StartsWith($"/{space}-collections/", StringComparison.Ordinal), 1, afterwards),
            Moment.CollectionRow => new(stack, process, c => c.Method is "POST" or "PUT" or "PATCH" && (c.Path == $"/{space}collections" || c.Path.StartsWith($"/{space}collections(", StringComparison.Ordinal)), 1, afterwards),
            Moment.Outcome => new(stack, process, c => Write.Outcome.Is(c, space), 1, afterwards),
            _ => throw new ArgumentOutOfRangeException(nameof(moment)),
        };
    }

    /// <summary>Kills a process at the n-th of its calls of a kind, once.</summary>
    private sealed class CountedKill : IDisposable
    {
        private readonly TaskCompletionSource killed = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly IDisposable watch;
        private int calls;

        public CountedKill(Stack stack, StackProcess process, Func<StackStorageCall, bool> matches, int number, bool afterwards) =>
            watch = stack.Proxy.On(call => matches(call) && Interlocked.Increment(ref calls) == number, async call =>
            {
                if (afterwards)
                    await call.ForwardAsync();
                await process.KillAsync();
                call.Abort();
                killed.SetResult();
            });

        public Task Killed => killed.Task.WaitAsync(TimeSpan.FromSeconds(60));

        public void Dispose() => watch.Dispose();
    }
}
