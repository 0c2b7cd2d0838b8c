using System.Buffers.Text;
using System.Collections.Immutable;
using System.Text;
using Marketplace.Core;
using Marketplace.Storage;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Storage;

public sealed class AdapterListTests(AzuriteFixture azurite) : StorageTest(azurite)
{
    private static readonly Caller Alice = new("alice", KeyScope.Read);
    private static readonly Caller Mallory = new("mallory", KeyScope.Admin - 1);
    private static readonly Caller Admin = new("root", KeyScope.Admin);

    [Fact]
    public async Task Pages_follow_each_other_and_end()
    {
        for (var i = 0; i < 7; i++)
            await AddAsync($"alice/a{i}");

        var (names, pages, _) = await WalkAsync(new AdapterQuery { Limit = 3 });

        Assert.Equal(Enumerable.Range(0, 7).Select(i => $"alice/a{i}"), names);
        Assert.Equal(3, pages);
    }

    [Fact]
    public async Task A_full_last_page_has_no_continuation()
    {
        for (var i = 0; i < 4; i++)
            await AddAsync($"alice/a{i}");

        Assert.Equal(2, (await WalkAsync(new AdapterQuery { Limit = 2 })).Pages);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_strangers_private_adapters_appear_on_no_page_and_in_no_continuation(bool byBaseModel)
    {
        foreach (var name in new[] { "alice/b1", "alice/b2", "alice/hidden1", "alice/hidden2", "alice/x1", "zed/b" })
            await AddAsync(name, isPrivate: name.Contains("hidden", StringComparison.Ordinal));
        var query = new AdapterQuery { BaseModel = byBaseModel ? "org/base" : null, Limit = 1 };

        foreach (var stranger in new[] { Caller.Anonymous, Mallory })
        {
            var (names, pages, tokens) = await WalkAsync(query with { Caller = stranger });
            Assert.Equal(["alice/b1", "alice/b2", "alice/x1", "zed/b"], names);
            Assert.Equal(4, pages);
            Assert.Equal(3, tokens.Count);
            Assert.All(tokens, token => Assert.DoesNotContain("hidden", token, StringComparison.Ordinal));
        }
        foreach (var insider in new[] { Alice, Admin })
            Assert.Equal(6, (await WalkAsync(query with { Caller = insider })).Names.Count);
    }

    [Fact]
    public async Task A_list_whose_rest_is_private_ends_as_if_there_were_none()
    {
        await AddAsync("alice/b1");
        await AddAsync("alice/hidden", isPrivate: true);

        var page = await Storage.Adapters.ListAsync(new AdapterQuery { Caller = Mallory, Limit = 1 }, Ct);

        Assert.Single(page!.Items);
        Assert.Null(page.Continuation);
    }

    [Fact]
    public async Task A_continuation_of_a_strangers_row_shows_no_more_than_the_stranger_may_see()
    {
        await AddAsync("alice/hidden1", isPrivate: true);
        await AddAsync("alice/hidden2", isPrivate: true);
        var own = await Storage.Adapters.ListAsync(new AdapterQuery { Caller = Alice, Limit = 1 }, Ct);

        var stolen = await Storage.Adapters.ListAsync(new AdapterQuery { Caller = Mallory, After = own!.Continuation }, Ct);

        Assert.Empty(stolen!.Items);
    }

    [Theory]
    [InlineData("")]
    [InlineData("!!!")]
    [InlineData("YWJj")]
    [InlineData("YQpiCmM")]
    [InlineData("_____w")]
    [InlineData("YSdiCmM")]
    public async Task Anything_else_is_no_continuation(string token) =>
        Assert.Null(await Storage.Adapters.ListAsync(new AdapterQuery { After = token }, Ct));

    [Fact]
    public async Task A_continuation_of_another_list_is_none()
    {
        for (var i = 0; i < 2; i++)
            await AddAsync($"alice/a{i}");
        var page = await Storage.Adapters.ListAsync(new AdapterQuery { Owner = "alice", Limit = 1 }, Ct);

        Assert.Null(await Storage.Adapters.ListAsync(new AdapterQuery { Owner = "bob", After = page!.Continuation }, Ct));
        Assert.Null(await Storage.Adapters.ListAsync(new AdapterQuery { BaseModel = "org/base", After = page.Continuation }, Ct));
    }

    [Fact]
    public async Task Owner_base_model_words_and_tags_narrow_the_list()
    {
        await AddAsync("alice/french-legal", tags: ["legal", "fr"]);
        await AddAsync("alice/french-poems", tags: ["fr"]);
        await AddAsync("bob/legal-english", baseModel: "org/other", tags: ["Legal"]);

        Assert.Equal(["alice/french-legal", "alice/french-poems"], (await WalkAsync(new AdapterQuery { Owner = "ALICE" })).Names);
        Assert.Equal(["bob/legal-english"], (await WalkAsync(new AdapterQuery { BaseModel = "ORG/other" })).Names);
        Assert.Equal(["alice/french-legal", "bob/legal-english"], (await WalkAsync(new AdapterQuery { Text = "LEGAL" })).Names);
        Assert.Equal(["alice/french-legal"], (await WalkAsync(new AdapterQuery { Text = "legal  alice" })).Names);
        Assert.Equal(["bob/legal-english"], (await WalkAsync(new AdapterQuery { Text = "org/other" })).Names);
        Assert.Equal(["alice/french-legal", "bob/legal-english"], (await WalkAsync(new AdapterQuery { Tags = ["legal"] })).Names);
        Assert.Equal(["alice/french-poems"], (await WalkAsync(new AdapterQuery { BaseModel = "org/base", Owner = "alice", Text = "poems" })).Names);
        Assert.Empty((await WalkAsync(new AdapterQuery { Owner = "' or Private eq true or PartitionKey eq '" })).Names);
    }

    [Fact]
    public async Task Unlisted_adapters_appear_only_to_their_owner_who_asks()
    {
        await AddAsync("alice/gone");
        await Storage.Catalogue.SetVisibilityAsync(Id("alice/gone"), listed: false, ct: Ct);

        Assert.Empty((await WalkAsync(new AdapterQuery { Caller = Alice })).Names);
        Assert.Empty((await WalkAsync(new AdapterQuery { Caller = Mallory, IncludeUnlisted = true })).Names);
        Assert.Empty((await WalkAsync(new AdapterQuery { Caller = Mallory, IncludeUnlisted = true, BaseModel = "org/base" })).Names);
        Assert.Equal(["alice/gone"], (await WalkAsync(new AdapterQuery { Caller = Alice, IncludeUnlisted = true })).Names);
        Assert.Equal(["alice/gone"], (await WalkAsync(new AdapterQuery { Caller = Admin, IncludeUnlisted = true, BaseModel = "org/base" })).Names);
        Assert.NotNull(await Storage.Versions.ResolveAsync(Id("alice/gone"), "main", Ct));
    }

    [Fact]
    public async Task Of_many_who_take_a_name_one_gets_it()
    {
        var now = Clock.GetUtcNow();
        var results = await Task.WhenAll(Enumerable.Range(0, 8).Select(i => SecondProcess().Adapters.CreateAsync(
            new AdapterRecord(Id(i % 2 == 0 ? "alice/task" : "Alice/TASK"), false, true, "", null, null, now, now, null, default), Ct)));

        Assert.Equal(1, results.Count(r => r == AddResult.Added));
        Assert.Equal(7, results.Count(r => r == AddResult.AlreadyExists));
    }

    [Fact]
    public async Task A_row_written_meanwhile_is_a_conflict_and_a_missing_row_is_not_found()
    {
        await AddAsync("alice/task");
        var adapter = (await Storage.Adapters.GetAsync(Id("alice/task"), Ct))!;

        Assert.Equal(UpdateResult.Updated, await Storage.Adapters.UpdateAsync(adapter with { Listed = false }, Ct));
        Assert.Equal(UpdateResult.Conflict, await Storage.Adapters.UpdateAsync(adapter with { Listed = true }, Ct));
        Assert.False((await Storage.Adapters.GetAsync(adapter.Id, Ct))!.Listed);
        Assert.Equal(UpdateResult.NotFound, await Storage.Adapters.UpdateAsync(adapter with { Id = Id("alice/none") }, Ct));
    }

    [Fact]
    public async Task Going_private_and_public_takes_the_library_along()
    {
        await AddAsync("alice/task");

        await Storage.Catalogue.SetVisibilityAsync(Id("alice/task"), isPrivate: true, ct: Ct);
        Assert.Empty(await Storage.Libraries.ListMembersAsync("org/base", Mallory, Ct));
        Assert.Single(await Storage.Libraries.ListMembersAsync("org/base", Alice, Ct));

        await Storage.Catalogue.SetVisibilityAsync(Id("alice/task"), isPrivate: false, ct: Ct);
        Assert.Single(await Storage.Libraries.ListMembersAsync("org/base", Mallory, Ct));
        Assert.Null(await Storage.Catalogue.SetVisibilityAsync(Id("alice/none"), isPrivate: true, ct: Ct));
    }

    [Fact]
    public async Task A_library_entry_that_lags_behind_shows_no_private_adapter()
    {
        await AddAsync("alice/task");
        var member = Assert.Single(await Storage.Libraries.ListMembersAsync("org/base", Mallory, Ct));
        await Storage.Catalogue.SetVisibilityAsync(member.Adapter, isPrivate: true, ct: Ct);

        await Storage.Libraries.PutMemberAsync(member with { Private = false }, Ct);

        Assert.Empty(await Storage.Libraries.ListMembersAsync("org/base", Mallory, Ct));
        Assert.Empty((await Storage.Adapters.ListAsync(new AdapterQuery { BaseModel = "org/base", Caller = Mallory }, Ct))!.Items);
    }

    [Fact]
    public async Task A_search_that_matches_nothing_ends()
    {
        await AddAsync("alice/task");

        var page = await Storage.Adapters.ListAsync(new AdapterQuery { Text = "nothing" }, Ct);

        Assert.Equal((0, null), (page!.Items.Length, page.Continuation));
    }

    private async Task AddAsync(string name, bool isPrivate = false, string baseModel = "org/base", ImmutableArray<string>? tags = null)
    {
        var request = Request(name, $"upload of {name}", isPrivate: isPrivate, baseModel: baseModel);
        await PublishAsync(request with { Summary = request.Summary! with { Tags = tags ?? [] } });
    }

    /// <summary>All names, the number of pages, and the continuations in clear.</summary>
    private async Task<(List<string> Names, int Pages, List<string> Tokens)> WalkAsync(AdapterQuery query)
    {
        var (names, tokens, pages) = (new List<string>(), new List<string>(), 0);
        string? after = null;
        do
        {
            var page = await Storage.Adapters.ListAsync(query with { After = after }, Ct);
            Assert.NotNull(page);
            names.AddRange(page.Items.Select(a => a.Id.ToString()));
            after = page.Continuation;
            if (after is not null)
                tokens.Add(Encoding.UTF8.GetString(Base64Url.DecodeFromChars(after)));
            pages++;
        }
        while (after is not null);
        return (names, pages, tokens);
    }
}
