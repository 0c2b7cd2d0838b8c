using Azure.Core.Pipeline;
using Marketplace.Core;
using Marketplace.Storage;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Storage;

/// <summary>Adapters deleted by their owners, beside publishers, by processes that end half-way, and names that are used anew.</summary>
public sealed class DeletionTests(AzuriteFixture azurite) : StorageTest(azurite)
{
    private static readonly AdapterId Task1 = AdapterId.Parse("alice/task");
    private static readonly Caller Alice = new("alice", KeyScope.Publish);
    private static readonly Caller Admin = new("root", KeyScope.Admin);

    [Fact]
    public async Task What_was_deleted_exists_for_nobody_and_leaves_nothing()
    {
        var version = await PublishAsync(Request("alice/task", "u1"));
        await PublishAsync(Request("alice/task", "u2"));
        await Storage.Tags.AddAsync(Task1, "best", 1, Ct);
        await Storage.Repositories.AddAsync(new RepositoryRecord(Task1, false, Clock.GetUtcNow(), null, null, default), Ct);
        Assert.IsType<DeletionOutcome.Deleted>(await Storage.Deletion.DeleteAsync(Task1, "alice", Ct));

        Assert.Null(await Storage.Adapters.GetAsync(Task1, Ct));
        foreach (var caller in new[] { Caller.Anonymous, Alice, Admin })
        {
            Assert.Empty((await Storage.Adapters.ListAsync(new AdapterQuery { Caller = caller, IncludeUnlisted = true, IncludeTakenDown = true }, Ct))!.Items);
            Assert.Empty(await Storage.Libraries.ListMembersAsync("org/base", caller, Ct));
        }

        Assert.Empty(await Storage.Versions.ListAsync(Task1, Ct));
        Assert.Empty(await Storage.Tags.ListAsync(Task1, Ct));
        Assert.Null(await Storage.Repositories.GetAsync(Task1, Ct));
        Assert.False(await Storage.ContentIndex.IsUsedAsync(version.Weights, Ct));
        Assert.Equal(default, (await Storage.Usage.GetAsync("alice", Ct)).Published);
        Assert.IsType<DeletionOutcome.NotFound>(await Storage.Deletion.DeleteAsync(Task1, "alice", Ct));
        Assert.IsType<DeletionOutcome.NotFound>(await Storage.Deletion.DeleteAsync(Id("alice/absent"), "alice", Ct));
        Assert.Null(await Storage.Catalogue.SetVisibilityAsync(Task1, listed: true, ct: Ct));

        var audit = (await Storage.Audit.ListAsync(new AuditQuery { From = Clock.GetUtcNow().AddHours(-1), To = Clock.GetUtcNow().AddHours(1), Actor = "alice" }, Ct))!.Items;
        Assert.Single(audit, e => e is { Action: "delete", Subject: "alice/task" });
    }

    [Fact]
    public async Task Bytes_that_nobody_else_uses_go_with_the_next_sweep_after_the_grace_period()
    {
        var shared = Bytes(1000);
        var alone = await PublishAsync(Request("alice/task", "u1"));
        var both = await PublishAsync(Request("alice/task", "u2", weights: shared));
        await PublishAsync(Request("bob/copy", "u3", weights: shared));
        await Storage.Deletion.DeleteAsync(Task1, "alice", Ct);

        await Storage.Sweep.SweepAsync(Clock.GetUtcNow(), Ct);
        Assert.True(await Storage.Content.ExistsAsync(alone.Weights, Ct));
        await Storage.Sweep.SweepAsync(Clock.GetUtcNow() + Storage.Options.SweepGrace + TimeSpan.FromMinutes(1), Ct);
        Assert.False(await Storage.Content.ExistsAsync(alone.Weights, Ct));
        Assert.True(await Storage.Content.ExistsAsync(both.Weights, Ct));
    }

    [Fact]
    public async Task What_is_down_is_evidence_and_stays()
    {
        await PublishAsync(Request("alice/task", "u1"));
        await Storage.Takedowns.TakeDownAsync(Task1, new(TakedownReason.Malware, null, DescendantPolicy.Flag, false, "root"), Ct);

        Assert.IsType<DeletionOutcome.TakenDown>(await Storage.Deletion.DeleteAsync(Task1, "alice", Ct));
        Assert.Single(await Storage.Versions.ListAsync(Task1, Ct));
        await Storage.Takedowns.RestoreAsync(Task1, "root", Ct);
        Assert.IsType<DeletionOutcome.Deleted>(await Storage.Deletion.DeleteAsync(Task1, "alice", Ct));
        Assert.Null(await Storage.Takedowns.TakeDownAsync(Task1, new(TakedownReason.Malware, null, DescendantPolicy.Flag, false, "root"), Ct));
    }

    [Fact]
    public async Task A_name_is_used_anew_and_its_numbers_are_not()
    {
        var bytes = Bytes(1000);
        await PublishAsync(Request("alice/task", "u1", weights: bytes));
        await Storage.Deletion.DeleteAsync(Task1, "alice", Ct);
        var again = await PublishAsync(Request("Alice/Task", "u1", weights: bytes, expectedParent: PublishRequest.NoParent));

        Assert.Null(again.Parent);
        Assert.True(again.Number > 1);
        var adapter = (await Storage.Adapters.GetAsync(Task1, Ct))!;
        Assert.Equal(("alice/Task", again.Id), (adapter.Id.ToString(), adapter.Main!.Id));
        Assert.True(Caller.Anonymous.CanSee(adapter) && adapter.Listed);
        Assert.Null(await Storage.Versions.GetAsync(Task1, 1, Ct));
        Assert.Equal(again.Number, Assert.Single(await Storage.Libraries.ListMembersAsync("org/base", Caller.Anonymous, Ct)).Version.Number);
        Assert.Equal(new Usage(1100, 1, 0), (await Storage.Usage.GetAsync("alice", Ct)).Published);
        Assert.True(await Storage.ContentIndex.IsUsedAsync(again.Weights, Ct));

        // And what comes after the deletion of the second one, whatever the sweep does in between.
        await Storage.Sweep.SweepAsync(Clock.GetUtcNow() + TimeSpan.FromDays(1), Ct);
        Assert.NotNull(await Storage.Versions.GetAsync(Task1, again.Number, Ct));
        Assert.True(await Storage.Content.ExistsAsync(again.Weights, Ct));
        Assert.IsType<DeletionOutcome.Deleted>(await Storage.Deletion.DeleteAsync(Task1, "alice", Ct));
        Assert.True((await PublishAsync(Request("alice/task", "u3"))).Number > again.Number);
    }

    [Fact]
    public async Task What_was_made_from_it_stays_and_is_not_taken_to_be_made_from_its_successor()
    {
        var root = await PublishAsync(Request("alice/root", "u1"));
        await Storage.Takedowns.TakeDownAsync(root.Adapter, new(TakedownReason.Legal, null, DescendantPolicy.Flag, false, "root"), Ct);
        await Storage.Takedowns.RestoreAsync(root.Adapter, "root", Ct);
        await PublishAsync(Request("bob/child", "u2") with { Lineage = TakedownTests.LineageOf(root) });
        await Storage.Takedowns.TakeDownAsync(root.Adapter, new(TakedownReason.Legal, null, DescendantPolicy.Flag, false, "root"), Ct);
        Assert.NotEmpty(await Storage.Takedowns.TaintsAsync(Id("bob/child"), ct: Ct));
        await Storage.Takedowns.RestoreAsync(root.Adapter, "root", Ct);
        await Storage.Deletion.DeleteAsync(root.Adapter, "alice", Ct);
        Assert.NotNull(await Storage.Adapters.GetAsync(Id("bob/child"), Ct));
        Assert.Null(await Storage.Adapters.GetAsync(root.Adapter, root.Number, Ct));

        await PublishAsync(Request("alice/root", "u3"));
        Assert.Null(await Storage.Adapters.GetAsync(root.Adapter, root.Number, Ct));
        var report = await Storage.Takedowns.TakeDownAsync(root.Adapter, new(TakedownReason.Legal, null, DescendantPolicy.TakeDown, false, "root"), Ct);
        Assert.Empty(report!.TakenDown);
        Assert.Empty(await Storage.Takedowns.TaintsAsync(Id("bob/child"), ct: Ct));
    }

    [Fact]
    public async Task Work_that_began_before_does_not_bring_it_back_and_what_began_after_does()
    {
        var root = await PublishAsync(Request("alice/root", "u0"));
        await PublishAsync(Request("alice/task", "u1"));
        var begun = Clock.GetUtcNow();
        await Storage.Deletion.DeleteAsync(Task1, "alice", Ct);

        Assert.IsType<PublishOutcome.Deleted>(await Storage.Commit.PublishAsync(Request("alice/task", "u2") with { BegunAt = begun }, Ct));
        Assert.Null(await Storage.Adapters.GetAsync(Task1, Ct));
        Assert.Empty(await Storage.Versions.ListAsync(Task1, Ct));
        await Storage.Deletion.DeleteAsync(root.Adapter, "alice", Ct);
        var outcome = await Storage.Commit.PublishAsync(Request("alice/task", "u3") with { Lineage = TakedownTests.LineageOf(root) }, Ct);
        Assert.Equal(root.Adapter, Assert.IsType<PublishOutcome.InputDeleted>(outcome).Input);
        Assert.IsType<PublishOutcome.Published>(await Storage.Commit.PublishAsync(Request("alice/task", "u4") with { BegunAt = Clock.GetUtcNow() }, Ct));
    }

    [Fact]
    public async Task A_repository_without_a_version_is_deleted_too()
    {
        await Storage.Repositories.AddAsync(new RepositoryRecord(Task1, true, Clock.GetUtcNow(), null, null, default), Ct);
        var begun = Clock.GetUtcNow();

        Assert.IsType<DeletionOutcome.Deleted>(await Storage.Deletion.DeleteAsync(Task1, "alice", Ct));
        Assert.Null(await Storage.Repositories.GetAsync(Task1, Ct));
        Assert.Empty((await Storage.Adapters.ListAsync(new AdapterQuery { Caller = Alice, IncludeUnlisted = true }, Ct))!.Items);
        // A commit to it was still being checked.
        Assert.IsType<PublishOutcome.Deleted>(await Storage.Commit.PublishAsync(Request("alice/task", "u1", isPrivate: true) with { BegunAt = begun }, Ct));
        await Storage.Repositories.AddAsync(new RepositoryRecord(Task1, true, Clock.GetUtcNow(), null, null, default), Ct);
        Assert.IsType<DeletionOutcome.Deleted>(await Storage.Deletion.DeleteAsync(Task1, "alice", Ct));
        Assert.IsType<DeletionOutcome.NotFound>(await Storage.Deletion.DeleteAsync(Task1, "alice", Ct));
    }

    // The publisher has looked and found nothing; the whole deletion runs; only then comes the version row.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_publisher_that_was_overtaken_leaves_nothing_even_if_it_ends_there(bool ends)
    {
        await PublishAsync(Request("alice/task", "u1"));
        var elsewhere = await Azurite.NewStorageAsync(Clock);
        Assert.IsType<PublishOutcome.Published>(await elsewhere.Commit.PublishAsync(Request("alice/task", "u1"), Ct));
        var late = Assert.IsType<PublishOutcome.Published>(await elsewhere.Commit.PublishAsync(Request("alice/task", "u2"), Ct)).Version;
        await Storage.Usage.ChargeAsync(late, Ct);
        await Storage.ContentIndex.AddAsync(new ContentUse(late.Weights, Task1, 2, "alice", false), Ct);
        await Storage.Deletion.DeleteAsync(Task1, "alice", Ct);
        var next = await PublishAsync(Request("alice/task", "u3"));
        Assert.Equal(AddResult.Added, await Storage.Versions.AddAsync(late, Ct));

        if (ends)
            await Storage.Sweep.SweepAsync(Clock.GetUtcNow() + TimeSpan.FromDays(1), Ct);
        else
            Assert.Null(await Storage.Commit.CompleteAsync(late, Ct));

        Assert.Equal([next.Number], (await Storage.Versions.ListAsync(Task1, Ct)).Select(v => v.Number));
        Assert.Equal(next.Id, (await Storage.Adapters.GetAsync(Task1, Ct))!.Main!.Id);
        Assert.False(await Storage.ContentIndex.IsUsedAsync(late.Weights, Ct));
        Clock.Advance(TimeSpan.FromDays(1));
        await Storage.Recount.RunAsync(Clock.GetUtcNow(), Ct);
        Assert.Equal(new Usage(1100, 1, 0), (await Storage.Usage.GetAsync("alice", Ct)).Published);
    }

    [Fact]
    public async Task Whichever_is_first_nothing_is_left_between_the_two()
    {
        for (var round = 0; round < 8; round++)
        {
            var name = Id($"alice/task-{round}");
            await PublishAsync(Request(name.ToString(), $"u{round}"));
            var (publisher, request, delay) = (SecondProcess(), Request(name.ToString(), $"v{round}"), round * 3);
            var publishing = Task.Run(() => publisher.Commit.PublishAsync(request, Ct), Ct);
            await Task.Delay(delay, Ct);
            Assert.IsType<DeletionOutcome.Deleted>(await Storage.Deletion.DeleteAsync(name, "alice", Ct));

            // It was published before the deletion, and went with it, or began after it; there is nothing between.
            var outcome = await publishing;
            var adapter = await Storage.Adapters.GetAsync(name, Ct);
            var versions = await Storage.Versions.ListAsync(name, Ct);
            Assert.Equal(adapter is null ? 0 : 1, versions.Count);
            Assert.Equal(adapter?.Main?.Number, versions.SingleOrDefault()?.Number);
            Assert.True(outcome is PublishOutcome.Published or PublishOutcome.Deleted);
            Assert.Equal(adapter is null ? 0 : 1, (await Storage.Libraries.ListMembersAsync("org/base", Alice, Ct)).Count(m => m.Adapter == name));
            Assert.Equal(outcome is PublishOutcome.Published && adapter is not null, await Storage.ContentIndex.IsUsedAsync(request.WeightsDigest, Ct));
        }
    }

    // Odd ones are finished by the sweep, even ones by asking again, every third by whoever publishes next.
    [Fact]
    public async Task A_deletion_that_ends_at_any_write_is_finished()
    {
        var interrupted = 0;
        for (var write = 1; ; write++)
        {
            var root = await PublishAsync(Request($"bob/root-{write}", $"r{write}"));
            var version = await PublishAsync(Request("alice/task", $"u{write}") with { Lineage = TakedownTests.LineageOf(root) });
            await Storage.Tags.AddAsync(Task1, "best", version.Number, Ct);
            await Storage.Repositories.AddAsync(new RepositoryRecord(Task1, false, Clock.GetUtcNow(), null, null, default), Ct);
            await Storage.Descendants.TaintAsync(Task1, version.Number, root.Adapter, Clock.GetUtcNow(), Ct);
            var broken = EndingProcess.At(Storage, Clock, write);
            var ended = await EndingProcess.EndsAsync(() => broken.Deletion.DeleteAsync(Task1, "alice", Ct));
            interrupted += ended ? 1 : 0;
            // Before the mark nothing has happened; from then on it is gone, whoever finishes it.
            var marked = await Storage.Adapters.GetAsync(Task1, Ct) is null;
            if (!marked || write % 2 == 0)
                await Storage.Deletion.DeleteAsync(Task1, "alice", Ct);
            else if (write % 3 == 0)
                await PublishAndDeleteAsync($"w{write}");
            else
                await Storage.Sweep.SweepAsync(Clock.GetUtcNow(), Ct);

            Assert.Null(await Storage.Adapters.GetAsync(Task1, Ct));
            Assert.True((await Storage.Adapters.GetRowAsync(Task1, Ct))!.Deletion!.Done);
            Assert.Empty(await Storage.Versions.ListAsync(Task1, Ct));
            Assert.Empty(await Storage.Tags.ListAsync(Task1, Ct));
            Assert.Null(await Storage.Repositories.GetAsync(Task1, Ct));
            Assert.Empty(await Storage.Descendants.TaintsAsync(Task1, null, Ct));
            Assert.DoesNotContain(await Storage.Libraries.ListMembersAsync("org/base", Alice, Ct), m => m.Adapter == Task1);
            Assert.False(await Storage.ContentIndex.IsUsedAsync(version.Weights, Ct));
            Assert.Equal(default, (await Storage.Usage.GetAsync("alice", Ct)).Published);
            if (!ended)
                break;
        }

        // Index (2), mark, repository, number, library, tag, descendants, note, two contents, two charges, version, event, row.
        Assert.True(interrupted >= 16, $"{interrupted} writes were interrupted.");
    }

    private async Task PublishAndDeleteAsync(string key)
    {
        await PublishAsync(Request("alice/task", key));
        await Storage.Deletion.DeleteAsync(Task1, "alice", Ct);
    }
}
