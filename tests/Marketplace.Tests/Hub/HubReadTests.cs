using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Marketplace.Core;
using Marketplace.Core.Api;
using Marketplace.Storage;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Hub;

/// <summary>What the Hub's clients read of adapters, member by member of the protocol.</summary>
public sealed partial class HubReadTests(HubReadTests.Fixture fixture) : IClassFixture<HubReadTests.Fixture>
{
    private const string Id = "ann/sql-lora";
    private const string Other = "notes/ö b.txt";

    private readonly Stack stack = fixture.Stack;

    public sealed class Fixture(AzuriteFixture azurite) : StackFixture(azurite, new StackSettings { Environment = new Dictionary<string, string> { ["Marketplace__HubStreamedBytes"] = "2000000", ["Marketplace__Limits__TrustedProxies"] = "1" } })
    {
        internal StackApi Ann { get; private set; } = null!;

        internal VersionReference First { get; private set; } = null!;

        internal VersionReference Second { get; private set; } = null!;

        internal Dictionary<string, byte[]> Files { get; private set; } = [];

        public override async ValueTask InitializeAsync()
        {
            await base.InitializeAsync();
            Ann = await Stack.AccountAsync("ann");
            First = await Ann.PublishedAsync(Id, StackAdapters.Files(1));
            Files = StackAdapters.Files(2);
            Files["README.md"] = Encoding.UTF8.GetBytes("---\nlicense: mit\ntags:\n- sql\n---\n# Text to SQL\n");
            Files["empty.txt"] = [];
            Files[Other] = "a note"u8.ToArray();
            Files["large.dat"] = [.. Enumerable.Range(0, 1_200_000).Select(i => (byte)i)];
            Files["huge.dat"] = [.. Enumerable.Range(0, 2_100_000).Select(i => (byte)(i / 7))];
            Second = await Ann.PublishedAsync(Id, Files);
            await Ann.SendAsync(HttpMethod.Put, $"/adapters/{Id}/tags/v-stable?revision=1");
        }
    }

    [Fact]
    public Task Info_has_every_member_that_clients_read() => stack.RunAsync(async () =>
    {
        var info = await JsonAsync($"/api/models/{Id}?blobs=true&expand=siblings&expand[]=likes");
        Assert.Equal((Id, Id, "ann", fixture.Second.Id), (info.Text("id"), info.Text("modelId"), info.Text("author"), info.Text("sha")));
        Assert.Matches("^[0-9a-f]{24}$", info.Text("_id"));
        Assert.Matches(Date(), info.Text("lastModified"));
        Assert.Matches(Date(), info.Text("createdAt"));
        foreach (var flag in new[] { "private", "gated", "disabled" })
            Assert.False(info.GetProperty(flag).GetBoolean());
        Assert.Equal((0, 0), (info.GetProperty("downloads").GetInt32(), info.GetProperty("likes").GetInt32()));
        Assert.Equal("peft", info.Text("library_name"));
        var tags = info.GetProperty("tags").EnumerateArray().Select(t => t.GetString()).ToHashSet();
        Assert.Superset(new HashSet<string?> { "peft", "lora", "safetensors", "sql", "license:mit", $"base_model:{StackAdapters.BaseModel}", $"base_model:adapter:{StackAdapters.BaseModel}" }, tags);
        Assert.Equal((StackAdapters.BaseModel, "mit", "peft"), (info.GetProperty("cardData").Text("base_model"), info.GetProperty("cardData").Text("license"), info.GetProperty("cardData").Text("library_name")));
        Assert.Equal((StackAdapters.BaseModel, "CAUSAL_LM"), (info.GetProperty("config").GetProperty("peft").Text("base_model_name_or_path"), info.GetProperty("config").GetProperty("peft").Text("task_type")));
        Assert.Equal(fixture.Files.Sum(f => f.Value.Length), info.GetProperty("usedStorage").GetInt64());

        var siblings = info.GetProperty("siblings").EnumerateArray().ToDictionary(s => s.Text("rfilename"));
        Assert.Equal(fixture.Files.Keys.Order(StringComparer.Ordinal), siblings.Keys.Order(StringComparer.Ordinal));
        foreach (var (path, bytes) in fixture.Files)
        {
            Assert.Equal(bytes.Length, siblings[path].GetProperty("size").GetInt64());
            if (bytes.Length <= LfsPointer.Threshold)
            {
                Assert.Equal(GitBlobHash.Of(bytes), siblings[path].Text("blobId"));
                Assert.False(siblings[path].TryGetProperty("lfs", out _));
                continue;
            }

            var pointer = LfsPointer.Of(Digest.Of(bytes), bytes.Length);
            var large = siblings[path].GetProperty("lfs");
            Assert.Equal((GitBlobHash.Of(pointer), Digest.Of(bytes).Hex, bytes.LongLength, pointer.Length), (siblings[path].Text("blobId"), large.Text("sha256"), large.GetProperty("size").GetInt64(), large.GetProperty("pointerSize").GetInt32()));
        }

        var plain = await JsonAsync($"/api/models/{Id}");
        Assert.All(plain.GetProperty("siblings").EnumerateArray(), s => Assert.Equal(["rfilename"], s.EnumerateObject().Select(p => p.Name)));
        Assert.DoesNotContain("null", plain.GetRawText(), StringComparison.Ordinal);
    });

    [Theory]
    [InlineData("main", 2)]
    [InlineData("HEAD", 2)]
    [InlineData("refs%2Fheads%2Fmain", 2)]
    [InlineData("v-stable", 1)]
    [InlineData("v1", 1)]
    [InlineData("2", 2)]
    public Task Every_spelling_of_a_revision_leads_to_its_commit(string revision, int number) => stack.RunAsync(async () =>
    {
        var commit = number == 1 ? fixture.First.Id : fixture.Second.Id;
        Assert.Equal(commit, (await JsonAsync($"/api/models/{Id}/revision/{revision}")).Text("sha"));
        var file = await stack.Anonymous.AtAsync(HttpMethod.Head, $"/{Id}/resolve/{revision}/adapter_config.json");
        Assert.Equal((200, commit), (file.Status, file.Headers["X-Repo-Commit"]));
        Assert.Equal(commit, (await JsonAsync($"/api/models/{Id}/revision/{commit}")).Text("sha"));
    });

    [Fact]
    public Task A_name_in_another_case_is_the_same_and_answers_as_first_spelled() => stack.RunAsync(async () =>
        Assert.Equal(Id, (await JsonAsync("/api/models/ANN/SQL-lora")).Text("id")));

    [Fact]
    public Task The_tree_has_files_and_folders_as_git_names_them() => stack.RunAsync(async () =>
    {
        var tree = (await JsonAsync($"/api/models/{Id}/tree/main?recursive=true&expand=False")).EnumerateArray().ToList();
        Assert.Equal(fixture.Files.Keys.Append("notes").Order(StringComparer.Ordinal), tree.Select(e => e.Text("path")));
        foreach (var entry in tree.Where(e => e.Text("type") == "file"))
        {
            var bytes = fixture.Files[entry.Text("path")];
            var large = bytes.Length > LfsPointer.Threshold;
            Assert.Equal(bytes.Length, entry.GetProperty("size").GetInt64());
            Assert.Equal(GitBlobHash.Of(large ? LfsPointer.Of(Digest.Of(bytes), bytes.Length) : bytes), entry.Text("oid"));
            Assert.Equal(large ? Digest.Of(bytes).Hex : null, entry.TryGetProperty("lfs", out var lfs) ? lfs.Text("oid") : null);
            Assert.False(entry.TryGetProperty("xetHash", out _));
        }

        var folder = Assert.Single(tree, e => e.Text("type") == "directory");
        Assert.Equal((0, GitTreeHash.Folders([(Other, GitBlobHash.Of(fixture.Files[Other]))])["notes"]), (folder.GetProperty("size").GetInt64(), folder.Text("oid")));

        var top = (await JsonAsync($"/api/models/{Id}/tree/main")).EnumerateArray().Select(e => e.Text("path")).ToList();
        Assert.Contains("notes", top);
        Assert.DoesNotContain(Other, top);
        foreach (var inside in new[] { "notes", "notes/", "notes%2F" })
            Assert.Equal([Other], (await JsonAsync($"/api/models/{Id}/tree/{fixture.Second.Id}/{inside}")).EnumerateArray().Select(e => e.Text("path")));
        AssertProblem(await stack.Anonymous.AtAsync(HttpMethod.Get, $"/api/models/{Id}/tree/main/additional_chat_templates"), 404, "EntryNotFound");
        AssertProblem(await stack.Anonymous.AtAsync(HttpMethod.Get, $"/api/models/{Id}/tree/main/README.md"), 404, "EntryNotFound");
        AssertProblem(await stack.Anonymous.AtAsync(HttpMethod.Get, $"/api/models/{Id}/tree/nowhere"), 404, "RevisionNotFound");
    });

    [Fact]
    public Task With_expand_each_entry_says_which_commit_brought_it() => stack.RunAsync(async () =>
    {
        var tree = (await JsonAsync($"/api/models/{Id}/tree/main?recursive=true&expand=true")).EnumerateArray().ToDictionary(e => e.Text("path"), e => e.GetProperty("lastCommit"));
        Assert.Equal(fixture.First.Id, tree["adapter_config.json"].Text("id"));
        Assert.All(tree.Where(e => e.Key != "adapter_config.json"), e => Assert.Equal(fixture.Second.Id, e.Value.Text("id")));
        Assert.All(tree, e => Assert.Matches(Date(), e.Value.Text("date")));
    });

    [Fact]
    public Task Long_trees_and_histories_come_in_pages_that_lead_on() => stack.RunAsync(async () =>
    {
        Assert.Equal(
            (await JsonAsync($"/api/models/{Id}/tree/main?recursive=true")).EnumerateArray().Select(e => e.Text("path")),
            await PagesAsync($"/api/models/{Id}/tree/main?recursive=true&limit=2", e => e.Text("path")));
        Assert.Equal([fixture.Second.Id, fixture.First.Id], await PagesAsync($"/api/models/{Id}/commits/main?limit=1", e => e.Text("id")));
        Assert.Equal([fixture.First.Id], await PagesAsync($"/api/models/{Id}/commits/1", e => e.Text("id")));
        var commits = await stack.Anonymous.AtAsync(HttpMethod.Get, $"/api/models/{Id}/commits/main");
        Assert.Equal("2", commits.Headers["X-Total-Count"]);
        Assert.False(commits.Headers.ContainsKey("Link"));
        Assert.All(JsonDocument.Parse(commits.Body).RootElement.EnumerateArray(), c =>
        {
            Assert.NotEqual("", c.Text("title"));
            Assert.Equal("ann", Assert.Single(c.GetProperty("authors").EnumerateArray()).Text("user"));
            Assert.Matches(Date(), c.Text("date"));
            c.Text("message");
        });
        foreach (var route in new[] { "tree/main", "commits/main" })
            AssertProblem(await stack.Anonymous.AtAsync(HttpMethod.Get, $"/api/models/{Id}/{route}?cursor=!"), 400, null);
    });

    [Fact]
    public Task Addresses_of_next_pages_name_the_host_that_the_client_asked() => stack.RunAsync(async () =>
    {
        var direct = await stack.Anonymous.AtAsync(HttpMethod.Get, $"/api/models/{Id}/commits/main?limit=1");
        Assert.StartsWith($"<{stack.Address.GetLeftPart(UriPartial.Authority)}/api/models/{Id}/commits/main?limit=1&cursor=", direct.Headers["Link"], StringComparison.Ordinal);
        Assert.EndsWith(">; rel=\"next\"", direct.Headers["Link"], StringComparison.Ordinal);
        var behind = await stack.Anonymous.AtAsync(HttpMethod.Get, $"/api/models/{Id}/commits/main?limit=1", null, ("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "hub.example.org"));
        Assert.StartsWith($"<https://hub.example.org/api/models/{Id}/commits/main?", behind.Headers["Link"], StringComparison.Ordinal);
        var odd = await stack.Anonymous.AtAsync(HttpMethod.Get, $"/api/models/{Id}/commits/main?limit=1", null, ("X-Forwarded-Host", "evil>.org"));
        Assert.StartsWith($"<{stack.Address.GetLeftPart(UriPartial.Authority)}/", odd.Headers["Link"], StringComparison.Ordinal);
    });

    [Fact]
    public Task Paths_are_described_to_forms_and_to_JSON() => stack.RunAsync(async () =>
    {
        var form = new FormUrlEncodedContent([new("paths", "README.md"), new("paths", "absent"), new("paths", "notes"), new("expand", "true")]);
        var python = await stack.Anonymous.AtAsync(HttpMethod.Post, $"/api/models/{Id}/paths-info/main", form);
        Assert.Equal(200, python.Status);
        Assert.Equal(["README.md", "notes"], Elements(python).Select(e => e.Text("path")));
        Assert.Equal(fixture.Second.Id, Elements(python)[0].GetProperty("lastCommit").Text("id"));
        var npm = await stack.Anonymous.AtAsync(HttpMethod.Post, $"/api/models/{Id}/paths-info/{fixture.Second.Id}", new { paths = new[] { "large.dat" }, expand = false });
        Assert.Equal(Digest.Of(fixture.Files["large.dat"]).Hex, Assert.Single(Elements(npm)).GetProperty("lfs").Text("oid"));
        AssertProblem(await stack.Anonymous.AtAsync(HttpMethod.Post, $"/api/models/{Id}/paths-info/main", new StringContent("{", Encoding.UTF8, "application/json")), 400, null);
    });

    [Fact]
    public Task References_are_the_branch_and_the_tags() => stack.RunAsync(async () =>
    {
        var refs = await JsonAsync($"/api/models/{Id}/refs?include_prs=1");
        var main = Assert.Single(refs.GetProperty("branches").EnumerateArray());
        Assert.Equal(("main", "refs/heads/main", fixture.Second.Id), (main.Text("name"), main.Text("ref"), main.Text("targetCommit")));
        var tag = Assert.Single(refs.GetProperty("tags").EnumerateArray());
        Assert.Equal(("v-stable", "refs/tags/v-stable", fixture.First.Id), (tag.Text("name"), tag.Text("ref"), tag.Text("targetCommit")));
        Assert.Empty(refs.GetProperty("converts").EnumerateArray());
        Assert.Empty(refs.GetProperty("pullRequests").EnumerateArray());
        Assert.False((await JsonAsync($"/api/models/{Id}/refs")).TryGetProperty("pullRequests", out _));
    });

    [Fact]
    public Task Names_of_one_part_and_unknown_repositories_are_told_apart_from_nothing() => stack.RunAsync(async () =>
    {
        foreach (var path in new[] { "/api/models/gpt2", "/api/models/gpt2/revision/main", "/api/models/nobody/nothing", "/gpt2/resolve/main/config.json", "/nobody/nothing/resolve/main/config.json", "/api/models/nobody/nothing/refs" })
            AssertProblem(await stack.Anonymous.AtAsync(HttpMethod.Get, path), 404, "RepoNotFound");
        // Loaders of tokenizers list what most models don't have, and go on only if the answer is no more than "not there".
        foreach (var path in new[] { "/api/models/gpt2/tree/main/additional_chat_templates", "/api/models/nobody/nothing/tree/main" })
            AssertProblem(await stack.Anonymous.AtAsync(HttpMethod.Get, path + "?recursive=true"), 404, null);
        foreach (var path in new[] { $"/api/models/{Id}/xet-read-token/main", $"/api/models/{Id}/nonsense", "/api/datasets/a/b", "/api/agent-harnesses" })
            AssertProblem(await stack.Anonymous.AtAsync(HttpMethod.Get, path), 404, null);
        Assert.Equal(404, (await stack.Anonymous.AtAsync(HttpMethod.Head, "/gpt2/resolve/main/config.json")).Status);
    });

    internal static void AssertProblem(StackAnswer answer, int status, string? code)
    {
        Assert.True(answer.Status == status, $"{status} {code} was expected, not {answer.Status}: {answer.Body}");
        Assert.Equal(code, answer.Headers.GetValueOrDefault("X-Error-Code"));
        Assert.StartsWith("application/json", answer.Headers["Content-Type"], StringComparison.Ordinal);
        Assert.Equal(JsonDocument.Parse(answer.Body).RootElement.Text("error").Length > 0, answer.Headers["X-Error-Message"].Length > 0);
    }

    private static List<JsonElement> Elements(StackAnswer answer) => [.. JsonDocument.Parse(answer.Body).RootElement.EnumerateArray()];

    private Task<JsonElement> JsonAsync(string path) => stack.Anonymous.JsonAsync(path);

    private Task<List<string>> PagesAsync(string path, Func<JsonElement, string> item) => stack.Anonymous.PagesAsync(path, item);

    [GeneratedRegex(@"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")]
    private static partial Regex Date();
}
