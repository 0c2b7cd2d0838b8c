using Marketplace.Core;
using Marketplace.Core.Algebra;
using Marketplace.Core.Merges;
using Marketplace.Tests.Algebra;
using Xunit;

namespace Marketplace.Tests.Merges;

/// <summary>
/// TIES, pruning and DARE on ΔW against references recorded in float64, and against PEFT's <c>*_svd</c> types, which in the recorded version multiply
/// deltas that hold their scaling by weights that hold it too.
/// </summary>
public sealed class ElementwisePeftTests
{
    private const string Masked = "model.layers.0.self_attn.q_proj";

    private static readonly string[] Modules = ["model.layers.0.mlp.down_proj", "model.layers.1.self_attn.v_proj"];

    [Theory]
    [InlineData("pos", "ties_elect_unweighted_div_count", "ties", "unweighted", "count")]
    [InlineData("neg", "ties_elect_unweighted_div_count", "ties", "unweighted", "count")]
    [InlineData("pos", "ties_elect_weighted_div_weights", "ties", "weighted", "weights")]
    [InlineData("pos", "magnitude_prune", "magnitude_prune", null, null)]
    [InlineData("neg", "magnitude_prune", "magnitude_prune", null, null)]
    public void Dense_references_are_met_at_full_rank_and_below(string weights, string recorded, string method, string? elect, string? divisor)
    {
        using var expected = PeftFiles.Open("merge", "expected_exact", $"abc_{weights}.safetensors");
        var peftCase = PeftCases.Find($"magnitude_prune_{weights}");
        var recipe = MergeRecipe.Over(method, peftCase.Weights).With("density", peftCase.Density);
        if (elect is not null)
            recipe = recipe.With("elect", RecipeValue.Of(elect)).With("divisor", RecipeValue.Of(divisor!));
        var inputs = peftCase.Inputs();
        foreach (var module in Modules)
        {
            var dense = PeftFiles.Dense(expected, $"{recorded}.{module}");
            var whole = Merge(recipe with { Rank = RecipeRank.Lossless }, inputs, module);
            Dense.AssertClose(dense, whole.Delta, 1e-11);
            var truncated = Merge(recipe, inputs, module);
            Assert.Equal(4, truncated.Delta.Rank); // the largest rank among the inputs
            Dense.AssertClose(Dense.Truncate(dense, 4), truncated.Delta, 1e-10);
            Assert.Equal(Dense.Distance(dense, Dense.Of(truncated.Delta)), truncated.Report.DiscardedNorm, 1e-10);
            Assert.True(truncated.Report.DiscardedNorm > 0.1 * truncated.Report.Norm); // such merges are not of low rank
        }
    }

    [Theory]
    [InlineData("ties_svd_pos")]
    [InlineData("magnitude_prune_svd_pos")]
    public void The_recorded_version_of_peft_gives_what_weights_with_the_scaling_in_them_would(string name)
    {
        var peftCase = PeftCases.Find(name);
        var inputs = peftCase.Inputs();
        using var peft = PeftFiles.Load("merge", "peft", name);
        foreach (var module in peft.Modules)
        {
            var twice = MergeRecipe.Over(peftCase.Type.Replace("_svd", "", StringComparison.Ordinal), [.. peftCase.Weights.Zip(inputs, (w, a) => w * a.Find(module.Name)!.Scaling)])
                .With("density", peftCase.Density);
            if (peftCase.Type == "ties_svd")
                twice = twice.With("elect", RecipeValue.Of("unweighted")).With("divisor", RecipeValue.Of("count"));
            Dense.AssertClose(Dense.Of(peft.Delta(module.Name)!), Merge(twice, inputs, module.Name).Delta, 2e-5);
        }
    }

    [Theory]
    [InlineData("dare_linear_svd_pos")]
    [InlineData("dare_ties_svd_pos")]
    public void With_the_masks_that_torch_drew_dare_is_that_of_peft(string name)
    {
        var peftCase = PeftCases.Find(name);
        using var expected = PeftFiles.Open("merge", "peft", name, "expected.safetensors");
        var inputs = peftCase.Inputs();
        var merge = peftCase.Type == "dare_linear_svd" ? new ElementwiseMerge()
            : new ElementwiseMerge { Combination = Combination.Ties, ElectWeighted = false, Divisor = TiesDivisor.Count };
        Matrix[] kept = [.. inputs.Zip(peftCase.Adapters, (a, n) => Kept(a.Delta(Masked)!, PeftCases.Mask(expected, $"mask.delta.{n}"), peftCase.Density))];
        double[] twice = [.. peftCase.Weights.Zip(inputs, (w, a) => w * a.Find(Masked)!.Scaling)];
        var merged = Recompression.OfDense(DenseElementwise.Combine(merge, kept, twice), new RankPolicy(4));
        Dense.AssertClose(PeftFiles.Dense(expected, "delta." + Masked), merged.Delta, 2e-5);
    }

    private static Matrix Kept(LowRankDelta delta, Matrix mask, double density)
    {
        var dense = MatrixMath.Times(delta.B, delta.A);
        return new(dense.Rows, dense.Columns, [.. dense.Values.Zip(mask.Values, (x, m) => x * m / density)]);
    }

    private static MergedModule Merge(MergeRecipe recipe, Adapter[] inputs, string module)
    {
        Assert.True(MergePlan.TryCreate(recipe, inputs, out var plan, out var problems), string.Join("; ", problems));
        return Merging.Merge(plan.Modules.Single(m => m.Module.Name == module), inputs, ReferenceKernels.Instance);
    }
}
