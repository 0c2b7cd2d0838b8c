using Marketplace.Storage;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Storage;

/// <summary>
/// What a process that died left behind, set up by hand: whoever comes next finishes it. (That real processes leave exactly this is shown
/// where they are killed.)
/// </summary>
public sealed class InterruptedPublishTests(AzuriteFixture azurite) : StorageTest(azurite)
{
    [Fact]
    public async Task Bytes_and_index_without_version_row_are_published_by_the_next_attempt()
    {
        var request = Request("alice/task", "upload1");
        await Storage.Content.PutAsync(request.WeightsDigest, request.Files[0].LocalPath!, Ct);
        await Storage.ContentIndex.AddAsync(new ContentUse(request.WeightsDigest, request.Adapter, 1, "alice", false), Ct);
        Assert.False(await Storage.ContentIndex.IsUsedAsync(request.WeightsDigest, Ct));

        await PublishAsync(request);

        Assert.True(await Storage.ContentIndex.IsUsedAsync(request.WeightsDigest, Ct));
        Assert.Single(await Storage.Versions.ListAsync(request.Adapter, Ct));
    }

    [Fact]
    public async Task A_version_row_without_pointer_is_completed_by_its_own_next_attempt()
    {
        var (request, stranded) = await StrandAsync("upload1");

        var version = await PublishAsync(request);

        Assert.Equal((stranded.Number, stranded.Id), (version.Number, version.Id));
        Assert.Equal(stranded.Id, (await Storage.Adapters.GetAsync(request.Adapter, Ct))!.Main!.Id);
        Assert.Single(await Storage.Libraries.ListMembersAsync("org/base", Caller.Anonymous, Ct));
    }

    [Fact]
    public async Task A_version_row_without_pointer_is_followed_by_another_upload()
    {
        var (_, stranded) = await StrandAsync("upload1");

        var next = await PublishAsync(Request("alice/task", "upload2"));

        Assert.Equal((2, stranded.Id), (next.Number, next.Parent));
        Assert.Equal(next.Id, (await Storage.Adapters.GetAsync(next.Adapter, Ct))!.Main!.Id);
    }

    [Fact]
    public async Task Whoever_finds_a_number_taken_helps_the_pointer_forward()
    {
        var (_, stranded) = await StrandAsync("upload1");
        Assert.Null(await Storage.Adapters.GetAsync(stranded.Adapter, Ct));

        await Storage.Commit.CompleteAsync(stranded, Ct);

        var adapter = await Storage.Adapters.GetAsync(stranded.Adapter, Ct);
        Assert.Equal((stranded.Id, stranded.Summary!.Rank), (adapter!.Main!.Id, adapter.Summary!.Rank));
    }

    [Fact]
    public async Task A_late_completion_never_moves_the_pointer_back()
    {
        var (_, stranded) = await StrandAsync("upload1");
        var next = await PublishAsync(Request("alice/task", "upload2", baseModel: "org/other"));

        await Storage.Commit.CompleteAsync(stranded, Ct);

        Assert.Equal(next.Id, (await Storage.Adapters.GetAsync(next.Adapter, Ct))!.Main!.Id);
        Assert.Empty(await Storage.Libraries.ListMembersAsync("org/base", Caller.Anonymous, Ct));
        Assert.Equal(2, Assert.Single(await Storage.Libraries.ListMembersAsync("org/other", Caller.Anonymous, Ct)).Version.Number);
    }

    [Fact]
    public async Task A_library_entry_left_behind_shows_nowhere()
    {
        await PublishAsync(Request("alice/task", "upload1", baseModel: "org/old"));
        var moved = Request("alice/task", "upload2", baseModel: "org/new");
        var version = await PublishAsync(moved);
        var stale = new LibraryMember("org/old", version.Adapter, false, new VersionPointer(1, "x"), version.Weights, version.Config);
        await Storage.Libraries.PutMemberAsync(stale, Ct);

        Assert.Empty(await Storage.Libraries.ListMembersAsync("org/old", Caller.Anonymous, Ct));
        Assert.Empty((await Storage.Adapters.ListAsync(new AdapterQuery { BaseModel = "org/old" }, Ct))!.Items);
    }

    /// <summary>Publishes elsewhere, and copies only what comes before the pointer.</summary>
    private async Task<(PublishRequest Request, VersionRecord Version)> StrandAsync(string key)
    {
        var request = Request("alice/task", key);
        var elsewhere = new MarketplaceStorage(await Azurite.NewOptionsAsync());
        await elsewhere.CreateAllAsync(Ct);
        var version = Assert.IsType<PublishOutcome.Published>(await elsewhere.Commit.PublishAsync(request, Ct)).Version;
        foreach (var file in request.Files)
            await Storage.Content.PutAsync(file.File.Digest, file.LocalPath!, Ct);
        Assert.Equal(AddResult.Added, await Storage.Versions.AddAsync(version, Ct));
        return (request, version);
    }
}
