using System.Collections.Immutable;
using Marketplace.Core;
using Marketplace.Storage;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Storage;

/// <summary>Adapters taken down and restored, with their descendants and copies, by processes that publish meanwhile or end half-way.</summary>
public sealed class TakedownTests(AzuriteFixture azurite) : StorageTest(azurite)
{
    private static readonly Caller Admin = new("root", KeyScope.Admin);

    [Fact]
    public async Task What_is_down_exists_for_nobody_until_it_is_restored()
    {
        await PublishAsync(Request("alice/task", "u1"));
        Assert.NotNull(await TakeDownAsync("alice/task"));

        var adapter = await GetAsync("alice/task");
        foreach (var caller in new[] { Caller.Anonymous, new Caller("alice", KeyScope.Publish), Admin })
        {
            Assert.False(caller.CanSee(adapter));
            Assert.Empty((await Storage.Adapters.ListAsync(new AdapterQuery { Caller = caller, IncludeUnlisted = true }, Ct))!.Items);
            Assert.Empty(await Storage.Libraries.ListMembersAsync("org/base", caller, Ct));
        }

        Assert.Single((await Storage.Adapters.ListAsync(new AdapterQuery { Caller = new("alice", KeyScope.Read), IncludeTakenDown = true }, Ct))!.Items);
        Assert.Empty((await Storage.Adapters.ListAsync(new AdapterQuery { Caller = new("bob", KeyScope.Read), IncludeTakenDown = true }, Ct))!.Items);

        Assert.IsType<RestoreOutcome.Restored>(await Storage.Takedowns.RestoreAsync(Id("alice/task"), "root", Ct));
        Assert.Single((await Storage.Adapters.ListAsync(new AdapterQuery(), Ct))!.Items);
        Assert.Single(await Storage.Libraries.ListMembersAsync("org/base", Caller.Anonymous, Ct));
        Assert.IsType<RestoreOutcome.NotTakenDown>(await Storage.Takedowns.RestoreAsync(Id("alice/task"), "root", Ct));
        Assert.Null(await TakeDownAsync("alice/absent"));
    }

    [Fact]
    public async Task Nothing_is_published_to_it()
    {
        await PublishAsync(Request("alice/task", "u1"));
        await TakeDownAsync("alice/task");

        Assert.IsType<PublishOutcome.TakenDown>(await Storage.Commit.PublishAsync(Request("alice/task", "u2"), Ct));
        Assert.Single(await Storage.Versions.ListAsync(Id("alice/task"), Ct));
    }

    [Fact]
    public async Task Descendants_say_what_they_were_made_of_until_it_is_restored()
    {
        await FamilyAsync();
        var report = await TakeDownAsync("alice/root");

        Assert.Equal(["bob/child@1", "carol/grandchild@1"], report!.Flagged.Select(f => $"{f.Adapter}@{f.Number}").Order(StringComparer.Ordinal));
        Assert.Equal("alice/root", Assert.Single((await Storage.Takedowns.TaintsAsync(Id("carol/grandchild"), ct: Ct))[1]).Root.Id.ToString());
        Assert.Empty((await Storage.Takedowns.TaintsAsync(Id("carol/grandchild"), ct: Ct))[2]);
        Assert.True(Caller.Anonymous.CanSee(await GetAsync("bob/child")));

        // Whatever is made from them says so too, although the root itself is no input.
        await DeriveAsync("dave/late", "u9", "carol/grandchild");
        Assert.Single((await Storage.Takedowns.TaintsAsync(Id("dave/late"), ct: Ct))[1]);

        await Storage.Takedowns.RestoreAsync(Id("alice/root"), "root", Ct);
        Assert.Empty(await Storage.Takedowns.TaintsAsync(Id("dave/late"), ct: Ct));
        await TakeDownAsync("alice/root", DescendantPolicy.Keep);
        Assert.Empty(await Storage.Takedowns.TaintsAsync(Id("bob/child"), ct: Ct));
    }

    [Fact]
    public async Task Descendants_go_down_with_it_and_come_back_with_the_last_of_their_causes()
    {
        await FamilyAsync();
        await PublishAsync(Request("alice/other", "u5"));
        await DeriveAsync("carol/both", "u6", "alice/root", "alice/other");
        await TakeDownAsync("alice/root", DescendantPolicy.TakeDown);
        await TakeDownAsync("alice/other", DescendantPolicy.TakeDown);
        await TakeDownAsync("bob/child", DescendantPolicy.Keep);

        Assert.Equal(["alice/other", "alice/root", "bob/child", "carol/both", "carol/grandchild"], await DownAsync());
        Assert.Equal(Id("alice/root"), (await GetAsync("carol/grandchild")).Takedown!.First.Root);
        Assert.IsType<RestoreOutcome.NotTakenDown>(await Storage.Takedowns.RestoreAsync(Id("carol/grandchild"), "root", Ct));

        var restored = Assert.IsType<RestoreOutcome.Restored>(await Storage.Takedowns.RestoreAsync(Id("alice/root"), "root", Ct));
        Assert.Equal([Id("carol/grandchild")], restored.With);
        Assert.Equal(["alice/other", "bob/child", "carol/both"], await DownAsync());
        await Storage.Takedowns.RestoreAsync(Id("alice/other"), "root", Ct);
        await Storage.Takedowns.RestoreAsync(Id("bob/child"), "root", Ct);
        Assert.Empty(await DownAsync());
        Assert.Equal(5, (await Storage.Libraries.ListMembersAsync("org/base", Caller.Anonymous, Ct)).Count);
    }

    [Fact]
    public async Task A_milder_order_lets_descendants_go()
    {
        await FamilyAsync();
        await TakeDownAsync("alice/root", DescendantPolicy.TakeDown);
        await TakeDownAsync("alice/root", DescendantPolicy.Flag);

        Assert.Equal(["alice/root"], await DownAsync());
        Assert.Single((await Storage.Takedowns.TaintsAsync(Id("bob/child"), ct: Ct))[1]);
    }

    [Fact]
    public async Task Copies_go_down_only_when_asked_for()
    {
        var weights = Bytes(1000);
        await PublishAsync(Request("alice/task", "u1", weights: weights));
        await PublishAsync(Request("bob/copy", "u2", weights: weights));
        await DeriveAsync("carol/of-copy", "u3", "bob/copy");

        await TakeDownAsync("alice/task", DescendantPolicy.TakeDown);
        Assert.Equal(["alice/task"], await DownAsync());
        await TakeDownAsync("alice/task", DescendantPolicy.TakeDown, copies: true);
        Assert.Equal(["alice/task", "bob/copy", "carol/of-copy"], await DownAsync());
        await Storage.Takedowns.RestoreAsync(Id("alice/task"), "root", Ct);
        Assert.Empty(await DownAsync());
    }

    [Fact]
    public async Task What_was_published_before_the_index_was_kept_is_found()
    {
        await PublishAsync(Request("alice/root", "u1"));
        var elsewhere = new MarketplaceStorage(await Azurite.NewOptionsAsync(), Clock);
        await elsewhere.CreateAllAsync(Ct);
        var root = Assert.IsType<PublishOutcome.Published>(await elsewhere.Commit.PublishAsync(Request("alice/root", "u1"), Ct)).Version;
        var old = Assert.IsType<PublishOutcome.Published>(await elsewhere.Commit.PublishAsync(
            Request("bob/child", "u2") with { Lineage = LineageOf(root) }, Ct)).Version;
        await Storage.Versions.AddAsync(old, Ct); // and nothing else

        Assert.Equal([(Id("bob/child"), 1)], (await TakeDownAsync("alice/root"))!.Flagged);
    }

    [Fact]
    public async Task Bytes_that_nobody_else_uses_go_after_a_month_and_names_stay_taken()
    {
        var shared = Bytes(1000);
        var alone = await PublishAsync(Request("alice/task", "u1"));
        var both = await PublishAsync(Request("alice/task", "u2", weights: shared));
        await PublishAsync(Request("bob/copy", "u3", weights: shared));
        await TakeDownAsync("alice/task");

        Assert.Equal(0, (await Storage.Sweep.SweepAsync(Clock.GetUtcNow().AddDays(29), Ct)).PurgedAdapters);
        Assert.True(await Storage.Content.ExistsAsync(alone.Weights, Ct));
        var swept = await Storage.Sweep.SweepAsync(Clock.GetUtcNow().AddDays(31), Ct);
        Assert.Equal(1, swept.PurgedAdapters);
        Assert.False(await Storage.Content.ExistsAsync(alone.Weights, Ct));
        Assert.True(await Storage.Content.ExistsAsync(both.Weights, Ct));

        Assert.IsType<RestoreOutcome.Purged>(await Storage.Takedowns.RestoreAsync(Id("alice/task"), "root", Ct));
        Assert.IsType<PublishOutcome.TakenDown>(await Storage.Commit.PublishAsync(Request("alice/task", "u4"), Ct));
        Assert.Equal(2, (await Storage.Versions.ListAsync(Id("alice/task"), Ct)).Count);
        Assert.Equal(0, (await Storage.Sweep.SweepAsync(Clock.GetUtcNow().AddDays(32), Ct)).PurgedAdapters);
    }

    [Fact]
    public async Task Every_step_leaves_one_event()
    {
        await FamilyAsync();
        await TakeDownAsync("alice/root");
        await Storage.Takedowns.FinishAsync(Id("alice/root"), Ct);
        await TakeDownAsync("alice/root", DescendantPolicy.TakeDown);
        await Storage.Takedowns.FinishAsync(Id("alice/root"), Ct);
        await Storage.Takedowns.RestoreAsync(Id("alice/root"), "root", Ct);

        var events = (await Storage.Audit.ListAsync(new AuditQuery { From = Clock.GetUtcNow().AddHours(-1), To = Clock.GetUtcNow().AddHours(1), Actor = "ROOT" }, Ct))!.Items;
        Assert.Equal(
            ["flag bob/child@1", "flag carol/grandchild@1", "restore alice/root", "restore bob/child", "restore carol/grandchild",
                "takedown alice/root", "takedown alice/root", "takedown bob/child", "takedown carol/grandchild"],
            events.Select(e => $"{e.Action} {e.Subject}").Order(StringComparer.Ordinal));
    }

    /// <summary>alice/root → bob/child → carol/grandchild@1; the second version of carol's was trained.</summary>
    private async Task FamilyAsync()
    {
        await PublishAsync(Request("alice/root", "u1"));
        await DeriveAsync("bob/child", "u2", "alice/root");
        await DeriveAsync("carol/grandchild", "u3", "bob/child");
        await PublishAsync(Request("carol/grandchild", "u4"));
    }

    private async Task DeriveAsync(string name, string key, params string[] parents)
    {
        var versions = new List<VersionRecord>();
        foreach (var parent in parents)
            versions.Add((await Storage.Versions.GetAsync(Id(parent), 1, Ct))!);
        await PublishAsync(Request(name, key) with { Lineage = LineageOf([.. versions]) });
    }

    internal static Lineage LineageOf(params VersionRecord[] parents) =>
        new("linear", [.. parents.Select(p => new LineageParent(p.Adapter, p.Number, p.Id, 1, "input"))], "{}", null);

    private async Task<AdapterRecord> GetAsync(string name) => (await Storage.Adapters.GetAsync(Id(name), Ct))!;

    private Task<TakedownReport?> TakeDownAsync(string name, DescendantPolicy descendants = DescendantPolicy.Flag, bool copies = false) =>
        Storage.Takedowns.TakeDownAsync(Id(name), new(TakedownReason.Legal, "A court said so.", descendants, copies, "root"), Ct);

    private async Task<ImmutableArray<string>> DownAsync() =>
        [.. (await Storage.Adapters.ListAsync(new AdapterQuery { Caller = Admin, IncludeTakenDown = true }, Ct))!.Items.Where(a => a.Takedown is not null).Select(a => a.Id.ToString())];
}
