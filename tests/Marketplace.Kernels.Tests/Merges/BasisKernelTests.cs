using Marketplace.Core.Algebra;
using Marketplace.Core.Merges;
using Marketplace.Kernels.Merges;

namespace Marketplace.Kernels.Tests.Merges;

/// <summary>Basis methods on libtorch and in the core are one formula, so what may differ is rounding.</summary>
public class BasisKernelTests
{
    private static readonly MergeRecipe[] All =
    [
        Weighted("knots"),
        Weighted("knots").With("density", 0.6) with { Rank = 4 },
        Weighted("knots").With("inside", RecipeValue.Of("dare_linear")).With("density", 0.5),
        Weighted("core_space").With("density", 0.4),
        Weighted("core_space").With("inside", RecipeValue.Of("linear")),
        Weighted("core_space").With("inside", RecipeValue.Of("dare_ties")).With("density", 0.5),
        MergeRecipe.Over("wudi", 1, 1, 1),
        MergeRecipe.Over("wudi", 1, 1, 1).With("ridge", 0),
        Weighted("axis"),
        Weighted("axis").With("share", 0.5).With("normalize_sources", RecipeValue.Of(true)),
        Weighted("lego"),
        Weighted("lego").With("svd_basis", RecipeValue.Of(true)).With("parameter_reweighting", RecipeValue.Of("l2")) with { Rank = 5 },
        Weighted("orthogonal_sum"),
    ];

    public static TheoryData<int> Recipes => [.. Enumerable.Range(0, All.Length)];

    [Theory]
    [MemberData(nameof(Recipes))]
    public void Kernels_compute_what_the_core_computes(int index)
    {
        var inputs = Libraries.Mixed();
        Assert.True(MergePlan.TryCreate(All[index], inputs, out var plan, out var problems), string.Join('\n', problems));
        var expected = Merging.Run(plan, inputs).ToList();
        var actual = TorchMerge.Run(plan, inputs, new(KernelDevice.Cpu, 1), cancellation: TestContext.Current.CancellationToken).ToList();
        Assert.Equal(expected.Count, actual.Count);
        foreach (var (e, a) in expected.Zip(actual))
        {
            Assert.Equal(e.Module, a.Module);
            Assert.Equal(e.Report.MissingIn, a.Report.MissingIn);
            Assert.Equal(e.Report.Norm, a.Report.Norm, 1e-9 * e.Report.Norm);
            Assert.InRange(Deltas.Distance(e.Delta, a.Delta), 0, 1e-9 * Deltas.Norm(e.Delta));
        }
    }

    private static MergeRecipe Weighted(string method) => MergeRecipe.Over(method, 0.5, 0.3, 0.7);
}
