using Marketplace.Core;
using Marketplace.Core.Api;
using Marketplace.Storage;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Hub;

/// <summary>Objects of Git LFS: sent straight to storage with a plain PUT, looked at when a commit names them.</summary>
public sealed class HubLfsTests(HubLfsTests.Fixture fixture) : IClassFixture<HubLfsTests.Fixture>
{
    private const string Weights = "adapter_model.safetensors";
    private const string Config = "adapter_config.json";

    private readonly Stack stack = fixture.Stack;

    public sealed class Fixture(AzuriteFixture azurite) : TwoAccountsFixture(azurite, new StackSettings { Environment = new Dictionary<string, string> { ["Marketplace__MaxFileBytes"] = "20000000" } });

    private StackApi Ann => fixture.Ann;

    private StackApi Bob => fixture.Bob;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public Task An_object_goes_to_storage_and_becomes_a_file_by_the_commit() => stack.RunAsync(async () =>
    {
        await Ann.CreatedAsync("ann/sent");
        var (files, more) = (StackAdapters.Files(11), HubCalls.Random(1, 3_000_000));
        var oid = HubCalls.Oid(files[Weights]);
        var href = (await Ann.OfferedAsync("ann/sent", oid, files[Weights].Length))!;
        Assert.StartsWith("http", href, StringComparison.Ordinal);
        Assert.DoesNotContain(stack.Address.Authority, href, StringComparison.Ordinal);
        await HubCalls.PutPlainAsync(href, files[Weights]);
        // Interrupted here, begun again: what was sent need not be sent twice.
        Assert.Null(await Ann.OfferedAsync("ann/sent", oid, files[Weights].Length));
        await Ann.SendObjectAsync("ann/sent", more);

        var commit = await Ann.CommittedAsync("ann/sent", new HubLines().File(Config, files[Config]).Lfs(Weights, oid, files[Weights].Length).Lfs("tokenizer.json", HubCalls.Oid(more), more.Length));
        var version = await stack.Anonymous.GetAsync<VersionView>($"/adapters/ann/sent/versions/{commit}");
        Assert.Equal(
            [(Config, Digest.Of(files[Config]).Hex, GitBlobHash.Of(files[Config])), (Weights, oid, GitBlobHash.Of(files[Weights])), ("tokenizer.json", HubCalls.Oid(more), GitBlobHash.Of(more))],
            version.Files.Select(f => (f.Path, f.Sha256, f.GitSha1)));
        Assert.Equal(more, await stack.Anonymous.DownloadAsync(new VersionReference("ann/sent", 1, commit), "tokenizer.json"));
        // Nothing stays staged, and what is published already need not be sent.
        Assert.Empty(await stack.Storage.LfsObjects.ListAsync("ann", Digest.Parse(oid), Ct));
        Assert.Null(await Ann.OfferedAsync("ann/sent", oid, files[Weights].Length));
        await Bob.CreatedAsync("bob/copy");
        Assert.Null(await Bob.OfferedAsync("bob/copy", oid, files[Weights].Length));
        await Bob.CommittedAsync("bob/copy", new HubLines().Lfs(Weights, oid, files[Weights].Length).Lfs(Config, HubCalls.Oid(files[Config])));
    });

    [Fact]
    public Task An_object_of_a_draft_is_read_once_and_kept() => stack.RunAsync(async () =>
    {
        await Ann.CreatedAsync("ann/kept");
        var files = StackAdapters.Files(12);
        await Ann.SendObjectAsync("ann/kept", files[Weights]);
        var draft = await Ann.CommittedAsync("ann/kept", new HubLines().Lfs(Weights, HubCalls.Oid(files[Weights]), files[Weights].Length));
        var record = (await stack.Storage.Repositories.GetAsync(AdapterId.Parse("ann/kept"), Ct))!;
        Assert.Equal(GitBlobHash.Of(files[Weights]), record.Draft!.Files.Single().GitSha1);
        Assert.Empty(await stack.Storage.LfsObjects.ListAsync("ann", record.Draft.Files.Single().Digest, Ct));
        Assert.NotEqual(draft, await Ann.CommittedAsync("ann/kept", new HubLines().File(Config, files[Config])));
    });

    [Fact]
    public Task Bytes_that_are_not_what_their_name_says_are_refused_and_forgotten() => stack.RunAsync(async () =>
    {
        await Ann.CreatedAsync("ann/wrong");
        var files = StackAdapters.Files(13);
        var oid = HubCalls.Oid(files[Weights]);
        var other = StackAdapters.Files(14)[Weights];
        Assert.Equal(files[Weights].Length, other.Length);
        // As part of an adapter, and of a draft.
        foreach (var lines in new[] { new HubLines().File(Config, files[Config]), new HubLines() })
        {
            await HubCalls.PutPlainAsync((await Ann.OfferedAsync("ann/wrong", oid, other.Length))!, other);
            Assert.Contains($"[digest-mismatch] {Weights}", (await Ann.CommitAsync("ann/wrong", lines.Lfs(Weights, oid, other.Length))).Refusal(400), StringComparison.Ordinal);
            Assert.Equal(HubCalls.EmptyCommit, await Ann.ShaAsync("ann/wrong"));
            Assert.NotNull(await Ann.OfferedAsync("ann/wrong", oid, other.Length));
        }

        Assert.False(await stack.Storage.Content.ExistsAsync(Digest.Of(other), Ct));
        Assert.False(await stack.Storage.Content.ExistsAsync(Digest.Parse(oid), Ct));
        // Too short: as good as not sent.
        await HubCalls.PutPlainAsync((await Ann.OfferedAsync("ann/wrong", oid, other.Length))!, other[..^1]);
        Assert.Contains("send it first", (await Ann.CommitAsync("ann/wrong", new HubLines().Lfs(Weights, oid, other.Length))).Refusal(400), StringComparison.Ordinal);
    });

    [Fact]
    public Task An_address_that_is_used_after_the_commit_changes_nothing() => stack.RunAsync(async () =>
    {
        await Ann.CreatedAsync("ann/late");
        var files = StackAdapters.Files(15);
        var oid = HubCalls.Oid(files[Weights]);
        var href = (await Ann.OfferedAsync("ann/late", oid, files[Weights].Length))!;
        await HubCalls.PutPlainAsync(href, files[Weights]);
        var commit = await Ann.CommittedAsync("ann/late", new HubLines().Lfs(Weights, oid, files[Weights].Length).File(Config, files[Config]));
        await HubCalls.PutPlainAsync(href, HubCalls.Random(2, files[Weights].Length));
        Assert.Equal(files[Weights], await Ann.DownloadAsync(new VersionReference("ann/late", 1, commit), Weights));
    });

    [Fact]
    public Task Knowing_the_digest_of_a_strangers_file_gets_nobody_at_it() => stack.RunAsync(async () =>
    {
        var secret = StackAdapters.Files(16);
        await Ann.PublishedAsync("ann/secret", secret, isPrivate: true);
        var (oid, size) = (HubCalls.Oid(secret[Weights]), secret[Weights].Length);
        await Ann.CreatedAsync("ann/draft");
        var drafted = HubCalls.Random(3, 500);
        await Ann.CommittedAsync("ann/draft", new HubLines().File("notes.txt", drafted));
        await Ann.CreatedAsync("ann/staged");
        var staged = HubCalls.Random(4, 500);
        await Ann.SendObjectAsync("ann/staged", staged);
        var gone = StackAdapters.Files(17);
        await Ann.PublishedAsync("ann/gone", gone);
        Assert.Equal(200, (await stack.Admin.SendAsync(HttpMethod.Post, "/adapters/ann/gone/takedown", new TakedownRequest("other"))).Status);

        await Bob.CreatedAsync("bob/thief");
        foreach (var (known, length) in new[] { (oid, (long)size), (HubCalls.Oid(drafted), 500), (HubCalls.Oid(staged), 500), (HubCalls.Oid(gone[Weights]), gone[Weights].Length), (new string('e', 64), 500) })
        {
            Assert.NotNull(await Bob.OfferedAsync("bob/thief", known, length));
            foreach (var lines in new[] { new HubLines().Lfs("x.bin", known, length), new HubLines().Lfs("x.bin", known) })
                Assert.Equal($"'x.bin': there is no object {known}; send it first.", (await Bob.CommitAsync("bob/thief", lines)).Refusal(400));
        }

        // Its owner has it, also for another repository.
        Assert.Null(await Ann.OfferedAsync("ann/staged", oid, size));
    });

    [Fact]
    public Task What_is_asked_wrongly_or_is_too_much_is_refused_by_object() => stack.RunAsync(async () =>
    {
        await Ann.CreatedAsync("ann/limits");
        var (large, fine) = (new string('a', 64), new string('b', 64));
        var objects = (await Ann.BatchAsync("ann/limits", (large, 20_000_001), (fine, 10))).Json()["objects"]!.AsArray();
        Assert.Equal(413, (int)objects[0]!["error"]!["code"]!);
        Assert.Contains("20000000", (string)objects[0]!["error"]!["message"]!, StringComparison.Ordinal);
        Assert.Null(objects[0]!["actions"]);
        Assert.NotNull(objects[1]!["actions"]!["upload"]!["href"]);

        Assert.Equal(422, (int)(await Ann.BatchAsync("ann/limits", (fine, 0))).Json()["objects"]![0]!["error"]!["code"]!);
        (await Ann.BatchAsync("ann/limits", Enumerable.Range(0, 257).Select(i => ($"{i:x64}", 1L)))).Refusal(400);
        (await Ann.BatchAsync("ann/limits", ("ABC", 1))).Refusal(400);
        (await Ann.BatchAsync("ann/limits", (fine, -1))).Refusal(400);
        (await Ann.AtAsync(HttpMethod.Post, "/ann/limits.git/info/lfs/objects/batch", new { operation = "download", objects = Array.Empty<object>() })).Refusal(400);
        (await Bob.BatchAsync("ann/limits", (fine, 10))).Refusal(404, "RepoNotFound");

        // What was offered counts, whether it comes or not.
        var cat = await stack.AccountAsync("cat");
        Assert.Equal(200, (await stack.Admin.SendAsync(HttpMethod.Put, "/accounts/cat/quota", new SetQuotaRequest(Bytes: 1000))).Status);
        await cat.CreatedAsync("cat/full");
        var answered = (await cat.BatchAsync("cat/full", (fine, 600), (large, 600))).Json()["objects"]!.AsArray();
        Assert.Null(answered[0]!["error"]);
        Assert.Equal(507, (int)answered[1]!["error"]!["code"]!);
        Assert.Equal(507, (int)(await cat.BatchAsync("cat/full", (large, 600))).Json()["objects"]![0]!["error"]!["code"]!);
        Assert.Contains("1000 bytes", (await cat.CommitAsync("cat/full", new HubLines().File("notes.txt", new byte[1001]))).Refusal(403), StringComparison.Ordinal);
    });

    [Fact]
    public Task What_was_offered_or_sent_and_never_committed_goes_with_the_sweep() => stack.RunAsync(async () =>
    {
        await Ann.CreatedAsync("ann/swept");
        var (bytes, never) = (HubCalls.Random(5, 700), HubCalls.Random(6, 700));
        await Ann.SendObjectAsync("ann/swept", bytes);
        await Ann.OfferedAsync("ann/swept", HubCalls.Oid(never), 700);
        var item = Assert.Single(await stack.Storage.LfsObjects.ListAsync("ann", Digest.Of(bytes), Ct));
        Assert.True(await stack.Storage.StagedObjects.SealAsync(item.Name, 700, Ct));
        await stack.Storage.Sweep.SweepAsync(DateTimeOffset.UtcNow, Ct);
        Assert.Null(await Ann.OfferedAsync("ann/swept", HubCalls.Oid(bytes), 700));

        Assert.True((await stack.Storage.Sweep.SweepAsync(DateTimeOffset.UtcNow.AddDays(3), Ct)).LfsObjects >= 2);
        Assert.Empty(await stack.Storage.LfsObjects.ListAsync("ann", Digest.Of(bytes), Ct));
        Assert.Empty(await stack.Storage.LfsObjects.ListAsync("ann", Digest.Of(never), Ct));
        Assert.Null(await stack.Storage.StagedObjects.SizeAsync(item.Name, Ct));
        Assert.NotNull(await Ann.OfferedAsync("ann/swept", HubCalls.Oid(bytes), 700));
    });
}
