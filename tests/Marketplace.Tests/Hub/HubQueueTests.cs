using Marketplace.Core;
using Marketplace.Core.Api;
using Marketplace.Core.Formats;
using Marketplace.Storage;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Hub;

/// <summary>Commits that are checked by the queue, and what is seen of them meanwhile.</summary>
public sealed class HubQueueTests(HubQueueTests.Fixture fixture) : IClassFixture<HubQueueTests.Fixture>
{
    private const string Weights = "adapter_model.safetensors";
    private const string Config = "adapter_config.json";

    private readonly Stack stack = fixture.Stack;

    // Nothing is checked while its client waits but by the queue.
    public sealed class Fixture(AzuriteFixture azurite) : StackFixture(azurite, new StackSettings
    {
        Environment = new Dictionary<string, string> { ["Marketplace__HubValidatedBytes"] = "0", ["Marketplace__HubCommitWait"] = "00:00:02" },
    });

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public Task The_commit_waits_for_the_queues_verdict() => stack.RunAsync(async () =>
    {
        var ann = await stack.AccountAsync("ann");
        var files = StackAdapters.Files(71);
        await ann.CreatedAsync("ann/queued");
        var wrong = new HubLines().File(Weights, files[Weights]).File(Config, StackAdapters.Config(StackAdapters.BaseModel, rank: 3));
        Assert.Contains("[rank-mismatch]", (await ann.CommitAsync("ann/queued", wrong)).Refusal(400), StringComparison.Ordinal);
        await ann.SendObjectAsync("ann/queued", files[Weights]);
        var commit = await ann.CommittedAsync("ann/queued", new HubLines().File(Config, files[Config]).Lfs(Weights, HubCalls.Oid(files[Weights])));
        Assert.Equal(commit, await stack.Anonymous.ShaAsync("ann/queued"));
        Assert.Null(await stack.Storage.Repositories.GetAsync(AdapterId.Parse("ann/queued"), Ct));
    });

    [Fact]
    public Task A_commit_without_a_verdict_is_seen_by_its_owner_alone_and_holds_up_the_next() => stack.RunAsync(async () =>
    {
        var (bob, stranger) = (await stack.AccountAsync("bob"), await stack.AccountAsync("eve"));
        var files = StackAdapters.Files(72);
        await bob.CreatedAsync("bob/pending");
        // As if its message were still far back in the queue.
        var pending = await PendAsync("bob/pending", files, DateTimeOffset.UtcNow.AddHours(1));
        var text = (await bob.InfoAsync("bob/pending", pending.Commit)).Refusal(404, "RevisionNotFound");
        Assert.Contains("is being checked", text, StringComparison.Ordinal);
        Assert.Equal(HubCalls.EmptyCommit, await bob.ShaAsync("bob/pending"));
        foreach (var revision in new[] { null, pending.Commit })
        {
            Assert.Equal(
                (await stranger.InfoAsync("bob/nothing", revision)).Body.Replace("nothing", "pending", StringComparison.Ordinal), (await stranger.InfoAsync("bob/pending", revision)).Body);
        }

        Assert.Contains(pending.Commit, (await bob.CommitAsync("bob/pending", new HubLines().File("x.txt", [1]))).Refusal(409), StringComparison.Ordinal);
        (await bob.AtAsync(HttpMethod.Put, "/api/models/bob/pending/settings", new { visibility = "private" })).Refusal(409);
        Assert.Contains("being checked", (await bob.CommitAsync("bob/pending", new HubLines(parent: pending.Commit).File("x.txt", [1]))).Refusal(409), StringComparison.Ordinal);
        (await bob.AtAsync(HttpMethod.Delete, "/api/repos/delete", new { name = "pending", organization = "bob" })).Refusal(409);
        // The same again is the same commit.
        var same = await bob.CommitAsync("bob/pending", new HubLines().Files(files));
        Assert.Equal((200, pending.Commit), (same.Status, (string)same.Json()["commitOid"]!));
        Assert.Contains("being checked", (string)same.Json()["hookOutput"]!, StringComparison.Ordinal);

        // The message comes at last; whoever commits next lays it upon what was checked.
        await stack.Storage.Queues.SendAsync(QueueNames.Validations, pending.UploadId, Ct);
        Assert.Equal("published", (await bob.DecidedAsync(pending.UploadId)).State);
        Assert.Equal(pending.Commit, await stranger.ShaAsync("bob/pending"));
        await bob.CommittedAsync("bob/pending", new HubLines(parent: pending.Commit).File("x.txt", [1]));
    });

    [Fact]
    public Task A_commit_whose_process_died_is_taken_up_by_the_next() => stack.RunAsync(async () =>
    {
        var cat = await stack.AccountAsync("cat");
        await cat.CreatedAsync("cat/left");
        // Queued, its time over, and no message; then the same, never even queued.
        var left = await PendAsync("cat/left", StackAdapters.Files(73), DateTimeOffset.UtcNow.AddMinutes(-1));
        var next = await CommittedAtLastAsync(cat, "cat/left", new HubLines().File("x.txt", [1]));
        var versions = await stack.Storage.Versions.ListAsync(AdapterId.Parse("cat/left"), Ct);
        Assert.Equal([next, left.Commit], versions.Select(v => v.Id));

        var open = await PendAsync("cat/left", StackAdapters.Files(74), DateTimeOffset.UtcNow.AddMinutes(-1), UploadState.Open);
        next = await CommittedAtLastAsync(cat, "cat/left", new HubLines().File("y.txt", [1]));
        versions = await stack.Storage.Versions.ListAsync(AdapterId.Parse("cat/left"), Ct);
        Assert.Equal([next, open.Commit], versions.Take(2).Select(v => v.Id));
    });

    [Fact]
    public Task An_operator_has_a_poisoned_commit_checked_again() => stack.RunAsync(async () =>
    {
        var dan = await stack.AccountAsync("dan");
        await dan.CreatedAsync("dan/poisoned");
        var pending = await PendAsync("dan/poisoned", StackAdapters.Files(75), DateTimeOffset.UtcNow.AddHours(1));
        var upload = (await stack.Storage.Uploads.GetAsync(pending.UploadId, Ct))!;
        await stack.Storage.Uploads.UpdateAsync(upload with { State = UploadState.Failed, FailureCode = UploadRecord.Poisoned, FailureMessage = "It failed too often." }, Ct);
        Assert.Contains("too often", (await dan.InfoAsync("dan/poisoned", pending.Commit)).Refusal(404, "RevisionNotFound"), StringComparison.Ordinal);
        await stack.Storage.Sweep.SweepAsync(DateTimeOffset.UtcNow.AddDays(2), Ct);
        Assert.Equal(202, (await stack.Admin.SendAsync(HttpMethod.Post, $"/uploads/{pending.UploadId}/retry")).Status);
        Assert.Equal("published", (await dan.DecidedAsync(pending.UploadId)).State);
        Assert.Equal(pending.Commit, await dan.ShaAsync("dan/poisoned"));
    });

    // What a process has written when it dies after it has recorded a commit.
    private async Task<PendingCommit> PendAsync(string repository, Dictionary<string, byte[]> files, DateTimeOffset expires, UploadState state = UploadState.Queued)
    {
        var id = AdapterId.Parse(repository);
        foreach (var bytes in files.Values)
        {
            await stack.Storage.Content.PutAsync(Digest.Of(bytes), bytes, Ct);
            await stack.Storage.ContentIndex.AddAsync(Digest.Of(bytes), id, Ct);
        }

        var newest = await stack.Storage.Versions.NewestAsync(id, Ct);
        var commit = VersionManifest.Create(files.Select(f => new ManifestFile(f.Key, Digest.Of(f.Value), f.Value.Length, GitBlobHash.Of(f.Value))), newest?.Id).Id;
        var upload = new UploadRecord(
            UploadStore.NewId(), id, id.Owner, false, state, [.. files.Select(f => new UploadFileSpec(f.Key, f.Value.Length, Digest.Of(f.Value), Stored: true))],
            newest?.Id ?? PublishRequest.NoParent, "left", expires.AddMinutes(-1), expires, null, null, null, default);
        await stack.Storage.Uploads.AddAsync(upload, Ct);
        var pending = new PendingCommit(commit, upload.Id, DateTimeOffset.UtcNow);
        if (await stack.Storage.Repositories.GetAsync(id, Ct) is { } record)
            Assert.Equal(UpdateResult.Updated, await stack.Storage.Repositories.UpdateAsync(record with { Pending = pending }, Ct));
        else
            Assert.Equal(AddResult.Added, await stack.Storage.Repositories.AddAsync(new RepositoryRecord(id, false, DateTimeOffset.UtcNow, null, pending, default), Ct));
        return pending;
    }

    // The machine may be too slow for the time that a commit waits.
    private static async Task<string> CommittedAtLastAsync(StackApi api, string repository, HubLines lines)
    {
        while (true)
        {
            var answer = await api.CommitAsync(repository, lines);
            if (answer.Status != 409)
                return (string)answer.Json()["commitOid"]!;
        }
    }
}
