using CsCheck;
using Marketplace.Core;
using Marketplace.Core.Algebra;
using Marketplace.Core.Merges;
using Marketplace.Tests.Algebra;
using Xunit;
using static Marketplace.Tests.Merges.ElementwiseRecipes;

namespace Marketplace.Tests.Merges;

/// <summary>What must hold of every element-wise method, whatever the numbers.</summary>
public sealed class ElementwisePropertyTests
{
    public static readonly TheoryData<string> Methods = [.. ElementwiseMethods.All.Select(m => m.Name)];

    private const int Iterations = 40;

    // Gaussian factors: no two entries of ΔW are of one magnitude, so that rounding can't turn a rank.
    private static readonly Gen<(string Name, double Weight, LowRankDelta Delta)[]> Inputs =
        Gen.Select(Gen.Int[1, 9], Gen.Int[1, 9], Gen.Int[2, 4], Gen.Int[0, 1_000_000]).Select((rows, columns, count, seed) =>
        {
            var random = new Random(seed);
            return Enumerable.Range(0, count).Select(e =>
                ($"adapter-{e}", 0.2 + random.NextDouble(), Adapters.Random(random, rows, columns, random.Next(1, 5)))).ToArray();
        });

    [Theory]
    [MemberData(nameof(Methods))]
    public void A_single_adapter_of_which_nothing_is_dropped_stays_what_it_is(string method) => Cases.Delta.Sample(
        delta => AssertSame(Dense.Of(delta), Run(Whole(method, ("a", 1)), Adapters.Of(("q", delta)))), iter: Iterations);

    [Theory]
    [MemberData(nameof(Methods))]
    public void Copies_whose_weights_sum_to_one_are_merged_as_one(string method) => Cases.Delta.Sample(delta =>
    {
        var adapter = Adapters.Of(("q", delta));
        AssertSame(Dense.Of(delta), Run(Whole(method, ("a", 0.5), ("a", 0.3), ("a", 0.2)), adapter));
        AssertSame(Dense.Of(Run(Sparse(method, ("a", 1)), adapter).Delta), Run(Sparse(method, ("a", 0.5), ("a", 0.3), ("a", 0.2)), adapter), Dense.Norm(Dense.Of(delta)));
    }, iter: Iterations);

    [Theory]
    [MemberData(nameof(Methods))]
    public void The_order_of_inputs_does_not_matter(string method) => Inputs.Sample(inputs =>
    {
        var expected = Merge(Sparse, method, inputs);
        AssertSame(expected, Merge(Sparse, method, [.. inputs.Reverse()]), Scale(inputs));
        AssertSame(expected, Merge(Sparse, method, [.. inputs.Skip(1), inputs[0]]), Scale(inputs));
    }, iter: Iterations);

    [Theory]
    [MemberData(nameof(Methods))]
    public void Other_factors_of_the_same_adapters_change_nothing(string method) => Inputs.Sample(inputs =>
    {
        var expected = Merge(Sparse, method, inputs);
        AssertSame(expected, Merge(Sparse, method, [.. inputs.Select((t, i) => t with { Delta = Cases.Regauge(t.Delta, i) })]), 100 * Scale(inputs));
        AssertSame(expected, Merge(Sparse, method, [.. inputs.Select(t => t with { Delta = Cases.Pad(t.Delta, 2) })]), Scale(inputs));
    }, iter: Iterations);

    [Theory]
    [MemberData(nameof(Methods))]
    public void Larger_inputs_give_a_result_larger_by_as_much(string method) => Gen.Select(Inputs, Gen.OneOf(Gen.Const(1e-6), Gen.Const(-1d), Gen.Double[-3, -0.1], Gen.Double[0.1, 3])).Sample((inputs, c) =>
        AssertSame(
            Dense.Sum((c, Merge(Sparse, method, inputs))),
            Merge(Sparse, method, [.. inputs.Select(t => t with { Delta = Adapters.Scale(t.Delta, c) })]), Math.Abs(c) * Scale(inputs)), iter: Iterations);

    [Theory]
    [MemberData(nameof(Methods))]
    public void A_zero_adapter_counts_as_much_as_one_that_lacks_the_module(string method) => Inputs.Sample(inputs =>
    {
        var delta = inputs[0].Delta;
        (string, double)[] named = [.. inputs.Select(i => (i.Name, i.Weight)), ("other", 0.5)];
        Adapter[] adapters = [.. inputs.Select(t => Adapters.Of(("q", t.Delta)))];
        Adapter zero = Adapters.Of(("q", Deltas.Zero(delta.Out, delta.In))), lacking = Adapters.Of(("v", delta));
        AssertSame(Dense.Of(Run(Sparse(method, named), [.. adapters, zero]).Delta), Run(Sparse(method, named), [.. adapters, lacking]), Scale(inputs));
        if (method != "sce") // whose variance is taken over all inputs
            AssertSame(Merge(Sparse, method, inputs), Run(Sparse(method, named), [.. adapters, lacking]), Scale(inputs));
        AssertSame(Merge(Whole, method, inputs), Run(Whole(method, named), [.. adapters, lacking]), Scale(inputs));
    }, iter: Iterations);

    [Theory]
    [MemberData(nameof(Methods))]
    public void Zero_adapters_merge_to_rank_one_zeros(string method)
    {
        var zero = Adapters.Of(("q", Deltas.Zero(4, 5)));
        var merged = Run(Sparse(method, ("a", 1), ("b", 1)), zero, zero);
        Assert.Equal(1, merged.Delta.Rank);
        Assert.All(merged.Delta.B.Values.Concat(merged.Delta.A.Values), x => Assert.Equal(0, x));
    }

    [Theory]
    [MemberData(nameof(Methods))]
    public void Entries_that_are_not_finite_are_not_dropped_in_silence(string method)
    {
        var delta = Adapters.Random(new Random(1), 4, 5, 2);
        delta.B[1, 1] = double.NaN;
        Assert.Throws<NotFiniteNumberException>(() => Run(Sparse(method, ("a", 1), ("b", 1)), Adapters.Of(("q", delta)), Adapters.Of(("q", Adapters.Random(new Random(2), 4, 5, 2)))));
    }

    [Theory]
    [MemberData(nameof(Methods))]
    public void A_result_has_the_largest_rank_of_the_inputs_and_says_what_was_discarded(string method)
    {
        var random = new Random(8);
        Adapter[] adapters = [.. new[] { 1, 3 }.Select(r => Adapters.Of(("q", Adapters.Random(random, 9, 12, r))))];
        var recipe = Sparse(method, ("a", 1), ("b", 1)).With("lambda", 0.5);
        var (whole, truncated) = (Run(recipe, adapters), Run(recipe with { Rank = null }, adapters));
        Assert.Equal(3, truncated.Delta.Rank);
        Assert.True(whole.Delta.Rank > 3);
        Assert.Equal(0, whole.Report.DiscardedNorm, 1e-12);
        Dense.AssertClose(Dense.Truncate(Dense.Of(whole.Delta), 3), truncated.Delta);
        Assert.Equal(Dense.Distance(Dense.Of(whole.Delta), Dense.Of(truncated.Delta)), truncated.Report.DiscardedNorm, 1e-12);
    }

    [Theory]
    [MemberData(nameof(Methods))]
    public void Lambda_scales_the_result(string method) => Inputs.Sample(inputs =>
    {
        (string, double)[] named = [.. inputs.Select(i => (i.Name, i.Weight))];
        Adapter[] adapters = [.. inputs.Select(t => Adapters.Of(("q", t.Delta)))];
        AssertSame(Dense.Sum((-2.5, Dense.Of(Run(Sparse(method, named), adapters).Delta))), Run(Sparse(method, named).With("lambda", -2.5), adapters), 2.5 * Scale(inputs));
    }, iter: Iterations);

    [Theory]
    [InlineData("magnitude_prune")]
    [InlineData("dare_linear")]
    [InlineData("della_linear")]
    [InlineData("breadcrumbs")]
    public void At_density_one_they_are_the_weighted_sum(string method) => Inputs.Sample(inputs => AssertSame(
        Dense.Sum([.. inputs.Select(i => (i.Weight, Dense.Of(i.Delta)))]), Merge(Whole, method, inputs), Scale(inputs)), iter: Iterations);

    private static double Scale((string Name, double Weight, LowRankDelta Delta)[] inputs) => 1e-3 + (inputs.Sum(i => Dense.Norm(Dense.Of(i.Delta))) * 3);

    private static double[,] Merge(
        Func<string, (string, double)[], MergeRecipe> recipe, string method, (string Name, double Weight, LowRankDelta Delta)[] inputs) =>
        Dense.Of(Run(recipe(method, [.. inputs.Select(i => (i.Name, i.Weight))]), [.. inputs.Select(t => Adapters.Of(("q", t.Delta)))]).Delta);

    private static void AssertSame(double[,] expected, MergedModule actual, double scale = 0) => AssertSame(expected, Dense.Of(actual.Delta), scale);

    private static void AssertSame(double[,] expected, double[,] actual, double scale = 0) =>
        Assert.True(Dense.Distance(expected, actual) <= (1e-10 * Math.Max(scale, Dense.Norm(expected))) + 1e-13, $"{Dense.Distance(expected, actual)}");
}
