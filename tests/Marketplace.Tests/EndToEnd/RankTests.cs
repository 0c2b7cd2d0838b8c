using System.Text;
using System.Text.Json.Nodes;
using Marketplace.Core;
using Marketplace.Core.Api;
using Marketplace.Core.Formats;
using Marketplace.Core.Merges;
using Marketplace.Core.Methods;
using Marketplace.Tests.Algebra;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.EndToEnd;

/// <summary>Any smaller rank of a published version, over HTTP.</summary>
public sealed class RankTests(RankTests.Fixture fixture) : IClassFixture<RankTests.Fixture>
{
    private static readonly string[] Names = [RepositoryPath.Config, RepositoryPath.Weights];

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

    [Theory]
    [InlineData("llama/plain", 2)]
    [InlineData("llama/plain", 3)]
    [InlineData("llama/patterns_rslora", 4)] // one module has rank 5, the other 4
    [InlineData("llama/all_linear", 1)]
    [InlineData("llama/bf16", 2)]
    [InlineData("gpt2/plain", 2)]
    public Task A_version_comes_at_any_smaller_rank(string name, int rank) => stack.RunAsync(async () =>
    {
        var files = Files(name);
        var version = await fixture.Ann.PublishedAsync($"ann/{name.Replace('/', '-')}-{rank}", files);

        var view = await stack.Anonymous.GetAsync<RankView>($"/adapters/{version.Adapter}/versions/main/ranks/{rank}");
        var (config, weights) = (await DownloadAsync(version, Names[0], rank), await DownloadAsync(version, Names[1], rank));

        Assert.Equal((version, rank, true), (view.Version, view.Rank, view.Truncated));
        Assert.Equal(Names, view.Files.Select(f => f.Path));
        Assert.Equal(
            [(Digest.Of(config).Hex, config.LongLength, GitBlobHash.Of(config)), (Digest.Of(weights).Hex, weights.LongLength, GitBlobHash.Of(weights))],
            view.Files.Select(f => (f.Sha256, f.Size, f.GitSha1)));
        using var stored = Read(files[Names[0]], files[Names[1]]);
        using var truncated = Read(config, weights);
        Assert.Equal((rank, (double)rank, false), (truncated.Config.Rank, truncated.Config.Alpha, truncated.Config.UseRsLora));
        Assert.Equal((stored.Config.BaseModel, stored.Config.FanInFanOut), (truncated.Config.BaseModel, truncated.Config.FanInFanOut));
        Assert.Equal(stored.Modules.Max(m => m.Rank), view.StoredRank);
        Assert.Equal(stored.Modules.Select(m => m.Name), view.Modules.Select(m => m.Module));
        var type = Types(weights).Distinct().Single();
        Assert.Equal(Types(files[Names[1]]).Distinct().Single(), type);
        var (discarded, total) = (0d, 0d);
        foreach (var (module, report) in stored.Modules.Zip(view.Modules))
        {
            var dense = Dense.Of(stored.Delta(module.Name)!);
            Dense.AssertClose(Dense.Truncate(dense, rank), truncated.Delta(module.Name)!, type == TensorType.BF16 ? 1.0 / 128 : 1e-6);
            Assert.Equal(rank, truncated.Find(module.Name)!.Rank);
            double[] energies = [.. Dense.SingularValues(dense).Select(s => s * s)];
            Assert.Equal(energies.Skip(rank).Sum() / energies.Sum(), report.DiscardedEnergy, 1e-12);
            (discarded, total) = (discarded + energies.Skip(rank).Sum(), total + energies.Sum());
        }

        Assert.Equal(discarded / total, view.DiscardedEnergy, 1e-12);
    });

    [Fact]
    public Task The_redirect_says_what_it_leads_to() => stack.RunAsync(async () =>
    {
        var version = await fixture.Ann.PublishedAsync("ann/redirect", Files("llama/plain"));
        var view = await stack.Anonymous.GetAsync<RankView>($"/adapters/ann/redirect/versions/{version.Id}/ranks/1");
        var answer = await stack.Anonymous.SendAsync(HttpMethod.Get, $"/adapters/ann/redirect/versions/main/files/{Names[1]}?rank=1");
        Assert.Equal(302, answer.Status);
        Assert.Equal($"\"{view.Files[1].Sha256}\"", answer.Headers["ETag"]);
        Assert.Equal($"\"{view.Files[1].Sha256}\"", answer.Headers["X-Linked-Etag"]);
        Assert.Equal(view.Files[1].Size.ToString(), answer.Headers["X-Linked-Size"]);
        Assert.Equal("no-store, private", string.Join(", ", answer.Headers["Cache-Control"].Split(", ").Order()));
        using var storage = new HttpClient();
        using var response = await storage.GetAsync(answer.Headers["Location"], TestContext.Current.CancellationToken);
        Assert.Equal($"attachment; filename=\"{Names[1]}\"", response.Content.Headers.ContentDisposition!.ToString());
    });

    [Fact]
    public Task What_was_computed_once_is_kept_and_is_what_the_core_computes() => stack.RunAsync(async () =>
    {
        var files = Files("llama/plain", alpha: 7);
        var version = await fixture.Ann.PublishedAsync("ann/kept", files);

        // Both ask at once, before anything is there.
        var answers = await Task.WhenAll(Enumerable.Range(0, 2).Select(_ => stack.Anonymous.SendAsync(HttpMethod.Get, "/adapters/ann/kept/versions/main/ranks/2")));
        Assert.Equal(answers[0].Body, answers[1].Body);
        using var adapter = Read(files[Names[0]], files[Names[1]]);
        Assert.True(RankTruncation.TryCreate(adapter, 2, TensorType.F32, out var truncation, out _));
        using var stream = new MemoryStream();
        truncation.Export.Write(stream);
        Assert.Equal(stream.ToArray(), await DownloadAsync(version, Names[1], 2));
        Assert.Equal(truncation.Export.Config.ToJson(), await DownloadAsync(version, Names[0], 2));

        var (weights, place) = (Digest.Of(files[Names[1]]), $"{Digest.Of(files[Names[0]])}/2/manifest.json");
        var manifest = (await stack.Storage.Derived.ReadAsync(weights, RankTruncation.Version, place, TestContext.Current.CancellationToken))!.ToString();
        var marked = JsonNode.Parse(manifest)!;
        marked["discardedEnergy"] = 0.125;
        await stack.Storage.Derived.PutAsync(weights, RankTruncation.Version, place, Encoding.UTF8.GetBytes(marked.ToJsonString()), TestContext.Current.CancellationToken);
        Assert.Equal(0.125, (await stack.Anonymous.GetAsync<RankView>("/adapters/ann/kept/versions/main/ranks/2")).DiscardedEnergy);
    });

    [Fact]
    public Task Equal_weights_under_other_configurations_are_other_adapters() => stack.RunAsync(async () =>
    {
        var once = await fixture.Ann.PublishedAsync("ann/alpha", Files("llama/plain", alpha: 4));
        var doubled = await fixture.Ann.PublishedAsync("ann/alpha", Files("llama/plain", alpha: 8));
        using var first = Read(await DownloadAsync(once, Names[0], 2), await DownloadAsync(once, Names[1], 2));
        using var second = Read(await DownloadAsync(doubled, Names[0], 2), await DownloadAsync(doubled, Names[1], 2));
        foreach (var module in first.Modules)
            Dense.AssertClose(Dense.Sum((2, Dense.Of(first.Delta(module.Name)!))), second.Delta(module.Name)!, 1e-6);
    });

    [Theory]
    [InlineData("llama/plain", 4)]
    [InlineData("llama/plain", 99)]
    [InlineData("llama/dora", 4)] // nothing is truncated, so nothing is lost
    public Task A_rank_that_is_not_smaller_answers_with_the_stored_files(string name, int rank) => stack.RunAsync(async () =>
    {
        var files = Files(name);
        var version = await fixture.Ann.PublishedAsync($"ann/whole-{name.Replace('/', '-')}-{rank}", files);
        var view = await stack.Anonymous.GetAsync<RankView>($"/adapters/{version.Adapter}/versions/main/ranks/{rank}");
        Assert.Equal((4, 4, false, 0d), (view.Rank, view.StoredRank, view.Truncated, view.DiscardedEnergy));
        Assert.Equal(Names.Select(n => Digest.Of(files[n]).Hex), view.Files.Select(f => f.Sha256));
        Assert.Empty(view.Modules);
        foreach (var path in Names)
            Assert.Equal(files[path], await DownloadAsync(version, path, rank));
    });

    [Theory]
    [InlineData("llama/dora", MergeProblem.DoraNotMergeable)]
    [InlineData("llama/lora_bias", MergeProblem.LoraBiasNotMergeable)]
    [InlineData("llama/modules_to_save", MergeProblem.CarriedNotMergeable)]
    [InlineData("llama/embed", MergeProblem.CarriedNotMergeable)] // the base's own table, which PEFT saves beside the factors
    [InlineData("gpt2/bias_all", MergeProblem.CarriedNotMergeable)]
    public Task What_truncation_would_lose_is_refused(string name, string code) => stack.RunAsync(async () =>
    {
        var version = await fixture.Ann.PublishedAsync($"ann/refused-{name.Replace('/', '-')}", Files(name));
        foreach (var route in new[] { "ranks/2", $"files/{Names[0]}?rank=2", $"files/{Names[1]}?rank=2" })
        {
            var problem = (await stack.Anonymous.SendAsync(HttpMethod.Get, $"/adapters/{version.Adapter}/versions/main/{route}")).Problem(422, "rank-not-available");
            Assert.Contains(problem.Issues!, i => i.Code == code);
        }
    });

    [Fact]
    public Task Values_that_the_element_type_can_not_hold_are_refused() => stack.RunAsync(async () =>
    {
        // In F16 the stored factors fit, but folded into B the scaling does not.
        var large = new float[] { 60_000, 0, 0, 60_000 };
        using var stream = new MemoryStream();
        SafetensorsWriter.Write(
            stream,
            new[] { "A", "B" }.Select(f => TensorSource.FromDoubles(
                $"base_model.model.model.layers.0.self_attn.q_proj.lora_{f}.weight", TensorType.F16, [2, 2], () => [.. large.Select(x => (double)x)])),
            SafetensorsWriter.PyTorch);
        var config = JsonNode.Parse(StackAdapters.Config(StackAdapters.BaseModel))!;
        config["lora_alpha"] = 20;
        config["target_modules"] = new JsonArray("q_proj");
        await fixture.Ann.PublishedAsync("ann/large", new Dictionary<string, byte[]> { [Names[0]] = Encoding.UTF8.GetBytes(config.ToJsonString()), [Names[1]] = stream.ToArray() });
        var problem = (await stack.Anonymous.SendAsync(HttpMethod.Get, "/adapters/ann/large/versions/main/ranks/1")).Problem(422, "rank-not-available");
        Assert.Equal([ExportProblem.Overflow], problem.Issues!.Select(i => i.Code));
    });

    [Fact]
    public Task A_rank_that_is_none_and_a_file_that_has_none_are_refused() => stack.RunAsync(async () =>
    {
        var files = Files("llama/plain");
        files["README.md"] = "# Card\n"u8.ToArray();
        await fixture.Ann.PublishedAsync("ann/odd", files);
        foreach (var rank in new[] { "0", "-1", "two", "1.5", "99999999999", "%20" })
        {
            Refused($"ranks/{rank}", "rank");
            Refused($"files/{Names[1]}?rank={rank}", "rank");
        }

        Refused("files/README.md?rank=2", "path");
        (await stack.Anonymous.SendAsync(HttpMethod.Get, "/adapters/ann/odd/versions/7/ranks/2")).Problem(404, "not-found");

        void Refused(string route, string place) => Assert.Contains(
            stack.Anonymous.SendAsync(HttpMethod.Get, $"/adapters/ann/odd/versions/main/{route}").GetAwaiter().GetResult().Problem(400, "invalid-request").Issues!,
            i => i.Path == place);
    });

    [Fact]
    public Task A_private_version_is_truncated_for_its_owner_alone() => stack.RunAsync(async () =>
    {
        var version = await fixture.Ann.PublishedAsync("ann/secret", Files("llama/plain", alpha: 3), isPrivate: true);
        var view = await fixture.Ann.GetAsync<RankView>("/adapters/ann/secret/versions/main/ranks/2");
        Assert.Equal(view.Files[1].Size, (await fixture.Ann.DownloadAsync(version, $"{Names[1]}?rank=2")).Length);
        foreach (var caller in new[] { await stack.AccountAsync("eve"), stack.Anonymous })
        {
            foreach (var route in new[] { "ranks/2", $"files/{Names[1]}?rank=2", "ranks/99", "ranks/nonsense" })
                (await caller.SendAsync(HttpMethod.Get, $"/adapters/ann/secret/versions/main/{route}")).Problem(404, "not-found");
        }
    });

    private Task<byte[]> DownloadAsync(VersionReference version, string path, int rank) => stack.Anonymous.DownloadAsync(version, $"{path}?rank={rank}");

    // The two files of an adapter that PEFT wrote, perhaps with another alpha.
    private static Dictionary<string, byte[]> Files(string name, int? alpha = null)
    {
        var files = Names.ToDictionary(n => n, n => File.ReadAllBytes(Path.Combine(Fixtures.Adapter(name), n)));
        if (alpha is not null)
        {
            var config = JsonNode.Parse(files[Names[0]])!;
            config["lora_alpha"] = alpha;
            files[Names[0]] = Encoding.UTF8.GetBytes(config.ToJsonString());
        }

        return files;
    }

    private static Adapter Read(byte[] config, byte[] weights)
    {
        Assert.True(AdapterReader.TryRead(config, weights, out var adapter, out var issues), string.Join('\n', issues));
        return adapter;
    }

    private static IEnumerable<TensorType> Types(byte[] weights)
    {
        Assert.True(SafetensorsFile.TryRead(weights, out var file, out _));
        using (file)
            return [.. file.Tensors.Select(t => t.Type)];
    }
}
