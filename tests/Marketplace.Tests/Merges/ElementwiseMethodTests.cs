using System.Collections.Immutable;
using Marketplace.Core;
using Marketplace.Core.Algebra;
using Marketplace.Core.Merges;
using Marketplace.Tests.Algebra;
using Xunit;
using static Marketplace.Tests.Merges.ElementwiseRecipes;

namespace Marketplace.Tests.Merges;

public sealed class ElementwiseMethodTests
{
    private static readonly LowRankDelta NoDelta = Deltas.Zero(1, 1);
    private static readonly Adapter Some = Adapters.Of(("q", Adapters.Random(new Random(1), 4, 5, 2)));

    /// <summary>What mergekit combines in which method, with the rescaling of the papers.</summary>
    [Theory]
    [InlineData("magnitude_prune", Sparsifier.Magnitude, Combination.Sum, Rescaling.None, TiesDivisor.Weights, 1)]
    [InlineData("ties", Sparsifier.Magnitude, Combination.Ties, Rescaling.None, TiesDivisor.Weights, 0.2)]
    [InlineData("dare_linear", Sparsifier.Random, Combination.Sum, Rescaling.Unbiased, TiesDivisor.Weights, 1)]
    [InlineData("dare_ties", Sparsifier.Random, Combination.Ties, Rescaling.Unbiased, TiesDivisor.None, 1)]
    [InlineData("della_linear", Sparsifier.RankedRandom, Combination.Sum, Rescaling.Unbiased, TiesDivisor.Weights, 1)]
    [InlineData("della", Sparsifier.RankedRandom, Combination.Ties, Rescaling.Unbiased, TiesDivisor.Weights, 1)]
    [InlineData("breadcrumbs", Sparsifier.Outliers, Combination.Sum, Rescaling.None, TiesDivisor.Weights, 1)]
    [InlineData("breadcrumbs_ties", Sparsifier.Outliers, Combination.Ties, Rescaling.None, TiesDivisor.None, 1)]
    [InlineData("sce", Sparsifier.None, Combination.Sce, Rescaling.None, TiesDivisor.Weights, 1)]
    [InlineData("ram", Sparsifier.None, Combination.Ram, Rescaling.None, TiesDivisor.Weights, 1)]
    [InlineData("ramplus_tl", Sparsifier.None, Combination.Ram, Rescaling.None, TiesDivisor.Weights, 1)]
    public void Defaults_are_as_documented(string name, Sparsifier sparsifier, Combination combination, Rescaling rescaling, TiesDivisor divisor, double density)
    {
        var method = MergeMethods.Find(name)!;
        var parameters = new ParameterValues(method);
        var merge = ElementwiseMethods.Specification(name, parameters);
        Assert.Equal((sparsifier, combination, rescaling), (merge.Sparsifier, merge.Combination, merge.Rescaling));
        Assert.Equal((divisor, true, false, true, false, 1), (merge.Divisor, merge.ElectWeighted, merge.ElectByCount, merge.DrawIsPositive, merge.Normalize, merge.Lambda));
        Assert.Equal(DefaultRank.LargestInput, method.Rank);
        Assert.Equal(density, ElementwiseMethods.Input(name, new(null, 1, parameters), NoDelta, Step(parameters)).Density);
    }

    [Fact]
    public void Every_parameter_of_an_election_is_heard()
    {
        var parameters = Values("ties", ("elect", "unweighted"), ("majority", "count"), ("divisor", "count"), ("draw", "none"), ("rescale", "l1"));
        var merge = ElementwiseMethods.Specification("ties", parameters);
        Assert.Equal((false, true, false, TiesDivisor.Count, Rescaling.L1), (merge.ElectWeighted, merge.ElectByCount, merge.DrawIsPositive, merge.Divisor, merge.Rescaling));
    }

    [Fact]
    public void A_method_that_has_some_of_the_parameters_borrows_the_others_from_the_defaults()
    {
        var merge = ElementwiseMethods.Specification("dare_ties", Values("dare_linear", ("rescale", "none")));
        Assert.Equal((Sparsifier.Random, Rescaling.None, TiesDivisor.None), (merge.Sparsifier, merge.Rescaling, merge.Divisor));
    }

    [Fact]
    public void Streams_of_random_numbers_are_named_by_method_content_and_module()
    {
        var parameters = new ParameterValues(MergeMethods.Find("dare_ties")!);
        var input = ElementwiseMethods.Input("dare_ties", new(NoDelta, 2, parameters, Key: "content"), NoDelta, Step(parameters));
        Assert.Equal(("dare_ties\ncontent\nq", 7UL, 2d), (input.Stream, input.Seed, input.Weight));
    }

    [Fact]
    public void Ram_keeps_own_entries_and_averages_shared_ones()
    {
        Matrix[] x = [new(1, 5, [3, 0, 2, 1e-6, 4]), new(1, 5, [1, 5, 0, 0, -2])]; // unchanged up to 1e-5
        Assert.Equal([2, 5, 2, 0, 1], DenseElementwise.Combine(new() { Combination = Combination.Ram }, x, [1, 1]).Values);

        // Shared 2 and own 1 of either: the ratio 2 is cut at α.
        var raised = new ElementwiseMerge { Combination = Combination.Ram, RaiseBy = 0.1, RaiseUpTo = 0.2 };
        Dense.AssertClose([2, 5 * 1.02, 2 * 1.02, 0, 1], DenseElementwise.Combine(raised, x, [1, 1]).Values, 1e-14);
        Dense.AssertClose([2, 5 * 1.2, 2 * 1.2, 0, 1], DenseElementwise.Combine(raised with { RaiseUpTo = 9 }, x, [1, 1]).Values, 1e-14);
    }

    [Fact]
    public void A_draw_elects_plus_or_nothing()
    {
        Matrix[] x = [new(1, 1, [2]), new(1, 1, [-2])];
        Assert.Equal([2], DenseElementwise.Combine(new() { Combination = Combination.Ties }, x, [1, 1]).Values);
        Assert.Equal([0], DenseElementwise.Combine(new() { Combination = Combination.Ties, DrawIsPositive = false }, x, [1, 1]).Values);
    }

    [Fact]
    public void A_negative_weight_turns_its_input_before_the_election_only_if_that_is_weighted()
    {
        Matrix[] x = [new(1, 1, [2]), new(1, 1, [3])];
        var merge = new ElementwiseMerge { Combination = Combination.Ties, Divisor = TiesDivisor.Count };
        Assert.Equal([-3], DenseElementwise.Combine(merge, x, [1, -1]).Values); // 2 − 3 elects −, with which the second agrees
        Assert.Equal([-0.5], DenseElementwise.Combine(merge with { ElectWeighted = false }, x, [1, -1]).Values); // 2 + 3 elects +: (2 − 3) ∕ 2
    }

    [Fact]
    public void Normalizing_divides_by_the_weights_of_all_inputs()
    {
        var delta = Adapters.Random(new Random(3), 4, 5, 2);
        var recipe = Whole("dare_linear", ("a", 3), ("b", 1)).With("normalize", RecipeValue.Of(true));
        Dense.AssertClose(Dense.Sum((0.75, Dense.Of(delta))), Run(recipe, Adapters.Of(("q", delta)), Adapters.Of(("v", delta))).Delta);
    }

    [Fact]
    public void An_input_may_have_a_density_of_its_own()
    {
        LowRankDelta first = Adapters.Random(new Random(3), 6, 5, 2), second = Adapters.Random(new Random(4), 6, 5, 2);
        var recipe = new MergeRecipe(
            "magnitude_prune", [RecipeInput.Of("a"), RecipeInput.Of("b") with { Parameters = new Dictionary<string, RecipeValue> { ["density"] = 0.1 } }],
            Parameters: new Dictionary<string, RecipeValue> { ["density"] = 0.5 }, Rank: RecipeRank.Lossless);
        var expected = new Matrix(6, 5);
        foreach (var (delta, density) in new[] { (first, 0.5), (second, 0.1) })
            MatrixMath.AddScaled(Sparsification.Apply(new() { Sparsifier = Sparsifier.Magnitude }, new(delta, 1, density), MatrixMath.Times(delta.B, delta.A)).Values, 1, expected.Values);
        var merged = Run(recipe, Adapters.Of(("q", first)), Adapters.Of(("q", second))).Delta;
        Dense.AssertClose(expected.Values, MatrixMath.Times(merged.B, merged.A).Values, 1e-12);
    }

    [Fact]
    public void Another_seed_draws_other_masks()
    {
        var recipe = Sparse("dare_linear", ("a", 1));
        var (first, again, other) = (Run(recipe, Some), Run(recipe, Some), Run(recipe with { Seed = 43 }, Some));
        Assert.Equal(first.Delta.B.Values, again.Delta.B.Values);
        Assert.True(Dense.Distance(Dense.Of(first.Delta), Dense.Of(other.Delta)) > 0.1);
    }

    [Theory]
    [InlineData("ties")]
    [InlineData("dare_ties")]
    [InlineData("della")]
    [InlineData("breadcrumbs_ties")]
    public void Negative_weights_need_a_divisor_that_can_not_vanish(string method)
    {
        var recipe = Sparse(method, ("a", 1), ("b", -0.5));
        Assert.Equal([MergeProblem.WeightsInvalid], Problems(recipe));
        Assert.Equal([MergeProblem.WeightsInvalid], Problems(recipe.With("divisor", RecipeValue.Of("none"))));
        Assert.Empty(Problems(recipe.With("divisor", RecipeValue.Of("count"))));
    }

    [Fact]
    public void Weights_that_cancel_can_not_be_normalized_by()
    {
        var recipe = Sparse("magnitude_prune", ("a", 1), ("b", -1));
        Assert.Empty(Problems(recipe));
        Assert.Equal([MergeProblem.WeightsInvalid], Problems(recipe.With("normalize", RecipeValue.Of(true))));
    }

    [Theory]
    [InlineData(0.1, 0.15, false)]
    [InlineData(0.15, 0.15, false)]
    [InlineData(0.9, 0.15, false)]
    [InlineData(0.5, 0.15, true)]
    [InlineData(1, 0.15, true)] // nothing is drawn
    public void Probabilities_of_della_lie_inside_the_unit_interval(double density, double epsilon, bool accepted)
    {
        var values = new Dictionary<string, RecipeValue> { ["density"] = density, ["epsilon"] = epsilon };
        Assert.Equal(accepted, Problems(new("della", [RecipeInput.Of("a"), RecipeInput.Of("b")], Parameters: values)).Length == 0);
        Assert.Equal(accepted, Problems(new("della_linear", [RecipeInput.Of("a"), RecipeInput.Of("b") with { Parameters = values }])).Length == 0);
    }

    [Theory]
    [InlineData("ties", "density", 0)]
    [InlineData("ties", "density", 1.1)]
    [InlineData("breadcrumbs", "gamma", 1)]
    [InlineData("breadcrumbs", "gamma", -0.1)]
    [InlineData("sce", "select_topk", 0)]
    [InlineData("ram", "epsilon", -1)]
    [InlineData("ramplus_tl", "r", -1)]
    public void Values_out_of_range_are_refused(string method, string parameter, double value) =>
        Assert.Equal([MergeProblem.ParameterInvalid], Problems(Whole(method, ("a", 1), ("b", 1)).With(parameter, value)));

    [Theory]
    [InlineData("sce")]
    [InlineData("ram")]
    [InlineData("ramplus_tl")]
    public void Methods_that_find_their_own_weights_take_none(string method) =>
        Assert.Equal([MergeProblem.WeightsUnused], Problems(new(method, [RecipeInput.Of("a", 2)]), 1));

    private static string[] Problems(MergeRecipe recipe, int adapters = 2) =>
        MergePlan.TryCreate(recipe, [.. Enumerable.Repeat(Some, adapters)], out _, out var problems) ? [] : [.. problems.Select(p => p.Code)];

    private static ParameterValues Values(string method, params (string Name, string Word)[] values) =>
        new(MergeMethods.Find(method)!, values.ToImmutableDictionary(v => v.Name, v => RecipeValue.Of(v.Word)));

    private static MergeStep Step(ParameterValues parameters) => new(new("q", ModuleKind.Linear, 1, 1, 1, 1), [], parameters, null, 7);
}
