using CsCheck;
using Marketplace.Core;
using Marketplace.Core.Algebra;
using Marketplace.Core.Merges;
using Marketplace.Tests.Algebra;
using MathNet.Numerics.LinearAlgebra;
using Xunit;
using Matrix = Marketplace.Core.Matrix;

namespace Marketplace.Tests.Merges;

/// <summary>KnOTS and core space: other methods in a basis that all inputs share, against the same on ΔW with another library's decompositions.</summary>
public sealed class BasisSharedTests
{
    private static readonly ElementwiseMerge Ties = new() { Sparsifier = Sparsifier.Magnitude, Combination = Combination.Ties };

    [Theory]
    [InlineData("knots", "linear")]
    [InlineData("knots", "task_arithmetic")]
    [InlineData("core_space", "linear")]
    [InlineData("core_space", "task_arithmetic")]
    public void Sums_inside_are_the_same_as_outside(string method, string inside) => Cases.Terms.Sample(terms =>
    {
        double[] weights = [.. terms.Select(t => 0.3 + Math.Abs(t.Weight))];
        var outside = BasisMerge.Merge(MergeRecipe.Over(inside, weights).With("lambda", 1.5), terms.Select(t => t.Delta));
        var recipe = MergeRecipe.Over(method, weights).With("inside", RecipeValue.Of(inside)).With("lambda", 1.5);
        BasisMerge.AssertSame(Dense.Of(outside), BasisMerge.Merge(recipe, terms.Select(t => t.Delta)), 1e-9, terms.Max(t => Dense.Norm(Dense.Of(t.Delta))));
    });

    [Theory]
    [InlineData("knots")]
    [InlineData("core_space")]
    public void Each_input_is_represented_exactly(string method) => Cases.Terms.Sample(terms =>
    {
        for (var e = 0; e < terms.Length; e++)
        {
            var recipe = MergeRecipe.Over(method, [.. terms.Select((_, i) => i == e ? 1d : 0)]).With("inside", RecipeValue.Of("task_arithmetic"));
            var scale = terms.Max(t => Dense.Norm(Dense.Of(t.Delta)));
            BasisMerge.AssertSame(Dense.Of(terms[e].Delta), BasisMerge.Merge(recipe, terms.Select(t => t.Delta)), 1e-9, scale);
        }
    });

    [Theory]
    [InlineData(0.2)]
    [InlineData(0.5)]
    [InlineData(1)]
    public void Ties_in_knots_is_ties_on_the_aligned_inputs(double density) => Gen.Int[0, 10_000].Sample(seed =>
    {
        var (deltas, weights) = Inputs(seed);
        var dense = deltas.Select(d => BasisOracles.Of(Dense.Of(d))).ToList();
        var u = Left(dense.Aggregate((x, y) => x.Append(y)));
        var merged = u * Merge(dense.Select(d => u.TransposeThisAndMultiply(d)), weights, density);
        BasisMerge.AssertSame(merged.ToArray(), BasisMerge.Merge(MergeRecipe.Over("knots", weights).With("density", density), deltas), 1e-8);
    }, iter: 30);

    [Theory]
    [InlineData(0.2)]
    [InlineData(0.5)]
    [InlineData(1)]
    public void Ties_in_core_space_is_ties_on_the_cores(double density) => Gen.Int[0, 10_000].Sample(seed =>
    {
        var (deltas, weights) = Inputs(seed);
        var dense = deltas.Select(d => BasisOracles.Of(Dense.Of(d))).ToList();
        var balanced = dense.Zip(deltas, (d, delta) =>
        {
            var svd = d.Svd();
            var root = Matrix<double>.Build.Diagonal(delta.Rank, delta.Rank, i => Math.Sqrt(svd.S[i]));
            return (B: svd.U.SubMatrix(0, d.RowCount, 0, delta.Rank) * root, A: root * svd.VT.SubMatrix(0, delta.Rank, 0, d.ColumnCount));
        }).ToList();
        var u = Left(balanced.Select(x => x.B).Aggregate((x, y) => x.Append(y)));
        var v = Left(balanced.Select(x => x.A).Aggregate((x, y) => x.Stack(y)).Transpose());
        var merged = u * Merge(dense.Select(d => u.TransposeThisAndMultiply(d) * v), weights, density) * v.Transpose();
        var actual = BasisMerge.Merge(MergeRecipe.Over("core_space", weights).With("density", density), deltas);
        BasisMerge.AssertSame(merged.ToArray(), actual, 1e-8);
        Assert.True(actual.Rank <= 8);
        var outside = BasisMerge.Merge(MergeRecipe.Over("ties", weights).With("density", density) with { Rank = RecipeRank.Lossless }, deltas);
        Assert.True(BasisMerge.RelativeDistance(outside, actual) > 0.05); // another result than on the entries of ΔW
    }, iter: 30);

    [Theory]
    [InlineData("knots", "ties")]
    [InlineData("knots", "dare_ties")]
    [InlineData("core_space", "ties")]
    [InlineData("core_space", "sce")]
    public void Copies_give_the_adapter_back(string method, string inside) => Cases.Delta.Sample(delta =>
    {
        var recipe = BasisMerge.Recipe($"{method} inside={inside}", 3);
        recipe = inside switch { "ties" => recipe.With("density", 1), "dare_ties" => recipe.With("divisor", RecipeValue.Of("weights")), _ => recipe };
        BasisMerge.AssertSame(Dense.Of(delta), BasisMerge.Merge(recipe, [delta, delta, delta]), 1e-8);
    });

    [Theory]
    [InlineData("knots")]
    [InlineData("core_space")]
    public void Random_masks_follow_the_seed_and_the_input(string method)
    {
        var (deltas, _) = Inputs(1);
        var recipe = BasisMerge.Recipe($"{method} inside=dare_linear density=0.5", deltas.Length);
        var (first, again, other) = (BasisMerge.Merge(recipe, deltas), BasisMerge.Merge(recipe, deltas), BasisMerge.Merge(recipe with { Seed = 7 }, deltas));
        Assert.Equal(first.B.Values, again.B.Values);
        Assert.True(BasisMerge.RelativeDistance(first, other) > 0.1);
        var reversed = BasisMerge.Merge(recipe with { Inputs = [.. recipe.Inputs.Reverse()] }, deltas.Reverse());
        BasisMerge.AssertSame(Dense.Of(first), reversed);
    }

    [Fact]
    public void The_method_inside_has_the_defaults_that_it_has_outside_and_takes_no_others()
    {
        var (deltas, _) = Inputs(2);
        BasisMerge.AssertSame(Dense.Of(BasisMerge.Merge("knots density=0.2 divisor=weights", deltas)), BasisMerge.Merge("knots", deltas));
        Assert.True(BasisMerge.RelativeDistance(BasisMerge.Merge("knots density=1", deltas), BasisMerge.Merge("knots", deltas)) > 0.05);
        BasisMerge.AssertSame(Dense.Of(BasisMerge.Merge("knots inside=task_arithmetic", deltas)), BasisMerge.Merge("knots inside=dare_linear", deltas));
    }

    [Theory]
    [InlineData("knots inside=ties gamma=0.1", "no parameter 'gamma'")]
    [InlineData("knots inside=linear density=0.5", "no parameter 'density'")]
    [InlineData("core_space inside=ties rescale=unbiased", "'rescale' is one of")]
    [InlineData("core_space inside=della density=0.9 epsilon=0.7", "'epsilon' is a number in")]
    [InlineData("core_space inside=della density=0.9 epsilon=0.2", "density ± epsilon")]
    public void What_the_method_inside_can_not_use_is_refused(string variant, string reason)
    {
        var (deltas, _) = Inputs(3);
        Assert.False(MergePlan.TryCreate(BasisMerge.Recipe(variant, deltas.Length), [.. deltas.Select(d => Adapters.Of(("q", d)))], out _, out var problems));
        var problem = Assert.Single(problems);
        Assert.Equal(MergeProblem.WeightsInvalid, problem.Code);
        Assert.Contains(reason, problem.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("linear", 1, -1)]
    [InlineData("sce", 1, 2)]
    public void Weights_that_the_method_inside_can_not_use_are_refused(string inside, double first, double second)
    {
        var (deltas, _) = Inputs(4);
        var recipe = MergeRecipe.Over("knots", first, second).With("inside", RecipeValue.Of(inside));
        Assert.False(MergePlan.TryCreate(recipe, [.. deltas[..2].Select(d => Adapters.Of(("q", d)))], out _, out var problems));
        Assert.Equal(MergeProblem.WeightsInvalid, Assert.Single(problems).Code);
    }

    [Fact]
    public void An_input_may_have_a_density_of_its_own()
    {
        var (deltas, _) = Inputs(5);
        var recipe = BasisMerge.Recipe("knots inside=magnitude_prune", deltas.Length);
        var own = new Dictionary<string, RecipeValue> { ["density"] = 0.1 };
        var pruned = recipe with { Inputs = [recipe.Inputs[0] with { Parameters = own }, .. recipe.Inputs.Skip(1)] };
        Assert.True(BasisMerge.RelativeDistance(BasisMerge.Merge(recipe, deltas), BasisMerge.Merge(pruned, deltas)) > 0.05);
    }

    [Fact]
    public void Directions_up_to_the_tolerance_are_left_out()
    {
        LowRankDelta[] deltas = [new(new(3, 1, [1, 0, 0]), new(1, 2, [1, 0])), new(new(3, 1, [0, 1e-3, 0]), new(1, 2, [0, 1]))];
        Assert.Equal(2, BasisMerge.Merge("knots inside=task_arithmetic", deltas).Rank);
        BasisMerge.AssertSame(Dense.Of(deltas[0]), BasisMerge.Merge("knots inside=task_arithmetic tolerance=0.01", deltas));
    }

    private static (LowRankDelta[] Deltas, double[] Weights) Inputs(int seed)
    {
        var random = new Random(seed);
        return ([.. new[] { 2, 3, 3 }.Select(r => Adapters.Random(random, 9, 11, r))], [.. Enumerable.Range(0, 3).Select(_ => 0.5 + random.NextDouble())]);
    }

    // The left singular vectors that do not vanish.
    private static Matrix<double> Left(Matrix<double> x)
    {
        var svd = x.Svd();
        return svd.U.SubMatrix(0, x.RowCount, 0, svd.S.Count(s => s > 1e-9 * svd.S[0]));
    }

    private static Matrix<double> Merge(IEnumerable<Matrix<double>> values, double[] weights, double density)
    {
        Matrix[] matrices = [.. values.Select(v => new Matrix(v.RowCount, v.ColumnCount, v.ToRowMajorArray()))];
        var merged = DenseElementwise.Run(Ties, matrices, [.. weights.Select(w => new ElementwiseInput(Deltas.Zero(1, 1), w, density))]);
        return Matrix<double>.Build.DenseOfRowMajor(merged.Rows, merged.Columns, merged.Values);
    }
}
