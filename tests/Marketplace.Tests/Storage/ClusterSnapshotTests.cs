using Marketplace.Storage;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Storage;

public sealed class ClusterSnapshotTests(AzuriteFixture azurite) : StorageTest(azurite)
{
    private static readonly Caller Alice = new("alice", KeyScope.Read);
    private static readonly Caller Public = new("public", KeyScope.Publish);

    [Fact]
    public async Task A_snapshot_comes_back_with_its_body_however_long()
    {
        var snapshot = New("aa01", null) with { BodyJson = new string('x', 2_000_000) };

        await Storage.Libraries.AddSnapshotAsync(snapshot, Ct);

        Assert.Equal(snapshot, await Storage.Libraries.GetSnapshotAsync("aa01", Caller.Anonymous, Ct));
    }

    [Fact]
    public async Task Snapshots_are_listed_newest_first_and_stay()
    {
        foreach (var id in new[] { "aa01", "aa02", "aa03" })
        {
            await Storage.Libraries.AddSnapshotAsync(New(id, null), Ct);
            Clock.Advance(TimeSpan.FromMinutes(1));
        }
        await Storage.Libraries.AddSnapshotAsync(New("aa04", null) with { BaseModel = "org/other" }, Ct);

        Assert.Equal(["aa03", "aa02", "aa01"], (await Storage.Libraries.ListSnapshotsAsync("ORG/base", Caller.Anonymous, Ct)).Select(s => s.Id));
    }

    [Fact]
    public async Task A_private_snapshot_exists_for_its_owner_alone()
    {
        await Storage.Libraries.AddSnapshotAsync(New("aa01", "Alice"), Ct);
        await Storage.Libraries.AddSnapshotAsync(New("aa02", "public"), Ct);

        foreach (var stranger in new[] { Caller.Anonymous, new Caller("mallory", KeyScope.Publish) })
        {
            Assert.Empty(await Storage.Libraries.ListSnapshotsAsync("org/base", stranger, Ct));
            Assert.Null(await Storage.Libraries.GetSnapshotAsync("aa01", stranger, Ct));
        }
        Assert.Equal("aa01", Assert.Single(await Storage.Libraries.ListSnapshotsAsync("org/base", Alice, Ct)).Id);
        Assert.NotNull(await Storage.Libraries.GetSnapshotAsync("aa01", Alice, Ct));
        Assert.Equal("aa02", Assert.Single(await Storage.Libraries.ListSnapshotsAsync("org/base", Public, Ct)).Id);
    }

    [Theory]
    [InlineData("")]
    [InlineData("../x")]
    [InlineData("ffff")]
    public async Task Anything_else_is_no_snapshot(string id) => Assert.Null(await Storage.Libraries.GetSnapshotAsync(id, Alice, Ct));

    private ClusterSnapshot New(string id, string? owner) => new(id, "org/base", owner?.ToLowerInvariant(), Clock.GetUtcNow(), "job", "{}");
}
