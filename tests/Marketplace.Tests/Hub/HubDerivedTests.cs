using System.Text;
using System.Text.Json;
using Marketplace.Core;
using Marketplace.Core.Api;
using Marketplace.Core.Formats;
using Marketplace.Core.Merges;
using Marketplace.Core.Methods;
using Marketplace.Storage;
using Marketplace.Tests.Algebra;
using Marketplace.Tests.BaseModels;
using Marketplace.Tests.EndToEnd;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Hub;

/// <summary>What was derived, addressed as clients of the Hub address everything: smaller ranks and the serving profile as revisions, collections and base models as repositories.</summary>
public sealed class HubDerivedTests(HubDerivedTests.Fixture fixture) : IClassFixture<HubDerivedTests.Fixture>
{
    private const string Config = RepositoryPath.Config;
    private const string Weights = RepositoryPath.Weights;

    private readonly Stack stack = fixture.Stack;

    public sealed class Fixture(AzuriteFixture azurite) : StackFixture(azurite, new StackSettings())
    {
        internal StackApi Ann { get; private set; } = null!;

        public override async ValueTask InitializeAsync()
        {
            await base.InitializeAsync();
            Ann = await Stack.AccountAsync("ann");
        }
    }

    [Fact]
    public Task A_smaller_rank_is_a_revision_that_is_found_by_its_name_and_then_by_its_commit() => stack.RunAsync(async () =>
    {
        var files = Files("llama/plain");
        files["README.md"] = "# Card\n"u8.ToArray();
        var version = await fixture.Ann.PublishedAsync("ann/ranked", files);
        var ranks = await stack.Anonymous.GetAsync<RankView>("/adapters/ann/ranked/versions/main/ranks/2");

        var info = await stack.Anonymous.JsonAsync("/api/models/ann/ranked/revision/main-rank2?blobs=true");
        var commit = info.Text("sha");
        Assert.Equal(
            VersionManifest.Create(
                [.. ranks.Files.Select(f => new ManifestFile(f.Path, Digest.Parse(f.Sha256), f.Size, f.GitSha1)), new("README.md", Digest.Of(files["README.md"]), files["README.md"].Length, GitBlobHash.Of(files["README.md"]))],
                version.Id).Id,
            commit);
        Assert.Equal(["README.md", Config, Weights], info.GetProperty("siblings").EnumerateArray().Select(s => s.Text("rfilename")));
        foreach (var spelled in new[] { "v1-rank2", "1-rank2", version.Id + "-rank2", "HEAD-rank2", commit })
            Assert.Equal(commit, (await stack.Anonymous.JsonAsync($"/api/models/ann/ranked/revision/{spelled}")).Text("sha"));

        // What snapshot_download does: from here on the commit alone.
        var paths = (await stack.Anonymous.JsonAsync($"/api/models/ann/ranked/tree/{commit}?recursive=true")).EnumerateArray().Select(e => e.Text("path")).ToList();
        Assert.Equal(["README.md", Config, Weights], paths);
        Assert.Equal(files["README.md"], await DownloadAsync("ann/ranked", commit, "README.md"));
        var (config, weights) = (await DownloadAsync("ann/ranked", commit, Config), await DownloadAsync("ann/ranked", commit, Weights));
        Assert.Equal(ranks.Files.Select(f => f.Sha256), new[] { config, weights }.Select(b => Digest.Of(b).Hex));
        using var truncated = Read(config, weights);
        Assert.Equal(2, truncated.Config.Rank);
        Assert.Equal([commit, version.Id], (await stack.Anonymous.JsonAsync($"/api/models/ann/ranked/commits/{commit}")).EnumerateArray().Select(c => c.Text("id")));

        // A rank that is not smaller is the version itself, and it stays what it is when a new version comes.
        Assert.Equal(version.Id, (await stack.Anonymous.JsonAsync("/api/models/ann/ranked/revision/main-rank64")).Text("sha"));
        await fixture.Ann.PublishedAsync("ann/ranked", Files("llama/rslora"));
        Assert.Equal(weights, await DownloadAsync("ann/ranked", commit, Weights));
        Assert.NotEqual(commit, (await stack.Anonymous.JsonAsync("/api/models/ann/ranked/revision/main-rank2")).Text("sha"));
        HubReadTests.AssertProblem(await stack.Anonymous.AtAsync(HttpMethod.Get, $"/api/models/ann/other/revision/{commit}"), 404, "RepoNotFound");
    });

    [Fact]
    public Task What_was_known_of_a_deleted_adapter_is_not_the_next_one_s() => stack.RunAsync(async () =>
    {
        var version = await fixture.Ann.PublishedAsync("ann/gone", Files("llama/plain"));
        var variant = (await stack.Anonymous.JsonAsync("/api/models/ann/gone/revision/main-rank1")).Text("sha");
        string[] known = [version.Id, variant];
        foreach (var commit in known)
            Assert.Equal(200, (await stack.Anonymous.AtAsync(HttpMethod.Get, $"/ann/gone/resolve/{commit}/{Config}")).Status);
        Assert.Equal(204, (await fixture.Ann.SendAsync(HttpMethod.Delete, "/adapters/ann/gone")).Status);
        foreach (var commit in known)
            HubReadTests.AssertProblem(await stack.Anonymous.AtAsync(HttpMethod.Get, $"/ann/gone/resolve/{commit}/{Config}"), 404, "RepoNotFound");
        await fixture.Ann.PublishedAsync("ann/gone", Files("llama/rslora"));
        foreach (var commit in known)
            HubReadTests.AssertProblem(await stack.Anonymous.AtAsync(HttpMethod.Get, $"/ann/gone/resolve/{commit}/{Config}"), 404, "RevisionNotFound");
        Assert.Single((await stack.Anonymous.JsonAsync("/api/models/ann/gone/commits/main")).EnumerateArray());
    });

    [Fact]
    public Task A_tag_of_that_very_name_wins_and_nonsense_is_no_revision() => stack.RunAsync(async () =>
    {
        var version = await fixture.Ann.PublishedAsync("ann/tagged", Files("llama/plain"));
        await fixture.Ann.SendAsync(HttpMethod.Put, "/adapters/ann/tagged/tags/main-rank1");
        Assert.Equal(version.Id, (await stack.Anonymous.JsonAsync("/api/models/ann/tagged/revision/main-rank1")).Text("sha"));
        foreach (var revision in new[] { "main-rank0", "main-rank", "main-rank-1", "-rank2", "nowhere-rank2", "main-serving-rank2", "serving", "main-rank99999999999" })
            HubReadTests.AssertProblem(await stack.Anonymous.AtAsync(HttpMethod.Get, $"/api/models/ann/tagged/revision/{revision}"), 404, "RevisionNotFound");
    });

    [Theory]
    [InlineData("llama/dora", "main-rank2", MergeProblem.DoraNotMergeable)]
    [InlineData("llama/modules_to_save", "main-rank1", MergeProblem.CarriedNotMergeable)]
    [InlineData("llama/dora", "main-serving", MergeProblem.DoraNotMergeable)]
    [InlineData("llama/lora_bias", "main-serving", MergeProblem.LoraBiasNotMergeable)]
    public Task What_would_lose_something_is_refused_with_the_codes(string name, string revision, string code) => stack.RunAsync(async () =>
    {
        var id = $"ann/{name.Replace('/', '-')}-{revision}";
        await fixture.Ann.PublishedAsync(id, Files(name));
        foreach (var path in new[] { $"/api/models/{id}/revision/{revision}", $"/{id}/resolve/{revision}/{Config}" })
        {
            var answer = await stack.Anonymous.AtAsync(HttpMethod.Get, path);
            HubReadTests.AssertProblem(answer, 400, null);
            Assert.Contains($"[{code}]", answer.Headers["X-Error-Message"], StringComparison.Ordinal);
        }
    });

    [Theory]
    [InlineData("llama/plain")]
    [InlineData("llama/patterns_rslora")]
    [InlineData("llama/layers_to_transform")]
    [InlineData("llama/bf16")]
    [InlineData("gpt2/plain")]
    public Task The_serving_revision_is_the_same_adapter_as_servers_load_it(string name) => stack.RunAsync(async () =>
    {
        var (id, files) = ($"ann/serving-{name.Replace('/', '-')}", Files(name));
        var version = await fixture.Ann.PublishedAsync(id, files);
        var commit = (await stack.Anonymous.JsonAsync($"/api/models/{id}/revision/main-serving")).Text("sha");
        Assert.NotEqual(version.Id, commit);
        var served = new Dictionary<string, byte[]> { [Config] = await DownloadAsync(id, commit, Config), [Weights] = await DownloadAsync(id, commit, Weights) };
        using var stored = Read(files[Config], files[Weights]);
        using var export = Read(served[Config], served[Weights]);
        Assert.Contains(export.Config.Rank, ServingExport.Ranks);
        Assert.Equal(((double)export.Config.Rank, false, stored.Config.FanInFanOut), (export.Config.Alpha, export.Config.UseRsLora, export.Config.FanInFanOut));
        Assert.Empty(export.Config.RankPattern);
        Assert.Empty(export.Config.AlphaPattern);
        Assert.All(export.Modules, m => Assert.Equal(export.Config.Rank, m.Rank));
        var check = ServingLimits.Check(export);
        Assert.Empty(check.Vllm.Concat(check.Lorax));
        foreach (var module in stored.Modules)
            Dense.AssertClose(Dense.Of(stored.Delta(module.Name)!), export.Delta(module.Name)!, name.EndsWith("bf16", StringComparison.Ordinal) ? 1.0 / 128 : 1e-6);
        foreach (var module in export.Modules.Where(m => stored.Find(m.Name) is null))
            Assert.All(export.Delta(module.Name)!.B.Values, v => Assert.Equal(0, v));

        // What has that form already is its own serving revision.
        var again = await fixture.Ann.PublishedAsync(id + "-again", served);
        Assert.Equal(again.Id, (await stack.Anonymous.JsonAsync($"/api/models/{id}-again/revision/main-serving")).Text("sha"));
    });

    [Fact]
    public Task Residuals_of_a_batch_are_a_repository_with_a_folder_for_each() => stack.RunAsync(async () =>
    {
        foreach (var seed in new[] { 1, 2, 3 })
            await fixture.Ann.PublishedAsync($"ann/task-{seed}", StackAdapters.Files(seed));
        var request = new SubtractionBatchRequest([new("ann/task-3", 1)], new("ann/residuals", "{name}-left"), Targets: ["ann/task-1", "ann/task-2"], Beta: 0.5);
        await PrivacyWorld.EndedAsync(fixture.Ann, "/subtractions/batch", request);

        var info = await stack.Anonymous.JsonAsync("/api/models/ann/residuals");
        Assert.Equal(("ann/residuals", "peft", StackAdapters.BaseModel), (info.Text("id"), info.Text("library_name"), info.GetProperty("cardData").Text("base_model")));
        string[] expected = ["README.md", .. new[] { "task-1-left", "task-2-left" }.SelectMany(folder => new[] { $"{folder}/{Config}", $"{folder}/{Weights}" })];
        Assert.Equal(expected, info.GetProperty("siblings").EnumerateArray().Select(s => s.Text("rfilename")).Where(p => p == "README.md" || p.Contains("adapter_")).Order(StringComparer.Ordinal));
        var commit = info.Text("sha");
        Assert.Equal(commit, (await stack.Anonymous.JsonAsync($"/api/models/ann/residuals/revision/{commit}")).Text("sha"));
        foreach (var label in new[] { "task-1-left", "task-2-left" })
        {
            Assert.Equal(await DownloadAsync($"ann/{label}", "main", Weights), await DownloadAsync("ann/residuals", commit, $"{label}/{Weights}"));
            Assert.Equal(await DownloadAsync($"ann/{label}", "main", Config), await DownloadAsync("ann/residuals", "main", $"{label}/{Config}"));
        }

        var card = Encoding.UTF8.GetString(await DownloadAsync("ann/residuals", commit, "README.md"));
        Assert.StartsWith("---\n", card, StringComparison.Ordinal);
        Assert.Contains("`ann/task-1-left`", card, StringComparison.Ordinal);
        Assert.Contains(Digest.Of(Encoding.UTF8.GetBytes(card)).Hex, (await stack.Anonymous.AtAsync(HttpMethod.Head, "/ann/residuals/resolve/main/README.md")).Headers["ETag"], StringComparison.Ordinal);
        Assert.Equal([commit], (await stack.Anonymous.JsonAsync("/api/models/ann/residuals/commits/main")).EnumerateArray().Select(c => c.Text("id")));
        HubReadTests.AssertProblem(await stack.Anonymous.AtAsync(HttpMethod.Get, $"/api/models/ann/residuals/revision/{new string('0', 40)}"), 404, "RevisionNotFound");
    });

    [Fact]
    public Task A_collection_has_what_its_caller_sees_and_gives_way_to_an_adapter() => stack.RunAsync(async () =>
    {
        var members = new List<CollectionMember>();
        foreach (var (label, name, hidden) in new[] { ("c0", "open", false), ("a/b", "hidden", true) })
        {
            var version = await fixture.Ann.PublishedAsync($"ann/part-{name}", StackAdapters.Files(20 + members.Count), hidden);
            members.Add(new(label, AdapterId.Parse(version.Adapter), new(version.Number, version.Id)));
        }

        await stack.Storage.Collections.PutAsync(
            new(AdapterId.Parse("ann/parts"), false, StackAdapters.BaseModel, "library-build", DateTimeOffset.UtcNow, "00f1", "{}", [.. members]), TestContext.Current.CancellationToken);
        var (seen, all) = (await stack.Anonymous.JsonAsync("/api/models/ann/parts"), await fixture.Ann.JsonAsync("/api/models/ann/parts"));
        Assert.Equal(["README.md", $"c0/{Config}", $"c0/{Weights}"], seen.GetProperty("siblings").EnumerateArray().Select(s => s.Text("rfilename")));
        Assert.Contains($"a--b/{Config}", all.GetProperty("siblings").EnumerateArray().Select(s => s.Text("rfilename")));
        Assert.NotEqual(seen.Text("sha"), all.Text("sha"));
        HubReadTests.AssertProblem(await stack.Anonymous.AtAsync(HttpMethod.Get, $"/api/models/ann/parts/revision/{all.Text("sha")}"), 404, "RevisionNotFound");
        Assert.DoesNotContain("hidden", Encoding.UTF8.GetString(await DownloadAsync("ann/parts", "main", "README.md")), StringComparison.Ordinal);

        // A member that is taken down is gone with the next request.
        await stack.Admin.PostAsync<TakedownView>("/adapters/ann/part-open/takedown", new TakedownRequest("legal", "A court said so."), 200);
        Assert.Equal(["README.md"], (await stack.Anonymous.JsonAsync("/api/models/ann/parts")).GetProperty("siblings").EnumerateArray().Select(s => s.Text("rfilename")));

        // A private adapter of the name is there for its owner alone.
        var adapter = await fixture.Ann.PublishedAsync("ann/parts", StackAdapters.Files(30), isPrivate: true);
        Assert.Equal(adapter.Id, (await fixture.Ann.JsonAsync("/api/models/ann/parts")).Text("sha"));
        Assert.Equal(["README.md"], (await stack.Anonymous.JsonAsync("/api/models/ann/parts")).GetProperty("siblings").EnumerateArray().Select(s => s.Text("rfilename")));
    });

    [Fact]
    public Task A_registered_base_model_is_a_repository() => stack.RunAsync(async () =>
    {
        var files = BaseModelFilesOf.Sample();
        await BaseModelFilesOf.RegisteredAsync(stack.Admin, "Lab/Base", files);
        var first = BaseModelFilesOf.DigestOf(files)[..40];
        var info = await stack.Anonymous.JsonAsync("/api/models/lab/base?blobs=true");
        Assert.Equal(("Lab/Base", first, "transformers"), (info.Text("id"), info.Text("sha"), info.Text("library_name")));
        Assert.Equal(files.Keys.Order(StringComparer.Ordinal), (await stack.Anonymous.JsonAsync($"/api/models/Lab/Base/tree/{first}?recursive=1")).EnumerateArray().Select(e => e.Text("path")));
        foreach (var (path, bytes) in files)
            Assert.Equal(bytes, await DownloadAsync("Lab/Base", "main", path));

        // The digest does not tell how to generate; a commit does.
        var other = new Dictionary<string, byte[]>(files) { ["generation_config.json"] = "{\"do_sample\": true}"u8.ToArray() };
        await BaseModelFilesOf.RegisteredAsync(stack.Admin, "lab/base", other);
        var second = (await stack.Anonymous.JsonAsync("/api/models/Lab/Base")).Text("sha");
        Assert.NotEqual(first, second);
        Assert.Equal([second, first], (await stack.Anonymous.JsonAsync("/api/models/Lab/Base/commits/main")).EnumerateArray().Select(c => c.Text("id")));
        Assert.Equal(other["generation_config.json"], await DownloadAsync("Lab/Base", second, "generation_config.json"));
        Assert.Equal(first, (await stack.Anonymous.JsonAsync("/api/models/Lab/Base/revision/1")).Text("sha"));
        HubReadTests.AssertProblem(await stack.Anonymous.AtAsync(HttpMethod.Get, "/lab/base/resolve/main/absent.json"), 404, "EntryNotFound");
        HubReadTests.AssertProblem(await stack.Anonymous.AtAsync(HttpMethod.Get, "/api/models/lab/base/revision/nowhere"), 404, "RevisionNotFound");
    });

    private async Task<byte[]> DownloadAsync(string id, string revision, string path)
    {
        using var http = new HttpClient { BaseAddress = stack.Address };
        // Follows the redirect of a large file.
        return await http.GetByteArrayAsync($"/{id}/resolve/{revision}/{path}", TestContext.Current.CancellationToken);
    }

    private static Dictionary<string, byte[]> Files(string name) => new[] { Config, Weights }.ToDictionary(n => n, n => File.ReadAllBytes(Path.Combine(Fixtures.Adapter(name), n)));

    private static Adapter Read(byte[] config, byte[] weights)
    {
        Assert.True(AdapterReader.TryRead(config, weights, out var adapter, out var issues), string.Join('\n', issues));
        return adapter;
    }
}
