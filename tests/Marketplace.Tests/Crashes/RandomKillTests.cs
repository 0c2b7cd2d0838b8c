using System.Text.Json;
using Marketplace.Core.Api;
using Marketplace.Core.Formats;
using Marketplace.Core.Merges;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Crashes;

/// <summary>Merges whose process dies at a moment that nobody chose.</summary>
public sealed class RandomKillTests(AzuriteFixture azurite)
{
    private const int Merges = 20;
    private const int Inputs = 8;
    private const int Layers = 6;
    private const int Width = 320;
    private const int Rank = 8;

    private static readonly string[] Methods = ["linear", "ties", "dare_ties", "karcher", "knots", "wudi", "breadcrumbs", "sce", "della", "svd"];

    [Fact]
    public async Task Twenty_merges_of_eight_adapters_each_killed_once_end_as_if_undisturbed()
    {
        await using var stack = await Stack.StartAsync(await azurite.ConnectionStringAsync(), new StackSettings
        {
            Kernels = true,
            Environment = new Dictionary<string, string> { ["DOTNET_TC_CallCounting"] = "0" },
        });
        await stack.RunAsync(async () =>
        {
            var owner = await stack.AccountAsync("ann");
            for (var i = 0; i < Inputs; i++)
                await owner.PublishedAsync($"ann/input-{i}", Files(i));

            var undisturbed = new List<(VersionReference Version, TimeSpan Took)>();
            for (var merge = 0; merge < Merges; merge++)
            {
                var job = await owner.EndedAsync((await owner.PostAsync<JobView>("/merges", Recipe("undisturbed", merge), 202)).JobId);
                undisturbed.Add((Result(job), job.FinishedAt!.Value - job.StartedAt!.Value));
            }

            var random = new Random();
            for (var merge = 0; merge < Merges; merge++)
            {
                var attempts = 0;
                var (id, wasRunning) = ("", false);
                while (!wasRunning)
                {
                    Assert.True(++attempts <= 20, "The merge always ends before it can be killed.");
                    id = (await owner.PostAsync<JobView>("/merges", Recipe($"killed-{attempts}", merge), 202)).JobId;
                    await owner.EventuallyAsync<JobView>($"/jobs/{id}", j => j.Status != "queued");
                    await Task.Delay(undisturbed[merge].Took * random.NextDouble(), TestContext.Current.CancellationToken);
                    await stack.Kernels.KillAsync();
                    wasRunning = (await owner.GetAsync<JobView>($"/jobs/{id}")).Status == "running";
                    await stack.StartKernelsAsync();
                }

                var version = Result(await owner.EndedAsync(id));
                Assert.Equal(undisturbed[merge].Version.Id, version.Id);
                Assert.Equal(1, version.Number);
                Assert.Equal(await FilesOf(undisturbed[merge].Version), await FilesOf(version));
            }

            async Task<IEnumerable<(string, string)>> FilesOf(VersionReference version) =>
                (await owner.GetAsync<VersionView>($"/adapters/{version.Adapter}/versions/{version.Id}")).Files.Select(f => (f.Path, f.Sha256));
        });
    }

    private static MergeRecipe Recipe(string name, int merge)
    {
        var method = MergeMethods.Find(Methods[merge % Methods.Length])!;
        return new(
            method.Name, [.. Enumerable.Range(0, Inputs).Select(i => new RecipeInput($"ann/input-{i}", Weight: method.Weighted ? 1 + (0.1 * ((i + merge) % 5)) : null))],
            new OutputRequest($"ann/{name}-{merge}"), Seed: (ulong)merge);
    }

    private static VersionReference Result(JobView job)
    {
        Assert.True(job.Status == "succeeded", $"{job.Code}: {job.Detail}");
        return JsonSerializer.Deserialize<DerivedResult>(job.Result!.Value, ApiJson.Options)!.Version;
    }

    private static Dictionary<string, byte[]> Files(int seed)
    {
        var random = new Random(seed);
        var tensors = new List<TensorSource>();
        foreach (var module in Enumerable.Range(0, Layers).SelectMany(l => new[] { $"layers.{l}.self_attn.q_proj", $"layers.{l}.self_attn.v_proj" }))
        {
            tensors.Add(Tensor($"base_model.model.model.{module}.lora_A.weight", Rank, Width));
            tensors.Add(Tensor($"base_model.model.model.{module}.lora_B.weight", Width, Rank));
        }

        using var stream = new MemoryStream();
        SafetensorsWriter.Write(stream, tensors, SafetensorsWriter.PyTorch);
        return new() { ["adapter_config.json"] = StackAdapters.Config(StackAdapters.BaseModel, Rank), ["adapter_model.safetensors"] = stream.ToArray() };

        TensorSource Tensor(string name, int rows, int columns)
        {
            var values = Enumerable.Range(0, rows * columns).Select(_ => random.NextDouble() - 0.5).ToArray();
            return TensorSource.FromDoubles(name, TensorType.F32, [rows, columns], () => values);
        }
    }
}
