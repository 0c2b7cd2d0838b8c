using System.Text.Json;
using Marketplace.Core.Api;
using Marketplace.Core.Methods;
using Marketplace.Storage;
using Marketplace.Tests.Routers;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Crashes;

/// <summary>The functions' process killed at every write of a router's export, and started again.</summary>
public sealed class RouterCrashTests(RouterCrashTests.Stacks stacks) : IClassFixture<RouterCrashTests.Stacks>
{
    public sealed class Stacks(AzuriteFixture azurite) : CrashStacks(azurite, new StackSettings { FunctionsThroughProxy = true })
    {
        private protected override async Task PrepareAsync(Stack stack)
        {
            var owner = await stack.AccountAsync("ann");
            for (var seed = 1; seed <= 3; seed++)
                await owner.PublishedAsync($"ann/expert-{seed}", StackAdapters.Files(seed));
        }
    }

    [Theory]
    [InlineData("prototypes.safetensors", 0)]
    [InlineData("router.json", 1)]
    [InlineData("manifest.json", 2)]
    [InlineData(null, 3)]
    public Task An_export_killed_at_a_write_ends_as_if_undisturbed(string? file, int number) => stacks.BothAsync(async (stack, afterwards) =>
    {
        var owner = await stack.AccountAsync("ann");
        var killed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var calls = 0;
        JobView job;
        using (stack.Proxy.On(call => IsWrite(call, stack.Namespace, file) && Interlocked.Increment(ref calls) == 1, async call =>
        {
            if (afterwards)
                await call.ForwardAsync();
            await stack.Functions.KillAsync();
            call.Abort();
            killed.SetResult();
        }))
        {
            job = await owner.PostAsync<JobView>("/routers", Request("killed"), 202);
            await killed.Task.WaitAsync(TimeSpan.FromSeconds(60), TestContext.Current.CancellationToken);
            await stack.StartFunctionsAsync();
        }

        owner = stack.Caller(owner.Key);
        var router = await ResultAsync(owner, job.JobId);
        var undisturbed = await ResultAsync(owner, (await owner.PostAsync<JobView>("/routers", Request("undisturbed"), 202)).JobId);
        Assert.NotEqual(undisturbed.Id, router.Id);
        Assert.Equal(
            JsonSerializer.Serialize(undisturbed with { Id = "", Name = "", CreatedAt = default }, ApiJson.Options),
            JsonSerializer.Serialize(router with { Id = "", Name = "", CreatedAt = default }, ApiJson.Options));
        foreach (var name in new[] { RouterModel.PrototypesFile, RouterModel.DescriptionFile })
            Assert.Equal(await RouterApiTests.FileAsync(owner, undisturbed, name), await RouterApiTests.FileAsync(owner, router, name));
        Assert.Equal(0, (await stack.Storage.Queues.Client(QueueNames.Poison(QueueNames.FunctionsJobs)).GetPropertiesAsync(TestContext.Current.CancellationToken)).Value.ApproximateMessagesCount);

        RouterRequest Request(string name) => new(["ann/expert-1", "ann/expert-2"], General: [new("ann/expert-3")], Beta: 1 + number, Name: name);
    });

    // Null is the outcome in the job's row.
    private static bool IsWrite(StackStorageCall call, string prefix, string? file) => file is null
        ? call.Method is "POST" or "PUT" or "PATCH" && call.Path.StartsWith($"/{prefix}jobs(", StringComparison.Ordinal) && call.Text.Contains("\"Status\":\"Succeeded\"", StringComparison.Ordinal)
        : call.Method == "PUT" && call.Path.StartsWith($"/{prefix}-routers/", StringComparison.Ordinal) && call.Path.EndsWith("/" + file, StringComparison.Ordinal);

    private static async Task<RouterView> ResultAsync(StackApi owner, string jobId)
    {
        var ended = await owner.EndedAsync(jobId);
        Assert.True(ended.Status == "succeeded", $"{ended.Code}: {ended.Detail}");
        return await owner.GetAsync<RouterView>($"/routers/{JsonSerializer.Deserialize<RouterResult>(ended.Result!.Value, ApiJson.Options)!.RouterId}");
    }
}
