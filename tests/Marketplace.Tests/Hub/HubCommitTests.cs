using System.Text;
using System.Text.Json.Nodes;
using Marketplace.Core;
using Marketplace.Core.Api;
using Marketplace.Storage;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Hub;

/// <summary>Commits over HTTP, as the Hub's clients send them.</summary>
public sealed class HubCommitTests(HubCommitTests.Fixture fixture) : IClassFixture<HubCommitTests.Fixture>
{
    private const string Weights = "adapter_model.safetensors";
    private const string Config = "adapter_config.json";

    private readonly Stack stack = fixture.Stack;

    public sealed class Fixture(AzuriteFixture azurite) : TwoAccountsFixture(azurite, new StackSettings());

    private StackApi Ann => fixture.Ann;

    private StackApi Bob => fixture.Bob;

    [Fact]
    public Task An_adapter_sent_inside_a_commit_is_a_version_when_the_commit_answers() => stack.RunAsync(async () =>
    {
        await Ann.CreatedAsync("ann/inline");
        var files = StackAdapters.Files(1, card: "Inline");
        files["ä b/notes.txt"] = Encoding.UTF8.GetBytes("notes");
        files["empty.txt"] = [];
        var commit = await Ann.CommittedAsync("ann/inline", new HubLines("First\nand more").Files(files));

        var version = await stack.Anonymous.GetAsync<VersionView>($"/adapters/ann/inline/versions/{commit}");
        Assert.Equal(1, version.Number);
        Assert.Equal(files.Keys.Order(StringComparer.Ordinal), version.Files.Select(f => f.Path));
        Assert.All(version.Files, f => Assert.Equal((Digest.Of(files[f.Path]).Hex, GitBlobHash.Of(files[f.Path])), (f.Sha256, f.GitSha1)));
        Assert.Equal(commit, await stack.Anonymous.ShaAsync("ann/inline"));
        // Nothing is left beyond the version.
        Assert.Null(await stack.Storage.Repositories.GetAsync(AdapterId.Parse("ann/inline")));

        // The same again, and nothing at all, are no commits.
        Assert.Equal(commit, await Ann.CommittedAsync("ann/inline", new HubLines().Files(files)));
        Assert.Equal(commit, await Ann.CommittedAsync("ann/inline", new HubLines()));
        Assert.Equal(commit, await Ann.CommittedAsync("ann/inline", new HubLines(parent: commit).File(Config, files[Config])));
    });

    [Fact]
    public Task A_tree_is_what_was_there_with_what_the_commit_changes() => stack.RunAsync(async () =>
    {
        await Ann.CreatedAsync("ann/tree");
        var (one, two) = (StackAdapters.Files(2), StackAdapters.Files(3));
        var first = await Ann.CommittedAsync("ann/tree", new HubLines().Files(one).File("sub dir/a.txt", [1]).File("sub dir/deep/b.txt", [2]).File("README.md", "# One"u8.ToArray()));

        // A copy has no size; with a deletion it is a renaming.
        var second = await Ann.CommittedAsync("ann/tree", new HubLines(parent: first).Lfs("CARD.md", HubCalls.Oid("# One"u8.ToArray())).Delete("README.md").File(Weights, two[Weights]));
        Assert.Equal(["CARD.md", Config, Weights, "sub dir/a.txt", "sub dir/deep/b.txt"], await Ann.PathsAsync("ann/tree"));
        var third = await Ann.CommittedAsync("ann/tree", new HubLines().DeleteFolder("sub dir/"));
        Assert.Equal(["CARD.md", Config, Weights], await stack.Anonymous.PathsAsync("ann/tree"));

        var versions = await stack.Storage.Versions.ListAsync(AdapterId.Parse("ann/tree"));
        Assert.Equal([third, second, first], versions.Select(v => v.Id));
        Assert.Equal(Digest.Of(two[Weights]), versions[0].Weights);

        Assert.Contains("A file with this name doesn't exist", (await Ann.CommitAsync("ann/tree", new HubLines().Delete("absent.txt"))).Refusal(404, "EntryNotFound"), StringComparison.Ordinal);
        (await Ann.CommitAsync("ann/tree", new HubLines().DeleteFolder("absent"))).Refusal(404, "EntryNotFound");
        Assert.Contains(first, (await Ann.CommitAsync("ann/tree", new HubLines(parent: first).File("x.txt", [1]))).Refusal(412), StringComparison.Ordinal);
        Assert.Equal(third, await Ann.ShaAsync("ann/tree"));
    });

    [Fact]
    public Task Files_that_are_no_adapter_yet_are_a_draft_that_only_the_owner_sees() => stack.RunAsync(async () =>
    {
        await Ann.CreatedAsync("ann/draft");
        var files = StackAdapters.Files(4);
        Assert.Equal(HubCalls.EmptyCommit, await Ann.ShaAsync("ann/draft"));
        var draft = await Ann.CommittedAsync("ann/draft", new HubLines("Weights").File(Weights, files[Weights]));
        Assert.Equal(draft, await Ann.ShaAsync("ann/draft"));
        Assert.Equal([Weights], await Ann.PathsAsync("ann/draft", draft));
        foreach (var stranger in new[] { Bob, stack.Anonymous })
            Assert.Equal(With(await stranger.InfoAsync("ann/nothing"), "nothing"), With(await stranger.InfoAsync("ann/draft"), "draft"));

        // The bytes outlive every sweep, and are paid for.
        var account = await Ann.GetAsync<AccountView>("/accounts/ann");
        Assert.True(account.Usage.Bytes >= files[Weights].Length);
        await stack.Storage.Sweep.SweepAsync(DateTimeOffset.UtcNow.AddDays(3));
        var commit = await Ann.CommittedAsync("ann/draft", new HubLines("Configuration", draft).File(Config, files[Config]));
        Assert.Equal(commit, await Bob.ShaAsync("ann/draft"));
        Assert.Equal(commit, (await stack.Storage.Versions.NewestAsync(AdapterId.Parse("ann/draft")))!.Id);

        // What is taken from an adapter makes a draft upon it; strangers keep the version.
        var less = await Ann.CommittedAsync("ann/draft", new HubLines().Delete(Config));
        Assert.Equal((less, commit), (await Ann.ShaAsync("ann/draft"), await Bob.ShaAsync("ann/draft")));
        Assert.Equal(404, (await Bob.InfoAsync("ann/draft", less)).Status);
        // Putting it back is the version again.
        Assert.Equal(commit, await Ann.CommittedAsync("ann/draft", new HubLines().File(Config, files[Config])));
        Assert.Equal(commit, await Ann.ShaAsync("ann/draft"));

        // Published past the draft: it is void.
        await Ann.CommittedAsync("ann/draft", new HubLines().Delete(Config));
        var version = await Ann.PublishedAsync("ann/draft", StackAdapters.Files(5));
        Assert.Equal(version.Id, await Ann.ShaAsync("ann/draft"));
    });

    [Fact]
    public Task A_draft_is_paid_for_once_until_it_is_over() => stack.RunAsync(async () =>
    {
        var pia = await stack.AccountAsync("pia");
        var files = StackAdapters.Files(41);
        var (size, notes) = (files.Values.Sum(f => f.LongLength), new byte[5000]);
        // Room for the adapter, and not for its draft beside it.
        Assert.Equal(200, (await stack.Admin.SendAsync(HttpMethod.Put, "/accounts/pia/quota", new SetQuotaRequest(Bytes: size + 5100))).Status);
        async Task<long> UsedAsync() => (await pia.GetAsync<AccountView>("/accounts/pia")).Usage.Bytes;
        await pia.CreatedAsync("pia/paid");
        await pia.CommittedAsync("pia/paid", new HubLines().File("notes.txt", notes).File(Weights, files[Weights]));
        Assert.Equal(5000 + files[Weights].Length, await UsedAsync());
        await pia.CommittedAsync("pia/paid", new HubLines().Delete(Weights));
        Assert.Equal(5000, await UsedAsync());
        await pia.CommittedAsync("pia/paid", new HubLines().Files(files));
        Assert.Equal(size + 5000, await UsedAsync());
        await stack.Storage.Recount.RunAsync(DateTimeOffset.UtcNow.AddDays(3));
        Assert.Equal(size + 5000, await UsedAsync());

        // A draft upon a version is charged beside it; one that another way of publishing made void, until the recount.
        await stack.Admin.SendAsync(HttpMethod.Put, "/accounts/pia/quota", new SetQuotaRequest(Bytes: 1_000_000));
        await pia.CommittedAsync("pia/paid", new HubLines().Delete(Weights));
        await stack.Storage.Recount.RunAsync(DateTimeOffset.UtcNow.AddDays(3));
        var draft = size + 5000 - files[Weights].Length;
        Assert.Equal(size + 5000 + draft, await UsedAsync());
        await pia.PublishedAsync("pia/paid", files);
        await stack.Storage.Recount.RunAsync(DateTimeOffset.UtcNow.AddDays(3));
        Assert.Equal(size + 5000 + size, await UsedAsync());
    });

    [Fact]
    public Task A_commit_that_can_not_be_read_says_where() => stack.RunAsync(async () =>
    {
        await Ann.CreatedAsync("ann/bad");
        async Task<string> RefusedAsync(HubLines lines) => (await Ann.CommitAsync("ann/bad", lines)).Refusal(400);
        foreach (var path in new[] { "../up.txt", "/abs.txt", "a/../b.txt", ".git/config", "a//b", "c:\\x", "x\u0001", ".cache/y", "", new string('a', 300) })
            Assert.Contains($"'{path}'", await RefusedAsync(new HubLines().File(path, [1])), StringComparison.Ordinal);
        Assert.Contains("'../x'", await RefusedAsync(new HubLines().Lfs("../x", new string('a', 64), 1)), StringComparison.Ordinal);
        Assert.Contains("'../x'", await RefusedAsync(new HubLines().Delete("../x")), StringComparison.Ordinal);
        Assert.Contains("'a.txt' occurs twice", await RefusedAsync(new HubLines().File("a.txt", [1]).File("a.txt", [2])), StringComparison.Ordinal);
        Assert.Contains("differ only in case", await RefusedAsync(new HubLines().File("a.txt", [1]).File("A.txt", [2])), StringComparison.Ordinal);
        Assert.Contains("is a file and a folder", await RefusedAsync(new HubLines().File("a", [1]).File("a/b", [2])), StringComparison.Ordinal);
        Assert.Contains("'fancy'", await RefusedAsync(new HubLines().Line("fancy", new JsonObject { ["path"] = "x" })), StringComparison.Ordinal);
        Assert.Contains("header", await RefusedAsync(new HubLines().Line("header", new JsonObject { ["summary"] = "again" })), StringComparison.Ordinal);
        Assert.Contains("base64", await RefusedAsync(new HubLines().Line("file", new JsonObject { ["content"] = "no base64!", ["path"] = "x", ["encoding"] = "base64" })), StringComparison.Ordinal);
        Assert.Contains("base64", await RefusedAsync(new HubLines().Line("file", new JsonObject { ["content"] = "eA==", ["path"] = "x", ["encoding"] = "utf-8" })), StringComparison.Ordinal);
        Assert.Contains("no content", await RefusedAsync(new HubLines().Line("file", new JsonObject { ["path"] = "x" })), StringComparison.Ordinal);
        Assert.Contains("at most", await RefusedAsync(Enumerable.Range(0, 101).Aggregate(new HubLines(), (lines, i) => lines.File($"{i}.txt", []))), StringComparison.Ordinal);
        Assert.Contains("commit id", await RefusedAsync(new HubLines(parent: "main")), StringComparison.Ordinal);
        foreach (var body in new[] { "", "[]", "{\"key\":\"file\"}", "{\"key\":\"header\",\"value\":{}}\n{", "{\"key\":\"header\",\"value\":{}}\n{\"key\":\"file\",\"value\":{\"content\":\"eA" })
            (await Ann.AtAsync(HttpMethod.Post, "/api/models/ann/bad/commit/main", new StringContent(body))).Refusal(400);
        (await Ann.AtAsync(HttpMethod.Post, "/api/models/ann/bad/commit/main?create_pr=1", new HubLines().File("x", [1]).Content())).Refusal(400);
        (await Ann.CommitAsync("ann/bad", new HubLines().File("x", [1]), "dev")).Refusal(404, "RevisionNotFound");
        Assert.Equal(HubCalls.EmptyCommit, await Ann.ShaAsync("ann/bad"));
    });

    [Fact]
    public Task A_refused_adapter_says_its_codes_and_leaves_everything_as_it_was() => stack.RunAsync(async () =>
    {
        await Ann.CreatedAsync("ann/refused");
        var files = StackAdapters.Files(6);
        var draft = await Ann.CommittedAsync("ann/refused", new HubLines().File(Weights, files[Weights]));
        var config = StackAdapters.Config(StackAdapters.BaseModel, rank: 3);
        var answer = await Ann.CommitAsync("ann/refused", new HubLines().File(Config, config));
        Assert.Contains("[rank-mismatch] ", answer.Refusal(400), StringComparison.Ordinal);
        Assert.Equal(draft, await Ann.ShaAsync("ann/refused"));
        Assert.Null(await stack.Storage.Versions.NewestAsync(AdapterId.Parse("ann/refused")));

        // Whoever knows the id that the commit would have had is told why there is none.
        ManifestFile[] tree = [new(Config, Digest.Of(config), config.Length, GitBlobHash.Of(config)), new(Weights, Digest.Of(files[Weights]), files[Weights].Length, GitBlobHash.Of(files[Weights]))];
        Assert.Contains("[rank-mismatch] ", (await Ann.InfoAsync("ann/refused", VersionManifest.Create(tree, null).Id)).Refusal(404, "RevisionNotFound"), StringComparison.Ordinal);
        (await Bob.InfoAsync("ann/refused", VersionManifest.Create(tree, null).Id)).Refusal(404, "RepoNotFound");

        var commit = await Ann.CommittedAsync("ann/refused", new HubLines(parent: draft).File(Config, files[Config]));
        Assert.Equal(commit, await Bob.ShaAsync("ann/refused"));
        // And upon a version: it stays the newest.
        (await Ann.CommitAsync("ann/refused", new HubLines().File(Weights, files[Weights][..^1]))).Refusal(400);
        Assert.Equal(commit, await Ann.ShaAsync("ann/refused"));
    });

    [Theory]
    [InlineData("rank-mismatch")]
    [InlineData("truncated")]
    public Task The_broken_samples_are_refused_with_their_code(string sample) => stack.RunAsync(async () =>
    {
        var folder = Path.Combine(Fixtures.Repository, "samples", "broken", sample);
        var files = Directory.GetFiles(folder).ToDictionary(file => Path.GetFileName(file), File.ReadAllBytes);
        await Ann.CreatedAsync($"ann/{sample}");
        var text = (await Ann.CommitAsync($"ann/{sample}", new HubLines().Files(files))).Refusal(400);
        Assert.Contains($"[{sample}] ", text, StringComparison.Ordinal);
        Assert.Equal(HubCalls.EmptyCommit, await Ann.ShaAsync($"ann/{sample}"));
    });

    [Theory]
    [InlineData("config.json", "model.safetensors")]
    [InlineData("pytorch_model.bin")]
    [InlineData("model-q4.gguf")]
    [InlineData("README.md", "model-00001-of-00002.safetensors")]
    [InlineData("unet/diffusion_pytorch_model.safetensors")]
    [InlineData("adapter_config.json", "adapter_model.bin")]
    public Task What_can_never_be_an_adapter_is_refused_and_told_where_to_go(params string[] paths) => stack.RunAsync(async () =>
    {
        await Ann.CreateAsync("ann/foreign");
        var text = (await Ann.CommitAsync("ann/foreign", paths.Aggregate(new HubLines(), (lines, path) => lines.File(path, [1, 2, 3])))).Refusal(400);
        Assert.Contains(paths[^1], text, StringComparison.Ordinal);
        Assert.Contains("adapter_model.safetensors", text, StringComparison.Ordinal);
        Assert.Equal(HubCalls.EmptyCommit, await Ann.ShaAsync("ann/foreign"));
    });

    [Fact]
    public Task A_pickle_is_refused_before_there_is_an_adapter() => stack.RunAsync(async () =>
    {
        await Ann.CreatedAsync("ann/pickle");
        Assert.Contains("[pickle] training_args.bin", (await Ann.CommitAsync("ann/pickle", new HubLines().File("training_args.bin", [0x80, 2, 1, 0]))).Refusal(400), StringComparison.Ordinal);
        Assert.Equal(HubCalls.EmptyCommit, await Ann.ShaAsync("ann/pickle"));
    });

    [Fact]
    public Task Who_may_not_write_is_told_no_more_than_it_may_know() => stack.RunAsync(async () =>
    {
        await Ann.PublishedAsync("ann/public", StackAdapters.Files(7));
        await Ann.PublishedAsync("ann/secret", StackAdapters.Files(8), isPrivate: true);
        var reader = await stack.AccountAsync("ann", "read");
        (await reader.CommitAsync("ann/public", new HubLines().File("x.txt", [1]))).Refusal(403);
        (await stack.Anonymous.CommitAsync("ann/public", new HubLines().File("x.txt", [1]))).Refusal(401);
        (await Bob.CommitAsync("ann/public", new HubLines().File("x.txt", [1]))).Refusal(403);
        (await stack.Admin.CommitAsync("ann/public", new HubLines().File("x.txt", [1]))).Refusal(403);
        Assert.Equal(
            With(await Bob.CommitAsync("ann/nothing", new HubLines().File("x.txt", [1])), "nothing"), With(await Bob.CommitAsync("ann/secret", new HubLines().File("x.txt", [1])), "secret"));
        (await Ann.CommitAsync("ann/nothing", new HubLines().File("x.txt", [1]))).Refusal(404, "RepoNotFound");
    });

    [Fact]
    public Task Another_commit_to_a_private_repository_stays_private() => stack.RunAsync(async () =>
    {
        await Ann.CreatedAsync("ann/hidden", isPrivate: true);
        var commit = await Ann.CommittedAsync("ann/hidden", new HubLines().Files(StackAdapters.Files(9)));
        Assert.Equal(commit, await Ann.ShaAsync("ann/hidden"));
        (await Bob.InfoAsync("ann/hidden")).Refusal(404, "RepoNotFound");
        await Ann.CommittedAsync("ann/hidden", new HubLines().File("more.txt", [1]));
        (await Bob.InfoAsync("ann/hidden")).Refusal(404, "RepoNotFound");
    });

    // The answer with the repository's name taken out.
    private static string With(StackAnswer answer, string name) =>
        $"{answer.Status} {string.Join(';', answer.Headers.OrderBy(h => h.Key).Select(h => $"{h.Key}={h.Value}"))} {answer.Body}".Replace(name, "NAME", StringComparison.Ordinal)
            .Replace($"Content-Length={answer.Body.Length}", "", StringComparison.Ordinal);
}
