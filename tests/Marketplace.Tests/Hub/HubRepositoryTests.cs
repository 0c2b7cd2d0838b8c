using System.Text.Json.Nodes;
using Marketplace.Core;
using Marketplace.Core.Api;
using Marketplace.Storage;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Hub;

/// <summary>Repositories as the Hub's clients create, change, ask about and delete them.</summary>
public sealed class HubRepositoryTests(HubRepositoryTests.Fixture fixture) : IClassFixture<HubRepositoryTests.Fixture>
{
    private readonly Stack stack = fixture.Stack;

    public sealed class Fixture(AzuriteFixture azurite) : TwoAccountsFixture(azurite, new StackSettings
    {
        Environment = new Dictionary<string, string> { ["Marketplace__HubRepositories"] = "5", ["Marketplace__Limits__TrustedProxies"] = "1" },
    });

    private StackApi Ann => fixture.Ann;

    private StackApi Bob => fixture.Bob;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public Task A_repository_is_created_once_and_a_second_time_says_where_it_is() => stack.RunAsync(async () =>
    {
        var created = await Ann.AtAsync(HttpMethod.Post, "/api/repos/create", new { name = "new", organization = "ann" });
        Assert.Equal(200, created.Status);
        Assert.Equal(stack.Address.GetLeftPart(UriPartial.Authority) + "/ann/new", (string)created.Json()["url"]!);
        // Without organisation it is the caller's; the spelling of the account counts.
        var again = await Ann.AtAsync(HttpMethod.Post, "/api/repos/create", new { name = "new", type = "model", @private = true });
        again.Refusal(409);
        Assert.Equal((string)created.Json()["url"]!, (string)again.Json()["url"]!);
        Assert.Equal(409, (await Ann.CreateAsync("ANN/New")).Status);
        Assert.Equal(HubCalls.EmptyCommit, await Ann.ShaAsync("ann/new"));
        Assert.False((bool)(await Ann.InfoAsync("ann/new")).Json()["private"]!);

        // Behind a proxy the address is the one that the proxy says it was called by.
        var forwarded = await Ann.AtAsync(HttpMethod.Post, "/api/repos/create", new { name = "new" }, ("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "made.up, registry.example"));
        Assert.Equal("https://registry.example/ann/new", (string)forwarded.Json()["url"]!);
        var nonsense = await Ann.AtAsync(HttpMethod.Post, "/api/repos/create", new { name = "new" }, ("X-Forwarded-Proto", "gopher"), ("X-Forwarded-Host", "evil.example/path?"));
        Assert.Equal((string)created.Json()["url"]!, (string)nonsense.Json()["url"]!);

        await Ann.PublishedAsync("ann/published", StackAdapters.Files(21));
        Assert.Equal(409, (await Ann.CreateAsync("ann/published")).Status);
    });

    [Fact]
    public Task What_can_not_be_created_says_why() => stack.RunAsync(async () =>
    {
        Assert.Contains("'bob'", (await Ann.CreateAsync("bob/x")).Refusal(403), StringComparison.Ordinal);
        foreach (var name in new[] { "", "a--b", "x.git", ".x", "a b", new string('x', 97) })
            (await Ann.AtAsync(HttpMethod.Post, "/api/repos/create", new { name })).Refusal(400);
        (await Ann.AtAsync(HttpMethod.Post, "/api/repos/create", new { name = "x", type = "dataset" })).Refusal(400);
        (await Ann.AtAsync(HttpMethod.Post, "/api/repos/create", new { name = "x", visibility = "secret" })).Refusal(400);
        (await Ann.AtAsync(HttpMethod.Post, "/api/repos/create", new StringContent("{"))).Refusal(400);
        (await (await stack.AccountAsync("ann", "read")).CreateAsync("ann/x")).Refusal(403);
        (await stack.Anonymous.CreateAsync("ann/x")).Refusal(401);

        var dora = await stack.AccountAsync("dora");
        for (var i = 0; i < 5; i++)
            await dora.CreatedAsync($"dora/{i}");
        Assert.Contains("5 repositories", (await dora.CreateAsync("dora/5")).Refusal(403), StringComparison.Ordinal);
        // One that has a version does not count as one without.
        await dora.CommittedAsync("dora/0", new HubLines().Files(StackAdapters.Files(22)));
        await dora.CreatedAsync("dora/5");
        await stack.Admin.SendAsync(HttpMethod.Put, "/accounts/dora/quota", new SetQuotaRequest(Adapters: 1));
        Assert.Contains("1 adapters", (await dora.CreateAsync("dora/6")).Refusal(403), StringComparison.Ordinal);
    });

    [Fact]
    public Task Npm_sends_the_first_files_along() => stack.RunAsync(async () =>
    {
        var eve = await stack.AccountAsync("eve");
        var files = StackAdapters.Files(23).Select(f => new { path = f.Key, content = Convert.ToBase64String(f.Value), encoding = "base64" });
        var answer = await eve.AtAsync(HttpMethod.Post, "/api/repos/create", new { name = "filled", type = "model", visibility = "private", files });
        Assert.True(answer.Status == 200, answer.Body);
        Assert.Equal((await stack.Storage.Versions.NewestAsync(AdapterId.Parse("eve/filled"), Ct))!.Id, await eve.ShaAsync("eve/filled"));
        (await Bob.InfoAsync("eve/filled")).Refusal(404, "RepoNotFound");
        (await eve.AtAsync(HttpMethod.Post, "/api/repos/create", new { name = "bad", files = new[] { new { path = "../x", content = "", encoding = "base64" } } })).Refusal(400);
    });

    [Fact]
    public Task Visibility_is_that_of_the_adapter_and_before_it_of_what_becomes_it() => stack.RunAsync(async () =>
    {
        var fay = await stack.AccountAsync("fay");
        await fay.CreatedAsync("fay/seen");
        Assert.Equal(200, (await SetAsync(fay, "fay/seen", new { visibility = "private" })).Status);
        await fay.CommittedAsync("fay/seen", new HubLines().Files(StackAdapters.Files(24)));
        (await Bob.InfoAsync("fay/seen")).Refusal(404, "RepoNotFound");
        Assert.Equal(200, (await SetAsync(fay, "fay/seen", new { @private = false })).Status);
        Assert.Equal(200, (await Bob.InfoAsync("fay/seen")).Status);
        Assert.Equal(200, (await SetAsync(fay, "fay/seen", new { visibility = "private" })).Status);
        (await Bob.InfoAsync("fay/seen")).Refusal(404, "RepoNotFound");

        (await SetAsync(fay, "fay/seen", new { gated = "auto" })).Refusal(400);
        Assert.Equal(200, (await SetAsync(fay, "fay/seen", new { gated = false })).Status);
        (await SetAsync(fay, "fay/seen", new { visibility = "hidden" })).Refusal(400);
        (await SetAsync(Bob, "fay/seen", new { visibility = "public" })).Refusal(404, "RepoNotFound");
        await SetAsync(fay, "fay/seen", new { visibility = "public" });
        (await SetAsync(Bob, "fay/seen", new { visibility = "private" })).Refusal(403);
    });

    [Fact]
    public Task Access_is_as_it_is() => stack.RunAsync(async () =>
    {
        await Ann.PublishedAsync("ann/open", StackAdapters.Files(25));
        await Ann.PublishedAsync("ann/closed", StackAdapters.Files(26), isPrivate: true);
        async Task<int> AskAsync(StackApi api, string repository, string more = "") => (await api.AtAsync(HttpMethod.Get, $"/api/models/{repository}/auth-check{more}")).Status;
        Assert.Equal((200, 200, 200, 200), (await AskAsync(Ann, "ann/open"), await AskAsync(Ann, "ann/open", "/write"), await AskAsync(Bob, "ann/open"), await AskAsync(stack.Anonymous, "ann/open")));
        Assert.Equal((403, 404, 404), (await AskAsync(Bob, "ann/open", "/write"), await AskAsync(Bob, "ann/closed"), await AskAsync(Bob, "ann/closed", "/write")));
        Assert.Equal((200, 404), (await AskAsync(Ann, "ann/closed", "/write"), await AskAsync(Ann, "ann/nothing", "/write")));
    });

    [Fact]
    public Task Tags_name_versions_and_only_those() => stack.RunAsync(async () =>
    {
        var gil = await stack.AccountAsync("gil");
        var files = StackAdapters.Files(27);
        await gil.CreatedAsync("gil/tagged");
        await gil.CommittedAsync("gil/tagged", new HubLines().File("adapter_config.json", files["adapter_config.json"]));
        Task<StackAnswer> TagAsync(StackApi api, string revision, string tag) => api.AtAsync(HttpMethod.Post, $"/api/models/gil/tagged/tag/{revision}", new { tag, message = "why" });
        Assert.Contains("no adapter yet", (await TagAsync(gil, "main", "v-one")).Refusal(400), StringComparison.Ordinal);
        var commit = await gil.CommittedAsync("gil/tagged", new HubLines().Files(files));
        Assert.Equal(200, (await TagAsync(gil, "main", "v-one")).Status);
        (await TagAsync(gil, commit, "v-one")).Refusal(409);
        Assert.Equal(commit, await Bob.ShaAsync("gil/tagged", "v-one"));
        (await TagAsync(gil, "main", "main")).Refusal(400);
        (await TagAsync(gil, "main", "a/b")).Refusal(400);
        (await TagAsync(gil, "nothing", "v-two")).Refusal(404, "RevisionNotFound");
        (await TagAsync(Bob, "main", "mine")).Refusal(403);
        (await Bob.AtAsync(HttpMethod.Delete, "/api/models/gil/tagged/tag/v-one")).Refusal(403);
        Assert.Equal(200, (await gil.AtAsync(HttpMethod.Delete, "/api/models/gil/tagged/tag/v-one")).Status);
        (await gil.AtAsync(HttpMethod.Delete, "/api/models/gil/tagged/tag/v-one")).Refusal(404, "RevisionNotFound");
    });

    [Fact]
    public Task What_this_registry_has_not_is_refused_in_words() => stack.RunAsync(async () =>
    {
        await Ann.PublishedAsync("ann/branches", StackAdapters.Files(28));
        (await Ann.AtAsync(HttpMethod.Post, "/api/models/ann/branches/branch/dev", new { })).Refusal(400);
        (await Ann.AtAsync(HttpMethod.Post, "/api/models/ann/branches/branch/main", new { startingPoint = "main" })).Refusal(409);
        (await Ann.AtAsync(HttpMethod.Delete, "/api/models/ann/branches/branch/main")).Refusal(400);
        (await Ann.AtAsync(HttpMethod.Delete, "/api/models/ann/branches/branch/dev")).Refusal(404, "RevisionNotFound");
        (await Ann.AtAsync(HttpMethod.Post, "/api/repos/move", new { fromRepo = "ann/branches", toRepo = "ann/other" })).Refusal(400);
        Assert.Contains("HF_HUB_DISABLE_XET=1", (await Ann.AtAsync(HttpMethod.Get, "/api/models/ann/branches/xet-write-token/main")).Refusal(404), StringComparison.Ordinal);
        Assert.Equal((await Ann.AtAsync(HttpMethod.Get, "/api/models/ann/branches/xet-write-token/main")).Body, (await Bob.AtAsync(HttpMethod.Get, "/api/models/no/body/xet-write-token/main")).Body);
    });

    [Fact]
    public Task A_deleted_repository_is_gone_with_its_draft() => stack.RunAsync(async () =>
    {
        var hal = await stack.AccountAsync("hal");
        await hal.CreatedAsync("hal/gone");
        await hal.CommittedAsync("hal/gone", new HubLines().File("notes.txt", new byte[1000]));
        Assert.Equal(1000, (await hal.GetAsync<AccountView>("/accounts/hal")).Usage.Bytes);
        Task<StackAnswer> DeleteAsync(StackApi api, string name) => api.AtAsync(HttpMethod.Delete, "/api/repos/delete", new { name, organization = "hal", type = "model" });
        (await DeleteAsync(Bob, "gone")).Refusal(404, "RepoNotFound");
        Assert.Equal(200, (await DeleteAsync(hal, "gone")).Status);
        (await DeleteAsync(hal, "gone")).Refusal(404, "RepoNotFound");
        Assert.Equal(0, (await hal.GetAsync<AccountView>("/accounts/hal")).Usage.Bytes);
        (await hal.InfoAsync("hal/gone")).Refusal(404, "RepoNotFound");
        await hal.CreatedAsync("hal/gone");
        Assert.Equal(HubCalls.EmptyCommit, await hal.ShaAsync("hal/gone"));
    });

    [Fact]
    public Task A_deleted_adapter_is_gone_and_its_name_is_free() => stack.RunAsync(async () =>
    {
        var ina = await stack.AccountAsync("ina");
        var files = StackAdapters.Files(30);
        await ina.CreatedAsync("ina/gone");
        var first = await ina.CommittedAsync("ina/gone", new HubLines().Files(files));
        await ina.CommittedAsync("ina/gone", new HubLines().Delete("adapter_config.json"));
        Task<StackAnswer> DeleteAsync(StackApi api) => api.AtAsync(HttpMethod.Delete, "/api/repos/delete", new { name = "gone", organization = "ina" });
        (await DeleteAsync(Bob)).Refusal(403);
        Assert.Equal(200, (await DeleteAsync(ina)).Status);
        (await DeleteAsync(ina)).Refusal(404, "RepoNotFound");
        foreach (var api in new[] { ina, Bob })
            (await api.InfoAsync("ina/gone", first)).Refusal(404, "RepoNotFound");
        Assert.Equal(0, (await ina.GetAsync<AccountView>("/accounts/ina")).Usage.Bytes);
        (await ina.CommitAsync("ina/gone", new HubLines().File("x.txt", [1]))).Refusal(404, "RepoNotFound");

        await ina.CreatedAsync("ina/gone", isPrivate: true);
        Assert.Equal(HubCalls.EmptyCommit, await ina.ShaAsync("ina/gone"));
        var again = await ina.CommittedAsync("ina/gone", new HubLines().Files(files));
        Assert.Equal(again, await ina.ShaAsync("ina/gone"));
        (await Bob.InfoAsync("ina/gone")).Refusal(404, "RepoNotFound");
        Assert.Equal(200, (await stack.Admin.AtAsync(HttpMethod.Delete, "/api/repos/delete", new { name = "gone", organization = "ina" })).Status);
    });

    [Fact]
    public Task Preupload_says_how_each_file_is_sent() => stack.RunAsync(async () =>
    {
        const string old = "unknown/None; hf_hub/0.36.0; python/3.12", xet = "unknown/None; hf_hub/1.23.0; python/3.14.8";
        var files = StackAdapters.Files(29);
        await Ann.PublishedAsync("ann/asked", files);
        async Task<JsonArray> AskAsync(string? agent, params (string Path, long Size)[] asked) =>
            (await Ann.AtAsync(HttpMethod.Post, "/api/models/ann/asked/preupload/main", new { files = asked.Select(f => new { path = f.Path, size = f.Size, sample = "AAAA" }), gitAttributes = "x" },
                agent is null ? [] : [("User-Agent", agent)])).Json()["files"]!.AsArray();
        var (small, middle, large) = (("a.txt", 1L << 20), ("b.bin", 200L << 20), ("c.bin", 300L << 20));
        Assert.Equal(["regular", "lfs", "lfs"], (await AskAsync(null, small, middle, large)).Select(f => (string)f!["uploadMode"]!));
        Assert.Equal(["regular", "lfs", "lfs"], (await AskAsync(old, small, middle, large)).Select(f => (string)f!["uploadMode"]!));
        Assert.Equal(["regular", "regular", "lfs"], (await AskAsync(xet, small, middle, large)).Select(f => (string)f!["uploadMode"]!));
        Assert.All(await AskAsync(xet, small, ("empty", 0)), f => Assert.False((bool)f!["shouldIgnore"]!));

        // What is there already is named as the client would name its own.
        const string weights = "adapter_model.safetensors";
        Assert.Equal(GitBlobHash.Of(files[weights]), (string)(await AskAsync(old, (weights, 10)))[0]!["oid"]!);
        Assert.Equal(Digest.Of(files[weights]).Hex, (string)(await AskAsync(old, (weights, 2 << 20)))[0]!["oid"]!);
        Assert.False((await AskAsync(old, small))[0]!.AsObject().ContainsKey("oid"));

        Task<StackAnswer> PostAsync(StackApi api, object body, string repository = "ann/asked", string revision = "main") => api.AtAsync(HttpMethod.Post, $"/api/models/{repository}/preupload/{revision}", body);
        Assert.Contains("'../x'", (await PostAsync(Ann, new { files = new[] { new { path = "../x", size = 1 } } })).Refusal(400), StringComparison.Ordinal);
        (await PostAsync(Ann, new { files = Array.Empty<object>() }, revision: "dev")).Refusal(404, "RevisionNotFound");
        (await PostAsync(Bob, new { files = Array.Empty<object>() })).Refusal(403);
        (await PostAsync(Ann, new { files = Array.Empty<object>() }, "ann/nothing")).Refusal(404, "RepoNotFound");
    });

    [Fact]
    public Task A_card_is_checked_before_it_is_sent() => stack.RunAsync(async () =>
    {
        Task<StackAnswer> AskAsync(string content) => stack.Anonymous.AtAsync(HttpMethod.Post, "/api/validate-yaml", new { content, repoType = "model" });
        var fine = await AskAsync("---\nlicense: mit\nbase_model: org/base\n---\n# Card\n");
        Assert.Equal((200, 0, 0), (fine.Status, fine.Json()["errors"]!.AsArray().Count, fine.Json()["warnings"]!.AsArray().Count));
        Assert.StartsWith("Line 1: ", (string)(await AskAsync("# No front matter")).Json()["warnings"]![0]!["message"]!, StringComparison.Ordinal);
        foreach (var wrong in new[] { "---\n- a\n---\n", "---\nx: &a 1\ny: *a\n---\n", "---\nx: [\n---\n", "---\nlicense: mit\n", $"---\nx: {new string('y', 70_000)}\n---\n" })
        {
            var answer = await AskAsync(wrong);
            Assert.Equal(400, answer.Status);
            Assert.False(string.IsNullOrEmpty((string)answer.Json()["errors"]![0]!["message"]!));
        }
    });

    private static Task<StackAnswer> SetAsync(StackApi api, string repository, object body) => api.AtAsync(HttpMethod.Put, $"/api/models/{repository}/settings", body);
}
