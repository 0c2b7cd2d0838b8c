using Azure.Data.Tables;
using Marketplace.Core;
using Marketplace.Storage;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Storage;

public sealed class VersionCommitTests(AzuriteFixture azurite) : StorageTest(azurite)
{
    [Fact]
    public async Task A_published_version_is_found_by_every_name_and_its_bytes_are_stored()
    {
        var request = Request("alice/task", "upload1");

        var version = await PublishAsync(request);

        Assert.Equal((1, null), (version.Number, version.Parent));
        Assert.Equal(VersionManifest.Create(request.Files.Select(f => f.File), null).Id, version.Id);
        foreach (var revision in new[] { "main", "1", "v1", version.Id })
            Assert.Equal(version.Id, (await Storage.Versions.ResolveAsync(Id("ALICE/Task"), revision, Ct))!.Id);
        Assert.Equal(version.Files.AsEnumerable(), (await Storage.Versions.GetAsync(version.Adapter, 1, Ct))!.Files);
        foreach (var file in request.Files)
        {
            await Storage.Content.DownloadAsync(file.File.Digest, PathOf("copy"), Ct);
            Assert.Equal(await File.ReadAllBytesAsync(file.LocalPath!, Ct), await File.ReadAllBytesAsync(PathOf("copy"), Ct));
        }
        var derived = await Storage.Derived.ReadAsync(request.WeightsDigest, "1", "sketch", Ct);
        Assert.Equal(request.Derived[0].Content.ToArray(), derived!.ToArray());
    }

    [Fact]
    public async Task A_published_version_moves_the_pointer_enters_the_library_and_is_audited()
    {
        var version = await PublishAsync(Request("alice/task", "upload1", baseModel: "Org/Base"));

        var adapter = await Storage.Adapters.GetAsync(version.Adapter, Ct);
        Assert.Equal((new VersionPointer(1, version.Id), "Org/Base"), (adapter!.Main, adapter.BaseModel));
        var member = Assert.Single(await Storage.Libraries.ListMembersAsync("org/base", Caller.Anonymous, Ct));
        Assert.Equal((version.Adapter, version.Weights), (member.Adapter, member.Weights));
        var audit = Assert.Single(await Storage.Audit.ListAsync(DateOnly.FromDateTime(version.CreatedAt.UtcDateTime), Ct));
        Assert.Equal(("alice", "publish", "alice/task@1"), (audit.Actor, audit.Action, audit.Subject));
    }

    [Fact]
    public async Task Publishing_the_same_upload_again_is_the_same_version()
    {
        var request = Request("alice/task", "upload1");
        var first = await PublishAsync(request);
        await PublishAsync(Request("alice/task", "upload2"));

        var again = await PublishAsync(request);

        Assert.Equal((first.Number, first.Id), (again.Number, again.Id));
        Assert.Equal(2, (await Storage.Versions.ListAsync(first.Adapter, Ct)).Count);
        Assert.Equal(2, (await Storage.Adapters.GetAsync(first.Adapter, Ct))!.Main!.Number);
        Assert.Equal(2, Assert.Single(await Storage.Libraries.ListMembersAsync("org/base", Caller.Anonymous, Ct)).Version.Number);
        Assert.Equal(2, (await Storage.Audit.ListAsync(DateOnly.FromDateTime(first.CreatedAt.UtcDateTime), Ct)).Count);
    }

    [Fact]
    public async Task Publishing_the_same_upload_many_times_at_once_is_one_version()
    {
        var request = Request("alice/task", "upload1");

        var outcomes = await Task.WhenAll(Enumerable.Range(0, 6).Select(_ => SecondProcess().Commit.PublishAsync(request, Ct)));

        var id = Assert.Single(outcomes.Cast<PublishOutcome.Published>().Select(o => o.Version.Id).Distinct());
        Assert.Equal(id, Assert.Single(await Storage.Versions.ListAsync(request.Adapter, Ct)).Id);
    }

    [Fact]
    public async Task Publishers_at_once_get_a_number_each_and_the_chain_of_parents_is_whole()
    {
        var requests = Enumerable.Range(0, 6).Select(i => Request("alice/task", $"upload{i}")).ToArray();

        await Task.WhenAll(requests.Select(r => SecondProcess().Commit.PublishAsync(r, Ct)));

        var versions = await Storage.Versions.ListAsync(requests[0].Adapter, Ct);
        Assert.Equal([6, 5, 4, 3, 2, 1], versions.Select(v => v.Number));
        Assert.Equal([.. versions.Skip(1).Select(v => v.Id), null], versions.Select(v => v.Parent));
        Assert.Equal(6, versions.Select(v => v.UploadId).Distinct().Count());
        Assert.Equal(versions[0].Id, (await Storage.Adapters.GetAsync(requests[0].Adapter, Ct))!.Main!.Id);
    }

    [Fact]
    public async Task Of_two_publishers_who_expect_the_same_parent_one_wins()
    {
        var first = await PublishAsync(Request("alice/task", "upload1"));

        var outcomes = await Task.WhenAll(
            Storage.Commit.PublishAsync(Request("alice/task", "left", first.Id), Ct),
            SecondProcess().Commit.PublishAsync(Request("alice/task", "right", first.Id), Ct));

        var winner = Assert.Single(outcomes.OfType<PublishOutcome.Published>()).Version;
        var loser = Assert.Single(outcomes.OfType<PublishOutcome.ParentConflict>());
        Assert.Equal((2, first.Id), (winner.Number, winner.Parent));
        Assert.Equal(new VersionPointer(2, winner.Id), loser.Head);
        Assert.Equal(2, (await Storage.Versions.ListAsync(first.Adapter, Ct)).Count);
    }

    [Fact]
    public async Task Going_back_to_earlier_content_is_a_new_version()
    {
        var request = Request("alice/task", "upload1");
        var first = await PublishAsync(request);
        await PublishAsync(Request("alice/task", "upload2"));

        var third = await PublishAsync(request with { IdempotencyKey = "upload3" });

        Assert.Equal(3, third.Number);
        Assert.NotEqual(first.Id, third.Id);
        Assert.Equal(first.Files.AsEnumerable(), third.Files);
    }

    [Fact]
    public async Task Names_differ_by_more_than_case_and_the_first_spelling_stays()
    {
        await PublishAsync(Request("Alice/Task-One", "upload1"));

        var second = await PublishAsync(Request("ALICE/task-ONE", "upload2"));

        Assert.Equal(2, second.Number);
        Assert.Equal("Alice/Task-One", second.Adapter.ToString());
        var page = await Storage.Adapters.ListAsync(new AdapterQuery { Owner = "aLICE" }, Ct);
        Assert.Equal("Alice/Task-One", Assert.Single(page!.Items).Id.ToString());
        Assert.Equal("Alice", (await PublishAsync(Request("alice/other", "upload3"))).Adapter.Owner);
    }

    [Fact]
    public async Task Nobody_publishes_under_anothers_name()
    {
        var request = Request("alice/task", "upload1") with { Owner = "mallory" };

        Assert.IsType<PublishOutcome.OwnerMismatch>(await Storage.Commit.PublishAsync(request, Ct));

        Assert.Null(await Storage.Adapters.GetAsync(request.Adapter, Ct));
        Assert.False(await Storage.Content.ExistsAsync(request.WeightsDigest, Ct));
    }

    [Fact]
    public async Task A_new_version_leaves_privacy_as_it_is()
    {
        await PublishAsync(Request("alice/task", "upload1", isPrivate: true));

        await PublishAsync(Request("alice/task", "upload2", isPrivate: false));

        Assert.True((await Storage.Adapters.GetAsync(Id("alice/task"), Ct))!.Private);
        Assert.Empty(await Storage.Libraries.ListMembersAsync("org/base", Caller.Anonymous, Ct));
        Assert.Equal(2, Assert.Single(await Storage.Libraries.ListMembersAsync("org/base", new Caller("alice", KeyScope.Read), Ct)).Version.Number);
    }

    [Fact]
    public async Task A_version_on_another_base_model_changes_the_library()
    {
        await PublishAsync(Request("alice/task", "upload1", baseModel: "org/old"));

        await PublishAsync(Request("alice/task", "upload2", baseModel: "org/new"));

        Assert.Empty(await Storage.Libraries.ListMembersAsync("org/old", Caller.Anonymous, Ct));
        Assert.Equal(2, Assert.Single(await Storage.Libraries.ListMembersAsync("org/new", Caller.Anonymous, Ct)).Version.Number);
        var rows = new TableClient(Storage.Options.ConnectionString, Storage.Options.Namespace + "libraries").QueryAsync<TableEntity>(cancellationToken: Ct);
        Assert.Equal("org|new", Assert.Single(await rows.ToListAsync(Ct)).PartitionKey);
    }

    [Fact]
    public async Task A_library_entry_never_goes_back_to_an_earlier_version()
    {
        await PublishAsync(Request("alice/task", "upload1"));
        var first = Assert.Single(await Storage.Libraries.ListMembersAsync("org/base", Caller.Anonymous, Ct));
        await PublishAsync(Request("alice/task", "upload2"));

        await Storage.Libraries.PutMemberAsync(first, Ct);

        Assert.Equal(2, Assert.Single(await Storage.Libraries.ListMembersAsync("org/base", Caller.Anonymous, Ct)).Version.Number);
    }

    [Fact]
    public async Task Unchanged_files_are_published_again_without_their_bytes()
    {
        var request = Request("alice/task", "upload1");
        await PublishAsync(request);

        var again = request with { IdempotencyKey = "upload2", Files = [.. request.Files.Select(f => f with { LocalPath = null })] };
        Assert.Equal(2, (await PublishAsync(again)).Number);

        var unknown = again with { IdempotencyKey = "upload3", Files = [FileOf("adapter_config.json", Bytes(10)) with { LocalPath = null }] };
        await Assert.ThrowsAsync<FileNotFoundException>(() => Storage.Commit.PublishAsync(unknown, Ct));
    }

    [Fact]
    public async Task A_local_file_that_is_not_what_it_was_is_refused()
    {
        var request = Request("alice/task", "upload1");
        await File.WriteAllBytesAsync(request.Files[0].LocalPath!, Bytes(1000), Ct);

        await Assert.ThrowsAsync<InvalidDataException>(() => Storage.Commit.PublishAsync(request, Ct));

        Assert.False(await Storage.Content.ExistsAsync(request.WeightsDigest, Ct));
        Assert.Null(await Storage.Adapters.GetAsync(request.Adapter, Ct));
    }
}
