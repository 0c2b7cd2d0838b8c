using System.Text;
using System.Text.Json;
using Marketplace.Core;
using Marketplace.Core.Algebra;
using Marketplace.Core.Formats;
using Marketplace.Core.Merges;
using Marketplace.Core.Methods;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Algebra;

/// <summary>Adapters that PEFT wrote: merges against exact sums recorded in float64, and against PEFT's own where those are right.</summary>
public sealed class MergeFixtureTests
{
    private static readonly string[] Modules = ["model.layers.0.mlp.down_proj", "model.layers.1.self_attn.v_proj"];

    [Theory]
    [InlineData("abc_pos")]
    [InlineData("abc_neg")]
    [InlineData("abd_pos")]
    [InlineData("abd_neg")]
    [InlineData("ef_pos")]
    [InlineData("ef_neg")]
    public void Sums_truncations_and_singular_values_equal_the_recorded_ones(string name)
    {
        using var expected = PeftFiles.Open("merge", "expected_exact", name + ".safetensors");
        var inputs = Inputs(Strings(expected, "adapters"));
        var weights = JsonSerializer.Deserialize<double[]>(expected.Header.Metadata["weights"])!;
        foreach (var module in Modules)
        {
            Dense.AssertClose(PeftFiles.Dense(expected, "full." + module), Merge(new("cat", weights), inputs, module).Delta, 1e-12);
            Dense.AssertClose(PeftFiles.Dense(expected, "full." + module), Merge(new("linear", weights, Normalize: false), inputs, module).Delta, 1e-12);
            var s = PeftFiles.Matrix(expected, "singular_values." + module).Values;
            var sum = Deltas.WeightedSum([.. weights.Zip(inputs, (w, a) => (w, a.Delta(module)!))]);
            Dense.AssertClose([.. s.Take(sum.Rank)], [.. LowRankSvd.Of(sum).S.Take(s.Length)], 1e-12 * s[0]);
            foreach (var rank in new[] { 2, 4 })
            {
                var merged = Merge(new("svd", weights, rank), inputs, module);
                Dense.AssertClose(PeftFiles.Dense(expected, $"rank{rank}." + module), merged.Delta, 1e-10);
                Assert.Equal(Math.Sqrt(s.Skip(rank).Sum(x => x * x)), merged.Report.DiscardedNorm, 1e-12 * s[0]);
            }
        }
    }

    [Theory]
    [InlineData("cat_pos", 1)]
    [InlineData("cat_neg", 1)]
    [InlineData("cat_mixed_rank_pos", 1)]
    [InlineData("cat_rslora_pos", 2.8284271247461903)] // PEFT keeps use_rslora with alpha = r: its scale is √8 instead of 1
    public void Cat_equals_the_one_of_peft_where_that_is_right(string name, double factor)
    {
        var recipe = Case(name);
        var inputs = Inputs(recipe.GetProperty("adapters").Deserialize<string[]>()!);
        var weights = recipe.GetProperty("weights").Deserialize<double[]>()!;
        using var peft = PeftFiles.Load("merge", "peft", name);
        using var expected = PeftFiles.Open("merge", "peft", name, "expected.safetensors");
        Assert.True(MergePlan.TryCreate(MergeRecipe.Over("cat", weights), inputs, out var plan, out _));
        Assert.Equal(peft.Modules.Select(m => (m.Name, m.Out, m.In, m.Rank)), plan.Modules.Select(m => (m.Module.Name, m.Module.Out, m.Module.In, m.Module.Rank)));
        foreach (var merged in Merging.Run(plan, inputs))
        {
            var ours = Adapters.Scale(merged.Delta, factor);
            Dense.AssertClose(Dense.Of(peft.Delta(merged.Module.Name)!), ours, 1e-6);
            Assert.Equal(0, Deltas.Distance(peft.Delta(merged.Module.Name)!, ours), 1e-6 * Deltas.Norm(ours));
            if (Modules.Contains(merged.Module.Name))
                Dense.AssertClose(PeftFiles.Dense(expected, "delta." + merged.Module.Name), ours, 1e-6);
        }
    }

    [Theory]
    [InlineData("\"use_rslora\": false", "\"use_rslora\": true", "\"lora_alpha\": 8", "\"lora_alpha\": 4")] // 4 ∕ √4 = 8 ∕ 4
    [InlineData("\"alpha_pattern\": {}", "\"alpha_pattern\": {\"layers.*_proj\": 8}", "\"lora_alpha\": 8", "\"lora_alpha\": 1")]
    public void A_scaling_means_the_same_however_the_configuration_spells_it(string first, string firstChange, string second, string secondChange)
    {
        var folder = Path.Combine(Fixtures.Root, "merge", "adapters", "a");
        var (config, weights) = (File.ReadAllText(Path.Combine(folder, "adapter_config.json")), File.ReadAllBytes(Path.Combine(folder, "adapter_model.safetensors")));
        var changed = config.Replace(first, firstChange, StringComparison.Ordinal).Replace(second, secondChange, StringComparison.Ordinal);
        Assert.NotEqual(config, changed);
        Assert.True(AdapterReader.TryRead(Encoding.UTF8.GetBytes(changed), weights, out var other, out _));
        var inputs = Inputs(["a", "e_rslora"]);
        foreach (var module in Modules)
            Assert.Equal(
                Merge(new("linear"), inputs, module).Delta.B.Values,
                Merge(new("linear"), [other, inputs[1]], module).Delta.B.Values);
    }

    private static MergedModule Merge(WeightedSum recipe, Adapter[] inputs, string module)
    {
        Assert.True(MergePlan.TryCreate(recipe.Over(inputs.Length), inputs, out var plan, out _));
        return Merging.Merge(plan.Modules.Single(m => m.Module.Name == module), inputs, ReferenceKernels.Instance);
    }

    private static Adapter[] Inputs(string[] names) => [.. names.Select(n => PeftFiles.Load("merge", "adapters", n))];

    private static string[] Strings(SafetensorsFile file, string key) =>
        JsonSerializer.Deserialize<string[]>(file.Header.Metadata[key].Replace('\'', '"'))!;

    private static JsonElement Case(string name) =>
        JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Fixtures.Root, "merge", "cases.json"))).RootElement
            .GetProperty("cases").EnumerateArray().Single(c => c.GetProperty("case").GetString() == name);
}
