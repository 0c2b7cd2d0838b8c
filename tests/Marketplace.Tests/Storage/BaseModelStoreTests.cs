using Marketplace.Core;
using Marketplace.Storage;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Storage;

public sealed class BaseModelStoreTests(AzuriteFixture azurite) : StorageTest(azurite)
{
    private const string LocalPath = "/home/someone/models/base";

    [Fact]
    public async Task A_models_name_stands_for_itself_as_it_is_spelled()
    {
        Assert.Equal("Org/Base", await ResolveAsync("Org/Base"));
        await Storage.BaseModels.EnsureAsync("Org/Base", Ct);

        // Who spelled it first, perhaps in private, does not show.
        Assert.Equal("org/BASE", await ResolveAsync(" org/BASE "));
        Assert.Equal("Org/Base", (await Storage.BaseModels.EnsureAsync("ORG/base", Ct)).Id);
        Assert.Equal("gpt2", await ResolveAsync("gpt2"));
    }

    [Theory]
    [InlineData("")]
    [InlineData("  ")]
    [InlineData(LocalPath)]
    [InlineData("./base")]
    [InlineData("a/b/c")]
    [InlineData("https://example.org/base")]
    public async Task Nothing_is_assumed_about_any_other_spelling(string spelling) => Assert.Null(await ResolveAsync(spelling));

    [Fact]
    public async Task An_owners_alias_counts_for_that_owner_alone()
    {
        await Storage.BaseModels.ConfirmAliasAsync(Alias(LocalPath, "org/base", "Alice"), Ct);

        Assert.Equal("org/base", await ResolveAsync(LocalPath, "alice"));
        Assert.Null(await ResolveAsync(LocalPath, "bob"));
        Assert.Null(await ResolveAsync(LocalPath.ToUpperInvariant(), "alice"));
        Assert.Empty(await Storage.BaseModels.ListAliasesAsync("bob", Ct));
        Assert.Equal(LocalPath, Assert.Single(await Storage.BaseModels.ListAliasesAsync("ALICE", Ct)).Spelling);
    }

    [Fact]
    public async Task An_owners_alias_comes_before_everybodys_and_that_before_the_name()
    {
        await Storage.BaseModels.ConfirmAliasAsync(Alias("mirror/base", "org/base", null), Ct);
        await Storage.BaseModels.ConfirmAliasAsync(Alias("Mirror/Base", "org/base-it", "alice"), Ct);

        Assert.Equal("org/base-it", await ResolveAsync("mirror/base", "alice"));
        Assert.Equal("org/base", await ResolveAsync("MIRROR/base", "bob"));
    }

    [Fact]
    public async Task An_alias_to_something_that_is_no_model_is_refused() =>
        await Assert.ThrowsAsync<ArgumentException>(() => Storage.BaseModels.ConfirmAliasAsync(Alias("x/y", LocalPath, null), Ct));

    [Fact]
    public async Task Base_models_are_listed_once()
    {
        await Storage.BaseModels.EnsureAsync("org/b", Ct);
        await Storage.BaseModels.EnsureAsync("org/a", Ct);
        await Storage.BaseModels.EnsureAsync("ORG/A", Ct);

        Assert.Equal(["org/a", "org/b"], (await Storage.BaseModels.ListAsync(Ct)).Select(m => m.Id));
    }

    [Fact]
    public async Task Adapters_join_a_library_when_their_owner_confirms_an_alias()
    {
        await PublishAsync(Request("alice/task", "u1", baseModel: LocalPath));
        await PublishAsync(Request("bob/task", "u2", baseModel: LocalPath));
        Assert.Null((await Storage.Adapters.GetAsync(Id("alice/task"), Ct))!.BaseModel);

        var joined = await Storage.Catalogue.ConfirmAliasAsync(Alias(LocalPath, "org/base", "alice"), Ct);

        Assert.Equal([Id("alice/task")], joined);
        Assert.Equal([Id("alice/task")], await MembersAsync("org/base"));
        Assert.Equal(LocalPath, (await Storage.Adapters.GetAsync(Id("alice/task"), Ct))!.BaseModelName);
        Assert.Empty(await Storage.Catalogue.ConfirmAliasAsync(Alias(LocalPath, "org/base", "alice"), Ct));
    }

    [Fact]
    public async Task An_alias_for_everybody_moves_all_but_those_whose_owner_said_otherwise()
    {
        foreach (var owner in new[] { "alice", "bob", "carol" })
            await PublishAsync(Request($"{owner}/task", $"upload of {owner}", baseModel: LocalPath));
        await Storage.Catalogue.ConfirmAliasAsync(Alias(LocalPath, "org/base-it", "carol"), Ct);

        await Storage.Catalogue.ConfirmAliasAsync(Alias(LocalPath, "org/base", null), Ct);

        Assert.Equal([Id("alice/task"), Id("bob/task")], await MembersAsync("org/base"));
        Assert.Equal([Id("carol/task")], await MembersAsync("org/base-it"));
    }

    [Fact]
    public async Task Correcting_an_alias_moves_adapters_out_of_the_wrong_library()
    {
        await PublishAsync(Request("alice/task", "u1", baseModel: LocalPath));
        await Storage.Catalogue.ConfirmAliasAsync(Alias(LocalPath, "org/wrong", "alice"), Ct);

        await Storage.Catalogue.ConfirmAliasAsync(Alias(LocalPath, "org/right", "alice"), Ct);

        Assert.Empty(await MembersAsync("org/wrong"));
        Assert.Equal([Id("alice/task")], await MembersAsync("org/right"));
    }

    private Task<string?> ResolveAsync(string spelling, string owner = "alice") => Storage.BaseModels.ResolveAsync(spelling, owner, Ct);

    private async Task<IEnumerable<AdapterId>> MembersAsync(string baseModel) =>
        (await Storage.Libraries.ListMembersAsync(baseModel, Caller.Anonymous, Ct)).Select(m => m.Adapter);

    private BaseModelAlias Alias(string spelling, string baseModel, string? owner) => new(spelling, baseModel, owner, owner ?? "root", Clock.GetUtcNow());
}
