using CsCheck;
using Marketplace.Core;
using Marketplace.Core.Algebra;
using Marketplace.Core.Merges;
using Marketplace.Tests.Algebra;
using Xunit;

namespace Marketplace.Tests.Merges;

/// <summary>AXIS against singular value decompositions of ΔW.</summary>
public sealed class BasisAxisTests
{
    [Fact]
    public void The_strongest_axes_of_all_inputs_are_added_up() => Cases.Terms.Sample(terms =>
    {
        var recipe = MergeRecipe.Over("axis", [.. terms.Select(t => t.Weight)]);
        (double, double[,])[] inputs = [.. terms.Select(t => (t.Weight, Dense.Of(t.Delta)))];
        var scale = terms.Max(t => Dense.Norm(Dense.Of(t.Delta)));
        foreach (var axes in new[] { 1, 3, 5, 1000 })
            BasisMerge.AssertSame(BasisOracles.Axis(inputs, axes), BasisMerge.Merge(recipe.With("axes", axes), terms.Select(t => t.Delta)), 1e-8, scale);
    });

    [Theory]
    [InlineData(0.01, 1)]
    [InlineData(0.2, 1)]
    [InlineData(0.21, 2)]
    [InlineData(0.6, 3)]
    [InlineData(1, 5)]
    public void A_share_is_rounded_up(double share, int axes)
    {
        var random = new Random(2);
        LowRankDelta x = Adapters.Random(random, 8, 9, 3), y = Cases.Pad(Adapters.Random(random, 8, 9, 2), 4); // five axes that don't vanish
        var expected = BasisOracles.Axis([(1, Dense.Of(x)), (1, Dense.Of(y))], axes);
        BasisMerge.AssertSame(expected, BasisMerge.Merge($"axis share={share}", x, y));
        Assert.Equal(axes, BasisMerge.Merge($"axis share={share}", x, y).Rank);
    }

    [Fact]
    public void Axes_that_two_inputs_share_add_up()
    {
        var delta = Adapters.Random(new Random(3), 6, 7, 3);
        BasisMerge.AssertSame(Dense.Sum((2, Dense.Of(delta))), BasisMerge.Merge("axis axes=6", delta, delta));
        BasisMerge.AssertSame(Dense.Sum((2, Dense.Truncate(Dense.Of(delta), 1))), BasisMerge.Merge("axis axes=2", delta, delta));
    }

    [Fact]
    public void The_smaller_of_two_inputs_is_heard_once_both_have_one_norm()
    {
        var random = new Random(4);
        LowRankDelta large = Adapters.Scale(Adapters.Random(random, 6, 7, 2), 100), small = Adapters.Random(random, 6, 7, 2);
        BasisMerge.AssertSame(Dense.Of(large), BasisMerge.Merge("axis", large, small));
        double l = Deltas.Norm(large), s = Deltas.Norm(small), mean = (l + s) / 2;
        BasisMerge.AssertSame(
            Dense.Sum((mean / l, Dense.Of(large)), (mean / s, Dense.Of(small))), BasisMerge.Merge("axis normalize_sources=true axes=4", large, small));
    }

    [Fact]
    public void A_number_and_a_share_exclude_each_other()
    {
        var delta = Adapters.Random(new Random(5), 3, 3, 1);
        Assert.False(MergePlan.TryCreate(BasisMerge.Recipe("axis axes=2 share=0.5", 1), [Adapters.Of(("q", delta))], out _, out var problems));
        Assert.Equal(MergeProblem.WeightsInvalid, Assert.Single(problems).Code);
    }
}
