using Azure.Core.Pipeline;
using Marketplace.Core;
using Marketplace.Storage;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Storage;

/// <summary>Takedowns beside publishers whose inputs they concern, and takedowns and restorations that end at any of their writes.</summary>
public sealed class TakedownRaceTests(AzuriteFixture azurite) : StorageTest(azurite)
{
    private static readonly AdapterId Root = AdapterId.Parse("alice/root");
    private static readonly AdapterId Child = AdapterId.Parse("bob/child");

    [Fact]
    public async Task A_publisher_sees_an_input_that_went_down_while_it_worked()
    {
        var root = await PublishAsync(Request("alice/root", "u1"));
        await TakeDownAsync(Storage, DescendantPolicy.Keep);

        var outcome = await Storage.Commit.PublishAsync(Request("bob/child", "u2") with { Lineage = TakedownTests.LineageOf(root) }, Ct);

        Assert.Equal(Root, Assert.IsType<PublishOutcome.InputTakenDown>(outcome).Input);
        Assert.Empty(await Storage.Versions.ListAsync(Child, Ct));
        Assert.Null(await Storage.Adapters.GetAsync(Child, Ct));
    }

    // The publisher has looked and found nothing; the whole takedown runs; only then comes the version row.
    [Theory]
    [InlineData(DescendantPolicy.Flag)]
    [InlineData(DescendantPolicy.TakeDown)]
    public async Task A_takedown_between_the_look_and_the_version_row_is_seen_after_it(DescendantPolicy policy)
    {
        var (root, version) = await StrandedAsync();
        await Storage.Descendants.AddAsync(Child, 1, version.Lineage!, Ct);
        Assert.Empty((await TakeDownAsync(Storage, policy))!.Flagged);
        Assert.Equal(AddResult.Added, await Storage.Versions.AddAsync(version, Ct));

        await Storage.Commit.CompleteAsync(version, Ct);

        await AssertConsequencesAsync(policy);
        Assert.NotNull(root);
    }

    // The version row is there, and its publisher has not gone on: the takedown finds it by the index, and the rest comes later.
    [Theory]
    [InlineData(DescendantPolicy.Flag)]
    [InlineData(DescendantPolicy.TakeDown)]
    public async Task A_takedown_right_after_the_version_row_finds_it(DescendantPolicy policy)
    {
        var (_, version) = await StrandedAsync();
        await Storage.Descendants.AddAsync(Child, 1, version.Lineage!, Ct);
        await Storage.Versions.AddAsync(version, Ct);
        await TakeDownAsync(Storage, policy);

        await Storage.Commit.CompleteAsync(version, Ct);

        await AssertConsequencesAsync(policy);
    }

    [Fact]
    public async Task A_row_of_a_publish_that_never_finished_concerns_nobody()
    {
        var root = await PublishAsync(Request("alice/root", "u1"));
        await Storage.Descendants.AddAsync(Child, 1, TakedownTests.LineageOf(root), Ct);
        await PublishAsync(Request("bob/child", "u2")); // the same number, and not made from it

        Assert.Empty((await TakeDownAsync(Storage, DescendantPolicy.TakeDown))!.TakenDown);
        Assert.Null((await Storage.Adapters.GetAsync(Child, Ct))!.Takedown);
    }

    [Fact]
    public async Task Whichever_is_first_no_descendant_is_missed()
    {
        for (var round = 0; round < 8; round++)
        {
            var (root, child) = ($"alice/root-{round}", $"bob/child-{round}");
            var input = await PublishAsync(Request(root, $"u{round}"));
            var publisher = SecondProcess();
            var request = Request(child, $"v{round}") with { Lineage = TakedownTests.LineageOf(input) };
            var delay = round * 3;
            var publishing = Task.Run(() => publisher.Commit.PublishAsync(request, Ct), Ct);
            await Task.Delay(delay, Ct);
            await Storage.Takedowns.TakeDownAsync(Id(root), new(TakedownReason.Other, null, DescendantPolicy.TakeDown, false, "root"), Ct);

            if (await publishing is PublishOutcome.Published)
                Assert.Equal(Id(root), (await Storage.Adapters.GetAsync(Id(child), Ct))!.Takedown?.First.Root);
            else
                Assert.Empty(await Storage.Versions.ListAsync(Id(child), Ct));
        }
    }

    // Odd ones are finished by the sweep, even ones by asking again.
    [Fact]
    public async Task A_takedown_and_a_restoration_that_end_at_any_write_are_finished()
    {
        var root = await PublishAsync(Request("alice/root", "u1"));
        var child = await PublishAsync(Request("bob/child", "u2") with { Lineage = TakedownTests.LineageOf(root) });
        await PublishAsync(Request("carol/grandchild", "u3") with { Lineage = TakedownTests.LineageOf(child) });

        var (down, up) = (0, 0);
        for (var write = 1; ; write++)
        {
            var broken = EndingProcess.At(Storage, Clock, write);
            var ended = await EndingProcess.EndsAsync(() => TakeDownAsync(broken, DescendantPolicy.TakeDown));
            down += ended ? 1 : 0;
            // Before the mark nothing has happened, and the sweep has nothing to finish.
            if (write % 2 == 0 || (await Storage.Adapters.GetAsync(Root, Ct))!.Takedown is null)
                await TakeDownAsync(Storage, DescendantPolicy.TakeDown);
            else
                await Storage.Sweep.SweepAsync(Clock.GetUtcNow(), Ct);
            Assert.Equal(["alice/root True", "bob/child True", "carol/grandchild True"], await StateAsync());

            broken = EndingProcess.At(Storage, Clock, write);
            var stopped = await EndingProcess.EndsAsync(() => broken.Takedowns.RestoreAsync(Root, "root", Ct));
            up += stopped ? 1 : 0;
            if (write % 2 == 0 || (await Storage.Adapters.GetAsync(Root, Ct))!.Takedown is { Restoring: false })
                await Storage.Takedowns.RestoreAsync(Root, "root", Ct);
            else
                await Storage.Sweep.SweepAsync(Clock.GetUtcNow(), Ct);
            Assert.Equal(["alice/root False", "bob/child False", "carol/grandchild False"], await StateAsync());
            if (!ended && !stopped)
                break;
        }

        // So many writes there are at least: marks, index, notes and events for each.
        Assert.True(down >= 12 && up >= 8, $"{down} and {up} writes were interrupted.");
    }

    private static Task<TakedownReport?> TakeDownAsync(MarketplaceStorage storage, DescendantPolicy policy) =>
        storage.Takedowns.TakeDownAsync(Root, new(TakedownReason.Malware, null, policy, false, "root"), Ct);

    // A version of a child of the root that was made elsewhere, so that its rows can be written here one by one.
    private async Task<(VersionRecord Root, VersionRecord Child)> StrandedAsync()
    {
        var elsewhere = await Azurite.NewStorageAsync(Clock);
        var root = await PublishAsync(Request("alice/root", "u1"));
        var child = Assert.IsType<PublishOutcome.Published>(await elsewhere.Commit.PublishAsync(Request("bob/child", "u2") with { Lineage = TakedownTests.LineageOf(root) }, Ct)).Version;
        return (root, child);
    }

    private async Task AssertConsequencesAsync(DescendantPolicy policy)
    {
        var adapter = (await Storage.Adapters.GetAsync(Child, Ct))!;
        Assert.Equal(policy == DescendantPolicy.TakeDown, adapter.Takedown is not null);
        Assert.Equal(policy == DescendantPolicy.TakeDown ? 0 : 1, (await Storage.Libraries.ListMembersAsync("org/base", Caller.Anonymous, Ct)).Count);
        Assert.Equal(Root, Assert.Single((await Storage.Takedowns.TaintsAsync(Child, ct: Ct))[1]).Root.Id);
    }

    private async Task<string[]> StateAsync()
    {
        var state = new List<string>();
        foreach (var id in new[] { Root, Child, Id("carol/grandchild") })
        {
            var adapter = (await Storage.Adapters.GetAsync(id, Ct))!;
            state.Add($"{id} {adapter.Takedown is not null}");
            var inLibrary = (await Storage.Libraries.ListMembersAsync("org/base", Caller.Anonymous, Ct)).Any(m => m.Adapter == id);
            Assert.Equal(adapter.Takedown is null, inLibrary);
            Assert.True(adapter.Takedown is null or { Restoring: false, Spread: true });
        }

        return [.. state];
    }
}
