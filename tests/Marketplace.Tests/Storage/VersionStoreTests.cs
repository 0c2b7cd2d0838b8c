using System.Collections.Immutable;
using Marketplace.Core;
using Marketplace.Storage;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Storage;

public sealed class VersionStoreTests(AzuriteFixture azurite) : StorageTest(azurite)
{
    [Fact]
    public async Task A_number_is_taken_once()
    {
        var version = New(1, 1);

        var results = await Task.WhenAll(Enumerable.Range(0, 8).Select(i => SecondProcess().Versions.AddAsync(version with { UploadId = $"u{i}" }, Ct)));

        Assert.Equal(1, results.Count(r => r == AddResult.Added));
        Assert.Single(await Storage.Versions.ListAsync(version.Adapter, Ct));
    }

    [Fact]
    public async Task A_version_of_many_files_and_long_texts_comes_back_whole()
    {
        var recipe = new string('ä', 40_001) + "😀" + new string('x', 30_000);
        var version = New(1, VersionStore.MaxFiles) with
        {
            Message = recipe,
            Lineage = new Lineage("linear", [new LineageParent(Id("bob/x"), 3, new string('a', 40), 0.5, "input")], recipe, "cpu"),
        };

        Assert.Equal(AddResult.Added, await Storage.Versions.AddAsync(version, Ct));

        var read = (await Storage.Versions.GetAsync(version.Adapter, 1, Ct))!;
        Assert.Equal(version.Files.AsEnumerable(), read.Files);
        Assert.Equal(recipe, read.Message);
        Assert.Equal(recipe, read.Lineage!.RecipeJson);
        Assert.Equal(version.Lineage!.Parents.AsEnumerable(), read.Lineage.Parents);
        Assert.Equal(version with { Files = default, Lineage = null, Summary = null }, read with { Files = default, Lineage = null, Summary = null });
    }

    [Theory]
    [InlineData(30_000 - 1)]
    [InlineData(30_000)]
    public async Task A_surrogate_pair_at_a_cut_stays_whole(int before)
    {
        var text = new string('x', before) + "😀" + new string('y', 10);
        await Storage.Versions.AddAsync(New(1, 1) with { Message = text }, Ct);

        Assert.Equal(text, (await Storage.Versions.GetAsync(Id("alice/task"), 1, Ct))!.Message);
    }

    [Fact]
    public async Task Too_many_files_are_refused() =>
        await Assert.ThrowsAsync<StorageLimitException>(() => Storage.Versions.AddAsync(New(1, VersionStore.MaxFiles + 1), Ct));

    [Fact]
    public async Task A_row_beyond_a_mebibyte_is_refused()
    {
        // Random, since long texts are compressed.
        var text = Convert.ToBase64String(Bytes(1_200_000));
        await Assert.ThrowsAsync<StorageLimitException>(() => Storage.Versions.AddAsync(New(1, 1) with { Message = text }, Ct));

        Assert.Null(await Storage.Versions.GetAsync(Id("alice/task"), 1, Ct));
    }

    [Fact]
    public async Task Revisions_name_versions()
    {
        var first = await PublishAsync(Request("alice/task", "u1"));
        var second = await PublishAsync(Request("alice/task", "u2"));
        Assert.Equal(AddResult.Added, await Storage.Tags.AddAsync(first.Adapter, "stable", 1, Ct));

        Assert.Equal(2, await NumberAsync("main"));
        Assert.Equal(1, await NumberAsync("1"));
        Assert.Equal(1, await NumberAsync("v1"));
        Assert.Equal(2, await NumberAsync(second.Id));
        Assert.Equal(1, await NumberAsync("stable"));
        foreach (var none in new[] { "3", "0", "-1", "v", "", "MAIN", "Stable", "other", new string('0', 40), "a/b", "1' or '1' eq '1", "999999999999" })
            Assert.Null(await NumberAsync(none));

        async Task<int?> NumberAsync(string revision) => (await Storage.Versions.ResolveAsync(first.Adapter, revision, Ct))?.Number;
    }

    [Fact]
    public async Task A_tag_is_set_once_until_it_is_deleted()
    {
        Assert.Equal(AddResult.Added, await Storage.Tags.AddAsync(Id("alice/task"), "stable", 1, Ct));
        Assert.Equal(AddResult.AlreadyExists, await Storage.Tags.AddAsync(Id("Alice/Task"), "stable", 2, Ct));
        Assert.Equal(1, (await Storage.Tags.ListAsync(Id("alice/task"), Ct))["stable"]);

        Assert.True(await Storage.Tags.DeleteAsync(Id("alice/task"), "stable", Ct));
        Assert.False(await Storage.Tags.DeleteAsync(Id("alice/task"), "stable", Ct));
        Assert.Equal(AddResult.Added, await Storage.Tags.AddAsync(Id("alice/task"), "stable", 2, Ct));
    }

    [Theory]
    [InlineData("stable", true)]
    [InlineData("v1.0", true)]
    [InlineData("v1", false)]
    [InlineData("12", false)]
    [InlineData("v", false)]
    [InlineData("main", false)]
    [InlineData("a/b", false)]
    [InlineData("0123456789abcdef0123456789abcdef01234567", false)]
    [InlineData("", false)]
    public void A_tag_is_no_other_name_of_a_version(string tag, bool valid) => Assert.Equal(valid, TagStore.IsValid(tag));

    private VersionRecord New(int number, int files)
    {
        var digest = Digest.Of([1]);
        ImmutableArray<ManifestFile> list = [.. Enumerable.Range(0, files).Select(i => new ManifestFile($"checkpoint/{i:D4}.safetensors", Digest.Of(BitConverter.GetBytes(i)), i, new string('a', 40)))];
        return new VersionRecord(
            Id("alice/task"), number, VersionManifest.Create(list, null).Id, null, list, Clock.GetUtcNow(), "alice", "first", "org/base", null,
            "u1", false, digest, digest, null);
    }
}
