using CsCheck;
using Marketplace.Core;
using Marketplace.Core.Merges;
using Marketplace.Tests.Algebra;
using Xunit;

namespace Marketplace.Tests.Merges;

/// <summary>WUDI's closed form against its own definition, on ΔW.</summary>
public sealed class BasisWudiTests
{
    [Theory]
    [InlineData(1e-4)]
    [InlineData(0.1)]
    public void The_gradient_of_the_loss_with_its_ridge_vanishes_at_the_result(double ridge) => Cases.Terms.Sample(terms =>
    {
        double[][,] inputs = [.. terms.Select(t => Dense.Of(t.Delta))];
        var present = inputs.Count(t => Dense.Norm(t) > 0);
        if (present == 0)
            return;
        var merged = Dense.Of(Merge("wudi", terms, ("ridge", ridge)));
        var rho = ridge * present / BasisOracles.RowSpace(inputs); // each τᵀτ ∕ |τ|² has trace 1
        Assert.InRange(Dense.Norm(BasisOracles.WudiGradient(merged, inputs, rho)), 0, 1e-9 * inputs.Sum(Dense.Norm));
        Assert.True(BasisOracles.WudiLoss(merged, inputs) <= BasisOracles.WudiLoss(Dense.Sum([.. inputs.Select(t => (1d, t))]), inputs) + 1e-9);
    });

    [Fact]
    public void Without_a_ridge_no_nearby_matrix_has_a_smaller_loss()
    {
        var random = new Random(5);
        double[][,] inputs = [.. Enumerable.Range(0, 4).Select(_ => Dense.Of(Adapters.Random(random, 7, 6, 3)))]; // 12 directions in 6: they get in each other's way
        var merged = Dense.Of(BasisMerge.Merge("wudi ridge=0", [.. inputs.Select(Factored)]));
        var least = BasisOracles.WudiLoss(merged, inputs);
        Assert.True(least > 1e-3);
        for (var trial = 0; trial < 50; trial++)
            Assert.True(BasisOracles.WudiLoss(Dense.Sum((1, merged), (1e-3, Dense.Of(Adapters.Random(random, 7, 6, 1)))), inputs) > least);
    }

    [Fact]
    public void Each_input_acts_on_what_it_responds_to_as_if_it_were_alone()
    {
        var random = new Random(6);
        LowRankDelta[] inputs = [.. new[] { 2, 3, 1 }.Select(r => Adapters.Random(random, 8, 10, r))]; // 6 directions in 10
        var merged = BasisMerge.Merge("wudi ridge=0", inputs);
        var sum = BasisMerge.Merge("task_arithmetic", inputs);
        foreach (var input in inputs)
            for (var k = 0; k < input.Rank; k++)
            {
                double[] v = [.. input.A.Row(k)];
                var alone = Dense.Apply(Dense.Of(input), v);
                Dense.AssertClose(alone, Dense.Apply(Dense.Of(merged), v), 1e-9);
                Assert.True(alone.Zip(Dense.Apply(Dense.Of(sum), v), (x, y) => Math.Abs(x - y)).Max() > 0.1); // which the plain sum does not do
            }
    }

    [Fact]
    public void Copies_give_the_adapter_back() => Cases.Delta.Sample(delta =>
    {
        if (BasisMerge.ConditionOf(delta) < 1e4)
            BasisMerge.AssertSame(Dense.Of(delta), BasisMerge.Merge("wudi ridge=0 cut=0", delta, delta, delta), 1e-7);
    });

    [Fact]
    public void Directions_below_the_cut_are_summed_plainly()
    {
        // Two inputs that respond to nearly the same direction, in opposite ways.
        LowRankDelta Input(double b, double tilt) => new(new(2, 1, [b, 1]), new(1, 3, [1, tilt, 0]));
        LowRankDelta[] inputs = [Input(1, 1e-5), Input(-1, -1e-5)];
        var cut = BasisMerge.Merge("wudi ridge=0", inputs);
        var exact = BasisMerge.Merge("wudi ridge=0 cut=0", inputs);
        Assert.True(Dense.Norm(Dense.Of(exact)) > 1e4);
        Assert.InRange(Dense.Norm(Dense.Of(cut)), 0.9, 2);
        Assert.Equal(2e-5, Dense.Of(cut)[0, 1], 1e-9); // the second direction is that of the sum
    }

    [Fact]
    public void The_result_may_be_divided_by_the_number_of_inputs_that_count()
    {
        var random = new Random(7);
        LowRankDelta x = Adapters.Random(random, 4, 9, 2), y = Adapters.Random(random, 4, 9, 2), zero = Adapters.Scale(x, 0);
        var whole = Dense.Of(BasisMerge.Merge("wudi", x, y));
        BasisMerge.AssertSame(Dense.Sum((0.5, whole)), BasisMerge.Merge("wudi divide_by_count=true", x, y, zero));
        BasisMerge.AssertSame(Dense.Sum((0.7, whole)), BasisMerge.Merge("wudi lambda=0.7", x, y));
    }

    private static LowRankDelta Merge(string method, (double Weight, LowRankDelta Delta)[] terms, params (string Name, double Value)[] parameters) =>
        BasisMerge.Merge(
            parameters.Aggregate(BasisMerge.Recipe(method, terms.Length), (recipe, p) => recipe.With(p.Name, p.Value)), terms.Select(t => t.Delta));

    private static LowRankDelta Factored(double[,] dense)
    {
        var (b, a) = (new Matrix(dense.GetLength(0), dense.GetLength(1)), new Matrix(dense.GetLength(1), dense.GetLength(1)));
        for (var j = 0; j < a.Rows; j++)
        {
            a[j, j] = 1;
            for (var i = 0; i < b.Rows; i++)
                b[i, j] = dense[i, j];
        }

        return new(b, a);
    }
}
