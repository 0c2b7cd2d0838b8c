using Marketplace.Core;
using Marketplace.Storage;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Hub;

/// <summary>Commits onto one repository at the same time.</summary>
public sealed class HubRaceTests(HubRaceTests.Fixture fixture) : IClassFixture<HubRaceTests.Fixture>
{
    private const int Rounds = 6;

    private readonly Stack stack = fixture.Stack;

    public sealed class Fixture(AzuriteFixture azurite) : StackFixture(azurite, new StackSettings());

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public Task Of_two_that_follow_one_commit_one_wins_and_the_other_is_stale() => stack.RunAsync(async () =>
    {
        var (ann, other) = (await stack.AccountAsync("ann"), await stack.AccountAsync("ann"));
        await ann.CreatedAsync("ann/raced");
        var head = HubCalls.EmptyCommit;
        // Drafts first, then adapters.
        for (var round = 0; round < Rounds; round++)
        {
            var (mine, theirs) = (new HubLines(parent: head), new HubLines(parent: head));
            if (round < Rounds / 2)
                (mine, theirs) = (mine.File("a.txt", [(byte)round, 1]), theirs.File("b.txt", [(byte)round, 2]));
            else
                (mine, theirs) = (mine.Files(StackAdapters.Files(31 + (2 * round))), theirs.Files(StackAdapters.Files(32 + (2 * round))));
            var answers = await Task.WhenAll(ann.CommitAsync("ann/raced", mine), other.CommitAsync("ann/raced", theirs));
            Assert.True(answers.Select(a => a.Status).Order().SequenceEqual([200, 412]), string.Join('\n', answers.Select(a => $"{a.Status} {a.Body}")));
            Assert.Contains(head, answers.Single(a => a.Status == 412).Refusal(412), StringComparison.Ordinal);
            head = (string)answers.Single(a => a.Status == 200).Json()["commitOid"]!;
            Assert.Equal(head, await ann.ShaAsync("ann/raced"));
        }

        Assert.Equal(Rounds - (Rounds / 2), (await stack.Storage.Versions.ListAsync(AdapterId.Parse("ann/raced"), Ct)).Count);
    });

    [Fact]
    public Task Of_two_that_follow_whatever_is_there_both_land() => stack.RunAsync(async () =>
    {
        var (bob, other) = (await stack.AccountAsync("bob"), await stack.AccountAsync("bob"));
        await bob.CreatedAsync("bob/raced");
        var (expected, files) = (new SortedSet<string>(StringComparer.Ordinal), StackAdapters.Files(50));
        for (var round = 0; round < Rounds; round++)
        {
            var (mine, theirs) = (new HubLines().File($"mine-{round}.txt", [(byte)round]), new HubLines().File($"theirs-{round}.txt", [(byte)round]));
            if (round == 2)
                mine = mine.Files(files);
            expected.UnionWith([$"mine-{round}.txt", $"theirs-{round}.txt", .. round >= 2 ? files.Keys.ToArray() : []]);
            var answers = await Task.WhenAll(bob.CommitAsync("bob/raced", mine), other.CommitAsync("bob/raced", theirs));
            Assert.All(answers, a => Assert.True(a.Status == 200, $"{a.Status} {a.Body}"));
            Assert.Equal(2, answers.Select(a => (string)a.Json()["commitOid"]!).Distinct().Count());
            Assert.Equal(expected, await bob.PathsAsync("bob/raced"));
        }

        // Each version follows the one before it.
        var versions = await stack.Storage.Versions.ListAsync(AdapterId.Parse("bob/raced"), Ct);
        Assert.All(versions.Zip(versions.Skip(1)), pair => Assert.Equal(pair.Second.Id, pair.First.Parent));
    });

    [Fact]
    public Task A_commit_beside_an_upload_of_the_other_kind_follows_it_or_is_followed() => stack.RunAsync(async () =>
    {
        var cat = await stack.AccountAsync("cat");
        await cat.PublishedAsync("cat/raced", StackAdapters.Files(60));
        for (var round = 0; round < 3; round++)
        {
            var (committed, published) = (cat.CommittedAsync("cat/raced", new HubLines().File($"{round}.txt", [1])), cat.PublishedAsync("cat/raced", StackAdapters.Files(61 + round)));
            await Task.WhenAll(committed, published);
            var versions = await stack.Storage.Versions.ListAsync(AdapterId.Parse("cat/raced"), Ct);
            Assert.Equal(3 + (2 * round), versions.Count);
            Assert.Contains(versions, v => v.Id == committed.Result);
            Assert.Contains(versions, v => v.Id == published.Result.Id);
        }
    });
}
