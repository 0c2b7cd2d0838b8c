using Marketplace.Core;
using Marketplace.Core.Algebra;
using Marketplace.Core.Merges;
using Marketplace.Tests.Algebra;
using Xunit;

namespace Marketplace.Tests.Merges;

/// <summary>Sparsifiers and combinations on vectors of eight entries, against values that PEFT's and mergekit's own functions gave.</summary>
public sealed class ElementwiseGoldenTests
{
    private const double Tolerance = 6e-7; // the values are recorded with 6 decimals

    private static readonly double[] First = [3, -1, .5, 2, -4, .1, 1.5, -2.5];
    private static readonly double[] Second = [-2, -1.2, 2.2, -2.1, 1, .3, -1.1, -2.3];
    private static readonly double[] Third = [1, 4, -.4, .2, -1.3, 5, .6, 3];
    private static readonly double[] Equal = [1, 1, 1];
    private static readonly double[] Unequal = [1, .5, .25];
    private static readonly LowRankDelta NoDelta = Deltas.Zero(1, 1);

    [Fact]
    public void Magnitude_keeps_the_largest_half()
    {
        AssertClose([3, 0, 0, 2, -4, 0, 0, -2.5], Sparsify(new() { Sparsifier = Sparsifier.Magnitude }, density: 0.5));
        AssertClose([3.808696, 0, 0, 2.53913, -5.078261, 0, 0, -3.173913], Sparsify(new() { Sparsifier = Sparsifier.Magnitude, Rescaling = Rescaling.L1 }, density: 0.5));
    }

    [Fact]
    public void Breadcrumbs_leave_out_the_largest_and_the_smallest() =>
        AssertClose([3, 0, 0, 2, 0, 0, 1.5, -2.5], Sparsify(new() { Sparsifier = Sparsifier.Outliers }, density: 0.5, gamma: 0.125));

    [Fact]
    public void Probabilities_rise_with_the_rank_within_the_row()
    {
        Dense.AssertClose([.607143, .435714, .392857, .521429, .65, .35, .478571, .564286], Sparsification.Probabilities(First, 0.5, 0.15), Tolerance);
        Dense.AssertClose([.65], Sparsification.Probabilities([7], 0.5, 0.15), 1e-15);
        Dense.AssertClose([.4, .5, .6], Sparsification.Probabilities([1, -1, 1], 0.5, 0.1), 1e-15);
    }

    [Fact]
    public void Ties_of_peft_and_of_mergekit()
    {
        var peft = new ElementwiseMerge { ElectWeighted = false, Divisor = TiesDivisor.Count };
        var mergekit = new ElementwiseMerge();
        AssertTies([3, 4, 2.2, -2.1, -2.65, 5, 0, -2.4], peft, Equal);
        AssertTies([3, 4, 2.2, -2.1, -2.65, 5, 0, -2.4], mergekit, Equal);
        AssertTies([3, 4, 2.2, 2.0, -2.65, 5, 0, -2.4], peft with { ElectByCount = true }, Equal);
        AssertTies([3, 4, 2.2, -2.1, -5.3, 5, 0, -4.8], mergekit with { Divisor = TiesDivisor.None }, Equal);
        AssertTies([3, 1, 1.1, -1.05, -2.1625, 1.25, 0, -1.825], peft, Unequal);
        AssertTies([3, 1, 1.1, 2.0, -2.1625, 1.25, 0, -1.825], peft with { ElectByCount = true }, Unequal);
        AssertTies([3, 4, 2.2, 2.0, -3.46, 5, 0, -2.433333], mergekit, Unequal);
        AssertTies([3, 1, 1.1, 2.0, -4.325, 1.25, 0, -3.65], mergekit with { Divisor = TiesDivisor.None }, Unequal);
    }

    [Fact]
    public void Sce_with_and_without_selection()
    {
        AssertClose(
            [1.842517, 4, 1.120511, .958265, -2.437398, 2.421997, .979133, -2.426999], Run(new() { Combination = Combination.Sce }, Equal));
        AssertClose([1.483497, 4, 0, 0, 0, 3.328279, 0, -2.420089], Run(new() { Combination = Combination.Sce, SelectTopK = 0.5 }, Equal));
    }

    private static void AssertTies(double[] expected, ElementwiseMerge merge, double[] weights) =>
        AssertClose(expected, Run(merge with { Sparsifier = Sparsifier.Magnitude, Combination = Combination.Ties }, weights, 0.5));

    private static double[] Run(ElementwiseMerge merge, double[] weights, double density = 1) => DenseElementwise.Run(
        merge, [Row(First), Row(Second), Row(Third)], [.. weights.Select(w => new ElementwiseInput(NoDelta, w, density))]).Values;

    private static double[] Sparsify(ElementwiseMerge merge, double density, double gamma = 0) =>
        Sparsification.Apply(merge, new(NoDelta, 1, density, gamma), Row(First)).Values;

    private static Matrix Row(double[] values) => new(1, values.Length, values);

    private static void AssertClose(double[] expected, double[] actual) => Dense.AssertClose(expected, actual, Tolerance);
}
