using Marketplace.Core;
using Marketplace.Core.Algebra;
using Marketplace.Core.Merges;
using Marketplace.Kernels.Merges;

namespace Marketplace.Kernels.Tests.Merges;

public class TorchMergeTests
{
    private static readonly MergeRecipe[] All =
    [
        MergeRecipe.Over("linear", 0.5, 0.3, 0.7),
        MergeRecipe.Over("linear", 2, -1, 0.5).With("lambda", 1.5),
        MergeRecipe.Over("cat", 0.5, -0.3, 0.7),
        MergeRecipe.Over("cat", 1, 0, 0),
        MergeRecipe.Over("svd", 0.5, 0.3, -0.2),
        MergeRecipe.Over("svd", 0.5, 0.3, -0.2) with { Rank = 3 },
        MergeRecipe.Over("svd", 1, 1, 1) with { Energy = 0.9 },
        MergeRecipe.Over("genknowsub", 1, 1, 3).With("beta", 0.8),
    ];

    public static TheoryData<int> Recipes => [.. Enumerable.Range(0, All.Length)];

    [Theory]
    [MemberData(nameof(Recipes))]
    public void Kernels_compute_what_the_core_computes(int index)
    {
        var recipe = All[index];
        var inputs = Libraries.Mixed();
        var plan = Plan(recipe, inputs);
        var expected = Merging.Run(plan, inputs).ToList();
        var actual = Run(plan, inputs).ToList();
        Assert.Equal(expected.Count, actual.Count);
        foreach (var (e, a) in expected.Zip(actual))
        {
            Assert.Equal(e.Module, a.Module);
            Assert.Equal(e.Report.MissingIn, a.Report.MissingIn);
            Assert.Equal(e.Report.Norm, a.Report.Norm, 1e-10 * e.Report.Norm);
            Assert.Equal(e.Report.DiscardedNorm, a.Report.DiscardedNorm, 1e-10 * e.Report.Norm);
            Assert.InRange(Deltas.Distance(e.Delta, a.Delta), 0, 1e-10 * Deltas.Norm(e.Delta));
            Assert.InRange(LargestDifference(e.Delta, a.Delta), 0, 1e-8); // signs and split of the factors, too
        }
    }

    [Fact]
    public void An_adapter_merged_with_its_negation_vanishes()
    {
        var inputs = new[] { Libraries.Adapter(1, 4, ("q", 40, 30)), Libraries.Adapter(1, 4, ("q", 40, 30)) };
        var merged = Run(Plan(MergeRecipe.Over("svd", 1, -1), inputs), inputs).Single();
        Assert.Equal(1, merged.Report.RankOut);
        Assert.All(merged.Delta.B.Values, x => Assert.Equal(0, x));
    }

    [Theory]
    [InlineData("linear")]
    [InlineData("svd")]
    public void Bytes_do_not_depend_on_the_parallelism(string method)
    {
        var inputs = Libraries.Large();
        var plan = Plan(MergeRecipe.Over(method, 0.5, 0.3, 0.2), inputs);
        var expected = Bits(Run(plan, inputs));
        foreach (var parallelism in new[] { 2, 3, 8 })
            Assert.Equal(expected, Bits(Run(plan, inputs, parallelism)));
    }

    [Fact]
    public void No_tensor_outlives_its_module()
    {
        var delta = Libraries.Adapter(1, 4, ("q", 40, 30)).Delta("q")!;
        var statistics = TorchSharp.DisposeScopeManager.Statistics.TensorStatistics;
        foreach (var policy in new[] { null, RankPolicy.Lossless, new RankPolicy(2) })
        {
            var (alive, outside) = (statistics.ThreadTotalLiveCount, statistics.CreatedOutsideScopeCount);
            TorchRecompression.Of(delta, policy, KernelDevice.Cpu);
            Assert.Equal((alive, outside), (statistics.ThreadTotalLiveCount, statistics.CreatedOutsideScopeCount));
        }
    }

    [Fact]
    public void A_factor_that_is_not_finite_is_refused()
    {
        var delta = Libraries.Adapter(1, 4, ("q", 40, 30)).Delta("q")!;
        delta.A[2, 3] = double.NaN;
        Assert.Throws<NotFiniteNumberException>(() => TorchRecompression.Of(delta, RankPolicy.Lossless, KernelDevice.Cpu));
    }

    private static MergePlan Plan(MergeRecipe recipe, Adapter[] inputs)
    {
        Assert.True(MergePlan.TryCreate(recipe, inputs, out var plan, out var problems), string.Join('\n', problems));
        return plan;
    }

    private static IEnumerable<MergedModule> Run(MergePlan plan, Adapter[] inputs, int parallelism = 1) =>
        TorchMerge.Run(plan, inputs, new(KernelDevice.Cpu, parallelism), cancellation: TestContext.Current.CancellationToken);

    private static double LargestDifference(LowRankDelta x, LowRankDelta y) =>
        x.B.Values.Concat(x.A.Values).Zip(y.B.Values.Concat(y.A.Values), (a, b) => Math.Abs(a - b)).Max();

    private static List<long> Bits(IEnumerable<MergedModule> modules) =>
        [.. modules.SelectMany(m => m.Delta.B.Values.Concat(m.Delta.A.Values)).Select(BitConverter.DoubleToInt64Bits)];
}
