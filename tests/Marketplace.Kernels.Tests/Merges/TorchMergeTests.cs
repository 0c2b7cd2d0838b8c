using Marketplace.Core;
using Marketplace.Core.Algebra;
using Marketplace.Core.Methods;
using Marketplace.Kernels.Merges;

namespace Marketplace.Kernels.Tests.Merges;

public class TorchMergeTests
{
    private static readonly MergeRecipe[] All =
    [
        new(MergeMethod.Linear, [0.5, 0.3, 0.7]),
        new(MergeMethod.Linear, [2, -1, 0.5], Lambda: 1.5),
        new(MergeMethod.Cat, [0.5, -0.3, 0.7]),
        new(MergeMethod.Cat, [1, 0, 0]),
        new(MergeMethod.Svd, [0.5, 0.3, -0.2]),
        new(MergeMethod.Svd, [0.5, 0.3, -0.2], new RankPolicy(3)),
        new(MergeMethod.Svd, [1, 1, 1], new RankPolicy(Energy: 0.9)),
        new(MergeMethod.Linear, [1, 1, 1], new RankPolicy(Tolerance: 0.5)),
    ];

    public static TheoryData<MergeRecipe> Recipes => new(All);

    [Theory]
    [MemberData(nameof(Recipes))]
    public void Kernels_compute_what_the_core_computes(MergeRecipe recipe)
    {
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
    public void A_subtraction_is_computed_as_well()
    {
        var inputs = Libraries.Mixed();
        Assert.True(MergePlan.TryCreate(new SubtractionRecipe([1, 3], 0.8), inputs[0], inputs[1..], out var plan, out _));
        foreach (var (e, a) in Merging.Run(plan, inputs).Zip(Run(plan, inputs)))
            Assert.InRange(Deltas.Distance(e.Delta, a.Delta), 0, 1e-10 * Deltas.Norm(e.Delta));
    }

    [Fact]
    public void An_adapter_merged_with_its_negation_vanishes()
    {
        var inputs = new[] { Libraries.Adapter(1, 4, ("q", 40, 30)), Libraries.Adapter(1, 4, ("q", 40, 30)) };
        var merged = Run(Plan(new(MergeMethod.Svd, [1, -1]), inputs), inputs).Single();
        Assert.Equal(1, merged.Report.RankOut);
        Assert.All(merged.Delta.B.Values, x => Assert.Equal(0, x));
    }

    [Theory]
    [InlineData(MergeMethod.Linear)]
    [InlineData(MergeMethod.Svd)]
    public void Bytes_do_not_depend_on_the_parallelism(MergeMethod method)
    {
        var inputs = Libraries.Large();
        var plan = Plan(new(method, [0.5, 0.3, 0.2]), inputs);
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
