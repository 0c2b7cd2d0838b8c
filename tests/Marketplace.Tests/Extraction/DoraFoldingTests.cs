using CsCheck;
using Marketplace.Core;
using Marketplace.Core.Algebra;
using Marketplace.Core.Extraction;
using Marketplace.Core.Formats;
using Marketplace.Storage.Jobs;
using Marketplace.Tests.Algebra;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Extraction;

public sealed class DoraFoldingTests
{
    private static readonly RankPolicy Full = RankPolicy.Lossless;

    [Theory]
    [InlineData("llama")]
    [InlineData("gpt2")]
    public void Folded_at_full_rank_it_is_what_peft_merges(string model)
    {
        using var weights = Models.OpenBase(model);
        var folded = Fold(model, weights, Full);
        using var adapter = folded.Adapter;
        using var merged = PeftFiles.Open("adapters", model, "dora", "merged.safetensors");
        Assert.NotEmpty(merged.Tensors);
        foreach (var tensor in merged.Tensors)
        {
            var module = adapter.Find(ModelNaming.ModuleOf(tensor.Name["merged_weight.".Length..])!)!;
            var w0 = weights.Read(weights.FindWeight(module, adapter.Config, out _)!);
            var transposed = model == "gpt2";
            var expected = Dense.Sum(
                (1, Models.Weight(merged.ReadDouble(tensor), module.Out, module.In, transposed)), (-1, Models.Weight(w0.Values, module.Out, module.In, false)));
            Dense.AssertClose(expected, adapter.Delta(module.Name)!, 2e-6);
        }
    }

    [Fact]
    public void The_folded_adapter_has_neither_magnitudes_nor_anything_left_over()
    {
        using var weights = Models.OpenBase("llama");
        var folded = Fold("llama", weights, null);
        using var adapter = folded.Adapter;
        Assert.Empty(adapter.Carried);
        Assert.False(adapter.Config.UseDora);
        Assert.All(adapter.Modules, m => Assert.False(m.HasMagnitude));
        Assert.All(adapter.Modules, m => Assert.Equal(m.Rank, adapter.Delta(m.Name)!.Rank));
        Assert.Equal(adapter.Modules.Select(m => m.Name), folded.Modules.Select(m => m.Module));
    }

    [Fact]
    public void What_truncation_loses_is_the_tail_of_the_spectrum()
    {
        using var weights = Models.OpenBase("llama");
        var full = Fold("llama", weights, Full);
        using var whole = full.Adapter;
        var folded = Fold("llama", weights, new RankPolicy(6));
        using var truncated = folded.Adapter;
        foreach (var (module, report) in folded.Adapter.Modules.Zip(folded.Modules))
        {
            var dense = Dense.Of(whole.Delta(module.Name)!);
            var tail = Math.Sqrt(Dense.SingularValues(dense).Skip(6).Sum(s => s * s));
            Assert.Equal(6, report.RankOut);
            Assert.Equal(tail, report.DiscardedNorm, 1e-9 * Dense.Norm(dense));
            Assert.Equal(tail, Dense.Distance(dense, Dense.Of(truncated.Delta(module.Name)!)), 1e-9 * Dense.Norm(dense));
        }
    }

    [Fact]
    public void Unless_told_otherwise_the_own_rank_and_sixteen_more_are_kept()
    {
        using var weights = Models.OpenBase("llama");
        var folded = Fold("llama", weights, null);
        using var adapter = folded.Adapter;
        Assert.All(folded.Modules, m => Assert.Equal((4, Math.Min(20, adapter.Find(m.Module)!.Out)), (m.RankIn, m.RankOut)));
        Assert.InRange(folded.DiscardedEnergy, 0, 0.5);
    }

    [Fact]
    public void Row_norms_without_the_product_are_those_of_the_dense_sum() => Cases.Delta.Sample(delta =>
    {
        var w0 = Adapters.Fill(new Matrix(delta.Out, delta.In), new Random(7));
        var sum = Dense.Sum((1, Models.Weight(w0.Values, delta.Out, delta.In, false)), (1, Dense.Of(delta)));
        double[] expected = [.. Enumerable.Range(0, delta.Out).Select(i => Math.Sqrt(Dense.Row(sum, i).Sum(x => x * x)))];
        Dense.AssertClose(expected, DoraFolding.RowNorms(w0, delta), 1e-12 * (1 + expected.Max()));
    });

    [Fact]
    public void Magnitudes_that_equal_the_norms_change_nothing()
    {
        var delta = Adapters.Random(new Random(1), 5, 7, 2);
        var w0 = Adapters.Fill(new Matrix(5, 7), new Random(2));
        var folded = DoraFolding.Fold(w0, delta, DoraFolding.RowNorms(w0, delta));
        Dense.AssertClose(Dense.Of(delta), Models.Weight(folded.Values, 5, 7, false), 1e-12);
    }

    [Fact]
    public void A_row_that_vanishes_has_no_direction_and_stays_as_it_is()
    {
        // Row 0 of W₀ + B·A is exactly zero.
        var w0 = new Matrix(2, 2, [1, 2, 3, 4]);
        var delta = new LowRankDelta(new Matrix(2, 1, [-1, 0]), new Matrix(1, 2, [1, 2]));
        Assert.Equal(0, DoraFolding.RowNorms(w0, delta)[0]);
        Assert.Equal([-1, -2, 3, 4], DoraFolding.Fold(w0, delta, [9, 10]).Values);
    }

    [Fact]
    public void A_base_model_that_lacks_the_modules_is_refused_module_by_module()
    {
        using var adapter = AdapterReader.Open(Fixtures.Adapter("llama/dora"));
        using var gpt2 = Models.OpenBase("gpt2");
        Assert.False(DoraFolding.TryFold(adapter, gpt2, null, out _, out var problems, cancellation: TestContext.Current.CancellationToken));
        Assert.Equal(adapter.Modules.Select(m => (WeightsProblem.TensorMissing, m.Name)), problems.Select(p => (p.Code, p.Tensor!)));
    }

    [Fact]
    public void A_base_model_of_other_shapes_is_refused_module_by_module()
    {
        using var adapter = AdapterReader.Open(Fixtures.Adapter("llama/dora"));
        using var tied = Models.OpenBase("llama-tied");
        Assert.False(DoraFolding.TryFold(adapter, tied, null, out _, out var problems, cancellation: TestContext.Current.CancellationToken));
        Assert.All(problems, p => Assert.Equal(WeightsProblem.ShapeMismatch, p.Code));
        Assert.Equal(adapter.Modules.Length, problems.Length);
    }

    [Theory]
    [InlineData("owner/name", true)]
    [InlineData("owner/absent", false)]
    [InlineData("owner", true)]
    [InlineData("../name", false)]
    [InlineData("owner/..", false)]
    [InlineData("", false)]
    public void Base_weights_are_looked_for_under_the_models_name_and_nowhere_else(string name, bool found)
    {
        using var folder = new TemporaryFolder();
        Directory.CreateDirectory(Path.Combine(folder.Path, "mounted", "owner", "name"));
        Directory.CreateDirectory(Path.Combine(folder.Path, "name"));
        Assert.Equal(found, new BaseWeightsFolder(Path.Combine(folder.Path, "mounted")).Find(name) is not null);
        Assert.Null(new BaseWeightsFolder(null).Find("owner/name"));
    }

    private static FoldedDora Fold(string model, BaseWeights weights, RankPolicy? policy)
    {
        var adapter = AdapterReader.Open(Fixtures.Adapter($"{model}/dora"));
        Assert.Contains(adapter.Modules, m => m.HasMagnitude);
        Assert.True(DoraFolding.TryFold(adapter, weights, policy, out var folded, out var problems, cancellation: TestContext.Current.CancellationToken), string.Join('\n', problems));
        return folded;
    }
}
