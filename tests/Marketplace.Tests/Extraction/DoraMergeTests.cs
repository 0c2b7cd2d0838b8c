using System.Text.Json;
using System.Text.Json.Nodes;
using Marketplace.Core.Api;
using Marketplace.Core.Extraction;
using Marketplace.Core.Formats;
using Marketplace.Core.Merges;
using Marketplace.Tests.Algebra;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Extraction;

/// <summary>Merges of DoRA adapters by the real kernels, with the base model's weights mounted and without.</summary>
public sealed class DoraMergeTests(DoraMergeTests.Fixture fixture) : IClassFixture<DoraMergeTests.Fixture>
{
    public sealed class Fixture : StackFixture
    {
        private static readonly string Folder = Directory.CreateTempSubdirectory("marketplace-base-").FullName;

        public Fixture(AzuriteFixture azurite)
            : base(azurite, new StackSettings { Kernels = true, Environment = new Dictionary<string, string> { ["Marketplace__Kernels__BaseWeights"] = Folder } })
        {
        }

        public override async ValueTask InitializeAsync()
        {
            var model = Directory.CreateDirectory(Path.Combine(Folder, "tiny", "llama")).FullName;
            foreach (var file in Directory.GetFiles(Models.Base("llama")))
                File.Copy(file, Path.Combine(model, Path.GetFileName(file)), overwrite: true);
            await base.InitializeAsync();
            var owner = await Stack.AccountAsync("ann");
            foreach (var (name, source, baseModel) in new[] { ("dora", "dora", "tiny/llama"), ("plain", "plain", "tiny/llama"), ("lost", "dora", "tiny/elsewhere"), ("other", "plain", "tiny/elsewhere") })
                await owner.PublishedAsync($"ann/{name}", Files(source, baseModel));
        }

        private static Dictionary<string, byte[]> Files(string name, string baseModel)
        {
            var folder = Fixtures.Adapter($"llama/{name}");
            var config = JsonNode.Parse(File.ReadAllBytes(Path.Combine(folder, "adapter_config.json")))!;
            config["base_model_name_or_path"] = baseModel;
            return new()
            {
                ["adapter_config.json"] = JsonSerializer.SerializeToUtf8Bytes(config),
                ["adapter_model.safetensors"] = File.ReadAllBytes(Path.Combine(folder, "adapter_model.safetensors")),
            };
        }
    }

    [Fact]
    public Task With_the_base_weights_at_hand_magnitudes_are_folded_in_and_the_result_says_so() => fixture.Stack.RunAsync(async () =>
    {
        var owner = await fixture.Stack.AccountAsync("ann");
        var job = await owner.EndedAsync((await owner.PostAsync<JobView>("/merges", Merge("folded", "ann/dora", "ann/plain"), 202)).JobId);
        Assert.True(job.Status == "succeeded", job.Detail);
        var result = JsonSerializer.Deserialize<DerivedResult>(job.Result!.Value, ApiJson.Options)!;
        Assert.Contains("ann/dora@1", Assert.Single(result.Folded!));
        Assert.Empty(result.NotMerged);

        using var weights = Models.OpenBase("llama");
        Assert.True(DoraFolding.TryFold(
            AdapterReader.Open(Fixtures.Adapter("llama/dora")), weights, null, out var folded, out _, cancellation: TestContext.Current.CancellationToken));
        using var dora = folded.Adapter;
        var version = await owner.GetAsync<VersionView>("/adapters/ann/folded/versions/1");
        Assert.EndsWith($"base-weights-{folded.BaseDigest[..16]}", version.Lineage!.Kernel);

        using var plain = AdapterReader.Open(Fixtures.Adapter("llama/plain"));
        var config = await owner.DownloadAsync(result.Version, "adapter_config.json");
        var bytes = await owner.DownloadAsync(result.Version, "adapter_model.safetensors");
        Assert.True(AdapterReader.TryRead(config, bytes, out var merged, out _));
        using (merged)
        {
            foreach (var module in dora.Modules)
            {
                var terms = new List<(double, double[,])> { (1, Dense.Of(dora.Delta(module.Name)!)) };
                if (plain.Delta(module.Name) is { } other)
                    terms.Add((1, Dense.Of(other)));
                Dense.AssertClose(Dense.Sum([.. terms]), merged.Delta(module.Name)!, 1e-5);
            }
        }
    });

    [Fact]
    public Task Without_them_the_merge_is_refused_and_says_what_would_allow_it() => fixture.Stack.RunAsync(async () =>
    {
        var owner = await fixture.Stack.AccountAsync("ann");
        var job = await owner.EndedAsync((await owner.PostAsync<JobView>("/merges", Merge("refused", "ann/lost", "ann/other"), 202)).JobId);
        Assert.Equal(("failed", "not-mergeable"), (job.Status, job.Code));
        Assert.Contains(MergeProblem.DoraNotMergeable, job.Detail);
        Assert.Contains("Marketplace:Kernels:BaseWeights", job.Detail);
    });

    private static MergeRecipe Merge(string output, params string[] inputs) =>
        new("task_arithmetic", [.. inputs.Select(i => RecipeInput.Of(i, 1))], new OutputRequest("ann/" + output));
}
