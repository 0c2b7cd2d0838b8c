using Marketplace.Core;
using Marketplace.Core.Algebra;
using Marketplace.Core.Merges;
using Marketplace.Kernels.Merges;

namespace Marketplace.Kernels.Tests.Merges;

public class SpanKernelTests
{
    private static readonly MergeRecipe[] All =
    [
        MergeRecipe.Over("slerp", 1, 1).With("t", 0.3),
        MergeRecipe.Over("slerp", 1, 1).With("t", RecipeValue.OverLayers(0, 1)) with { Rank = 3 },
        MergeRecipe.Over("nuslerp", 2, 3),
        MergeRecipe.Over("nuslerp", 2, 3).With("per", RecipeValue.Of("row")),
        MergeRecipe.Over("nuslerp", 2, 3).With("per", RecipeValue.Of("column")).With("lambda", 0.7),
        MergeRecipe.Over("multislerp", 0.5, -0.3, 0.7),
        MergeRecipe.Over("multislerp", 0.5, 0.3, 0.7).With("normalize_weights", RecipeValue.Of(false)),
        MergeRecipe.Over("karcher", 1, 1, 2),
        MergeRecipe.Over("karcher", 1, 1, 2).With("max_iter", 100).With("tol", 1e-6) with { Energy = 0.9 },
        MergeRecipe.Over("model_stock", 1, 1, 1),
        MergeRecipe.Over("model_stock", 1, 1, 1).With("filter_wise", RecipeValue.Of(true)),
    ];

    public static TheoryData<int> Recipes => [.. Enumerable.Range(0, All.Length)];

    [Theory]
    [MemberData(nameof(Recipes))]
    public void Kernels_compute_what_the_core_computes(int index)
    {
        var recipe = All[index];
        var inputs = Agreeing()[..recipe.Inputs.Count];
        Assert.True(MergePlan.TryCreate(recipe, inputs, out var plan, out var problems), string.Join('\n', problems));
        var expected = Merging.Run(plan, inputs).ToList();
        var actual = TorchMerge.Run(plan, inputs, new(KernelDevice.Cpu, 2), cancellation: TestContext.Current.CancellationToken).ToList();
        Assert.Equal(expected.Count, actual.Count);
        Assert.Contains(expected, e => e.Report.Norm > 0);
        foreach (var (e, a) in expected.Zip(actual))
        {
            Assert.Equal(e.Module, a.Module);
            Assert.Equal(e.Report.MissingIn, a.Report.MissingIn);
            Assert.Equal(e.Report.Norm, a.Report.Norm, 1e-10 * e.Report.Norm);
            Assert.Equal(e.Report.DiscardedNorm, a.Report.DiscardedNorm, 1e-10 * e.Report.Norm);
            Assert.InRange(Deltas.Distance(e.Delta, a.Delta), 0, 1e-10 * Deltas.Norm(e.Delta));
        }
    }

    // Random adapters are all but orthogonal, for which model_stock takes little or nothing: so the third is near the sum of the others.
    private static Adapter[] Agreeing()
    {
        var mixed = Libraries.Mixed();
        var sum = Libraries.Adapter(
            mixed[0].Modules.Select(m => m with { Rank = 13, Scaling = 1 }),
            m => Deltas.WeightedSum([(1, mixed[0].Delta(m.Name)!), (1, mixed[1].Delta(m.Name)!), (0.1, Libraries.Adapter(5, 2, (m.Name, m.Out, m.In)).Delta(m.Name)!)]));
        return [mixed[0], mixed[1], sum];
    }
}
