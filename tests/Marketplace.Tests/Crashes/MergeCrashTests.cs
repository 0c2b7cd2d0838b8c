using Marketplace.Core.Api;
using Marketplace.Core.Merges;
using Marketplace.Storage;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Crashes;

/// <summary>The kernels' process killed at every write of a merge, and started again.</summary>
public sealed class MergeCrashTests(MergeCrashTests.Stacks stacks) : IClassFixture<MergeCrashTests.Stacks>
{
    public sealed class Stacks(AzuriteFixture azurite) : CrashStacks(azurite, new StackSettings { Kernels = true, KernelsThroughProxy = true })
    {
        private protected override async Task PrepareAsync(Stack stack)
        {
            var owner = await stack.AccountAsync("ann");
            await owner.PublishedAsync("ann/first", StackAdapters.Files(seed: 1));
            await owner.PublishedAsync("ann/second", StackAdapters.Files(seed: 2));
        }
    }

    [Theory]
    [MemberData(nameof(CrashStacks.Writes), MemberType = typeof(CrashStacks))]
    public Task A_merge_killed_at_a_write_ends_as_if_undisturbed(Write write) => stacks.BothAsync(async (stack, afterwards) =>
    {
        var owner = await stack.AccountAsync("ann");
        JobView job;
        using (var point = new KillPoint(stack, stack.Kernels, write, afterwards))
        {
            job = await owner.PostAsync<JobView>("/merges", Request("killed"), 202);
            await point.Killed;
            await stack.StartKernelsAsync();
        }

        var version = await ResultAsync(owner, job.JobId);
        var again = await owner.PostAsync<JobView>("/merges", Request("undisturbed"), 202);
        Assert.NotEqual(job.JobId, again.JobId);
        var undisturbed = await ResultAsync(owner, again.JobId);
        await Aftermath.CheckAsync(stack, owner, version, undisturbed, QueueNames.KernelJobs);
        Assert.Equal(await ReportAsync(owner, undisturbed), await ReportAsync(owner, version));

        // Each case has weights of its own, hence bytes that nobody has stored yet.
        MergeRecipe Request(string name) => new(
            "linear", [RecipeInput.Of("ann/first"), RecipeInput.Of("ann/second", 2 + (int)write)], new OutputRequest($"ann/{name}-{write}"));
    });

    // Without what is measured anew each time.
    private static async Task<string> ReportAsync(StackApi owner, VersionReference version)
    {
        var report = await owner.GetAsync<MergeReportView>($"/adapters/{version.Adapter}/versions/{version.Number}/merge-report");
        Assert.NotEmpty(report.Modules);
        return System.Text.Json.JsonSerializer.Serialize(
            report with { Seconds = 0, PeakMemoryBytes = 0, Modules = [.. report.Modules.Select(m => m with { Seconds = null })] }, ApiJson.Options);
    }

    private static async Task<VersionReference> ResultAsync(StackApi owner, string jobId)
    {
        var ended = await owner.EndedAsync(jobId);
        Assert.True(ended.Status == "succeeded", $"{ended.Code}: {ended.Detail}");
        return System.Text.Json.JsonSerializer.Deserialize<DerivedResult>(ended.Result!.Value, ApiJson.Options)!.Version;
    }
}
