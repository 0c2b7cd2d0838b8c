using Marketplace.Core;
using Marketplace.Core.Api;
using Marketplace.Storage;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Crashes;

/// <summary>What must be true once a publish has ended, however often its process died.</summary>
internal static class Aftermath
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    public static async Task CheckAsync(Stack stack, StackApi owner, VersionReference version, VersionReference undisturbed, string queue, string baseModel = StackAdapters.BaseModel)
    {
        Assert.Equal(undisturbed.Id, version.Id);
        Assert.Equal(1, version.Number);
        var id = AdapterId.Parse(version.Adapter);
        var row = Assert.Single(await stack.Storage.Versions.ListAsync(id));
        var other = Assert.Single(await stack.Storage.Versions.ListAsync(AdapterId.Parse(undisturbed.Adapter)));
        Assert.Equal(version.Id, row.Id);
        Assert.Equal(other.Files.Select(f => (f.Path, f.Digest)), row.Files.Select(f => (f.Path, f.Digest)));

        var adapter = await owner.GetAsync<AdapterView>($"/adapters/{version.Adapter}");
        Assert.Equal(version, adapter.Main);
        var member = Assert.Single(await stack.Storage.Libraries.ListMembersAsync(baseModel, Caller.Anonymous), m => m.Adapter == id);
        Assert.Equal(version.Id, member.Version.Id);

        await EmptyAsync($"queue {queue}", () => CountAsync(stack, queue));
        Assert.Equal(0, await CountAsync(stack, QueueNames.Poison(queue)));
        await EmptyAsync("staging", async () => await stack.Storage.Staging.ListAsync().CountAsync());

        // Long after, the sweep finds garbage only: what was published stays, and is what it says.
        await stack.Storage.Sweep.SweepAsync(DateTimeOffset.UtcNow + TimeSpan.FromDays(3));
        foreach (var file in row.Files)
            Assert.Equal(file.Digest, Digest.Of(await owner.DownloadAsync(version, file.Path)));
    }

    private static async Task<int> CountAsync(Stack stack, string queue) =>
        (await stack.Storage.Queues.Client(queue).GetPropertiesAsync()).Value.ApproximateMessagesCount;

    private static async Task EmptyAsync(string what, Func<Task<int>> count)
    {
        var deadline = DateTime.UtcNow + Patience;
        while (await count() is > 0 and var left)
        {
            Assert.True(DateTime.UtcNow < deadline, $"{what} still holds {left}.");
            await Task.Delay(50);
        }
    }
}
