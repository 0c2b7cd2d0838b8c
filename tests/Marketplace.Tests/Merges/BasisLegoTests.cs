using CsCheck;
using Marketplace.Core;
using Marketplace.Core.Merges;
using Marketplace.Tests.Algebra;
using Xunit;

namespace Marketplace.Tests.Merges;

/// <summary>LoRA-LEGO against its formula on units whose clusters are known.</summary>
public sealed class BasisLegoTests
{
    private const int Out = 4;
    private const int In = 6;

    [Fact]
    public void Units_that_each_are_a_cluster_give_the_weighted_sum() => Cases.Terms.Sample(terms =>
    {
        var recipe = MergeRecipe.Over("lego", [.. terms.Select(t => t.Weight)]) with { Rank = 1000 };
        var expected = Dense.Sum([.. terms.Select(t => (t.Weight, Dense.Of(t.Delta)))]);
        BasisMerge.AssertSame(
            expected, BasisMerge.Merge(recipe.With("output_reweighting", RecipeValue.Of(false)), terms.Select(t => t.Delta)), 1e-9,
            terms.Max(t => Dense.Norm(Dense.Of(t.Delta))));
    });

    [Theory]
    [InlineData("inf")]
    [InlineData("l2")]
    [InlineData("none")]
    public void Means_of_clusters_are_stretched_to_the_mean_norm_of_their_members(string norm)
    {
        var (first, second) = TwoClusters();
        var recipe = Recipe(2, 2, 3).With("parameter_reweighting", RecipeValue.Of(norm));
        var expected = new double[Out, In];
        for (var cluster = 0; cluster < 2; cluster++)
        {
            double[] x = Unit(first, cluster, 2), y = Unit(second, 1 - cluster, 3); // the second input has its units the other way round
            double[] mean = [.. x.Zip(y, (p, q) => (p + q) / 2)];
            var stretch = norm == "none" ? 1 : (Norm(x, norm) + Norm(y, norm)) / 2 / Norm(mean, norm);
            for (var i = 0; i < Out; i++)
                for (var j = 0; j < In; j++)
                    expected[i, j] += stretch * mean[In + i] * stretch * mean[j];
        }

        BasisMerge.AssertSame(expected, BasisMerge.Merge(recipe, [first, second]));
    }

    [Fact]
    public void The_output_is_rescaled_by_the_root_of_the_ranks()
    {
        var (first, second) = TwoClusters();
        LowRankDelta third = new(new(Out, 5), new(5, In)), fourth = Cases.Pad(Adapters.Random(new Random(5), Out, In, 1), 3); // ranks 0 and 1 count
        LowRankDelta[] inputs = [first, second, third, fourth];
        foreach (var k in new[] { 1, 2, 3, 5, 9 })
        {
            var plain = BasisMerge.Merge(Recipe(k, 1, 1, 1, 1).With("output_reweighting", RecipeValue.Of(false)), inputs);
            var rescaled = BasisMerge.Merge(Recipe(k, 1, 1, 1, 1), inputs);
            BasisMerge.AssertSame(Dense.Sum((Math.Sqrt((2 + 2 + 1) / 3d / Math.Min(k, 5)), Dense.Of(plain))), rescaled);
        }
    }

    [Fact]
    public void The_rank_is_the_recipes_or_the_largest_number_of_units_of_an_input()
    {
        var random = new Random(6);
        LowRankDelta[] inputs = [Adapters.Random(random, 20, 20, 3), Cases.Pad(Adapters.Random(random, 20, 20, 5), 2)];
        Assert.Equal(5, BasisMerge.Merge("lego", inputs).Rank);
        Assert.Equal(4, BasisMerge.Merge("lego rank=4", inputs).Rank);
        Assert.Equal(8, BasisMerge.Merge("lego rank=30", inputs).Rank);
        Assert.Equal(5, BasisMerge.Merge(BasisMerge.Recipe("lego", 2) with { Rank = RecipeRank.Lossless }, inputs).Rank);
        Assert.Equal(1, BasisMerge.Merge(BasisMerge.Recipe("lego", 2) with { Energy = 0.01 }, inputs).Rank);
    }

    [Fact]
    public void Copies_give_the_adapter_back_and_clusters_that_stay_empty_nothing()
    {
        var delta = Adapters.Random(new Random(7), Out, In, 2);
        BasisMerge.AssertSame(Dense.Of(delta), BasisMerge.Merge("lego", delta, delta, delta));
        var merged = BasisMerge.Merge("lego rank=3", delta, delta, delta); // six points, but only two different ones
        BasisMerge.AssertSame(Dense.Sum((Math.Sqrt(2 / 3d), Dense.Of(delta))), merged);
        Assert.Equal(2, merged.Rank);
    }

    [Fact]
    public void Turning_the_signs_and_sizes_of_units_or_their_order_changes_nothing()
    {
        var random = new Random(8);
        LowRankDelta x = Adapters.Random(random, Out, In, 3), y = Adapters.Random(random, Out, In, 3);
        var expected = Dense.Of(BasisMerge.Merge("lego rank=2", x, y));
        BasisMerge.AssertSame(expected, BasisMerge.Merge("lego rank=2", x, Remake(y, [(2, -0.5), (0, 3), (1, -1)])));
        Assert.True(BasisMerge.RelativeDistance(BasisMerge.Merge("lego rank=2 units=as_trained", x, y), BasisMerge.Merge("lego rank=2 units=as_trained", x, Remake(y, [(2, -0.5), (0, 3), (1, -1)]))) > 0.1);
    }

    [Fact]
    public void Other_factors_of_the_same_delta_have_other_units()
    {
        var random = new Random(9);
        LowRankDelta x = Adapters.Random(random, Out, In, 3), y = Adapters.Random(random, Out, In, 3);
        Assert.True(BasisMerge.RelativeDistance(BasisMerge.Merge("lego", x, y), BasisMerge.Merge("lego", x, Cases.Regauge(y, 1))) > 0.05);
        BasisMerge.AssertSame(Dense.Of(BasisMerge.Merge("lego svd_basis=true", x, y)), BasisMerge.Merge("lego svd_basis=true", x, Cases.Regauge(y, 1)));
    }

    [Fact]
    public void A_cluster_whose_mean_vanishes_has_nothing_to_stretch()
    {
        LowRankDelta x = new(new(2, 1, [1, 0]), new(1, 2, [1, 0])), y = new(new(2, 1, [-1, 0]), new(1, 2, [-1, 0])); // one unit, signs turned
        Assert.All(BasisMerge.Merge("lego units=as_trained rank=1", x, y).B.Values, v => Assert.Equal(0, v));
        BasisMerge.AssertSame(Dense.Of(x), BasisMerge.Merge("lego rank=1", x, y));
    }

    private static MergeRecipe Recipe(int rank, params double[] weights) => MergeRecipe.Over("lego", weights) with { Rank = rank };

    private static (LowRankDelta First, LowRankDelta Second) TwoClusters()
    {
        var random = new Random(3);
        var first = Adapters.Random(random, Out, In, 2);
        var near = new LowRankDelta(Jitter(first.B), Jitter(first.A));
        return (first, Remake(near, [(1, -2), (0, 1)]));

        Matrix Jitter(Matrix m) => new(m.Rows, m.Columns, [.. m.Values.Select(x => x + (0.02 * Adapters.Normal(random)))]);
    }

    // The same units in another order, a multiplied and b divided by a factor.
    private static LowRankDelta Remake(LowRankDelta delta, (int From, double Factor)[] units)
    {
        var (b, a) = (new Matrix(delta.Out, delta.Rank), new Matrix(delta.Rank, delta.In));
        for (var k = 0; k < units.Length; k++)
        {
            for (var j = 0; j < delta.In; j++)
                a[k, j] = units[k].Factor * delta.A[units[k].From, j];
            for (var i = 0; i < delta.Out; i++)
                b[i, k] = delta.B[i, units[k].From] / units[k].Factor;
        }

        return new(b, a);
    }

    // [a; b], balanced, the largest entry of a positive, with the weight.
    private static double[] Unit(LowRankDelta delta, int k, double weight)
    {
        double[] a = [.. delta.A.Row(k)], b = [.. Enumerable.Range(0, delta.Out).Select(i => delta.B[i, k])];
        var size = Math.Sqrt(weight * Norm(a, "l2") * Norm(b, "l2")) * (a.MaxBy(Math.Abs) < 0 ? -1 : 1);
        return [.. a.Select(x => x * size / Norm(a, "l2")), .. b.Select(x => x * size / Norm(b, "l2"))];
    }

    private static double Norm(double[] x, string norm) => norm == "l2" ? Math.Sqrt(x.Sum(v => v * v)) : x.Max(Math.Abs);
}
