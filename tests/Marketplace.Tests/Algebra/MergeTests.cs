using CsCheck;
using Marketplace.Core;
using Marketplace.Core.Algebra;
using Marketplace.Core.Merges;
using Marketplace.Core.Methods;
using Xunit;

namespace Marketplace.Tests.Algebra;

/// <summary>What must hold of every merge, whatever the numbers.</summary>
public sealed class MergeTests
{
    public static readonly TheoryData<string> Methods = ["linear", "cat", "svd"];

    [Theory]
    [MemberData(nameof(Methods))]
    public void One_adapter_of_weight_one_stays_what_it_is(string method) => Cases.Delta.Sample(delta =>
        AssertSame(Dense.Of(delta), Merge(new(method), Adapters.Of(("q", delta)))));

    [Theory]
    [InlineData("linear")]
    [InlineData("svd")]
    public void Copies_whose_weights_sum_to_one_give_the_adapter_back(string method) => Cases.Delta.Sample(delta =>
    {
        var adapter = Adapters.Of(("q", delta));
        var result = Merge(new(method, [0.5, 0.75, -0.25]), adapter, adapter, adapter);
        AssertSame(Dense.Of(delta), result);
        Assert.True(result.Rank <= delta.Rank);
    });

    [Theory]
    [MemberData(nameof(Methods))]
    public void A_merge_is_the_weighted_sum_in_any_order_gauge_and_padding(string method) => Cases.Terms.Sample(terms =>
    {
        var recipe = new WeightedSum(method, [.. terms.Select(t => t.Weight)], Normalize: false);
        var expected = Dense.Sum([.. terms.Select(t => (t.Weight, Dense.Of(t.Delta)))]);
        if (method == "svd")
            expected = Dense.Truncate(expected, terms.Max(t => t.Delta.Rank));
        var scale = Math.Max(1, terms.Max(t => Dense.Norm(Dense.Of(t.Delta))));
        AssertSame(expected, Merge(recipe, [.. terms.Select(t => Adapters.Of(("q", t.Delta)))]), scale);
        AssertSame(expected, Merge(recipe with { Weights = [.. terms.Reverse().Select(t => t.Weight)] },
            [.. terms.Reverse().Select(t => Adapters.Of(("q", t.Delta)))]), scale);
        AssertSame(expected, Merge(recipe, [.. terms.Select((t, i) => Adapters.Of(("q", Cases.Regauge(t.Delta, i))))]), scale);
        if (method != "svd") // padding raises the rank that svd truncates to
            AssertSame(expected, Merge(recipe, [.. terms.Select((t, i) => Adapters.Of(("q", Cases.Pad(t.Delta, i))))]), scale);
    });

    [Fact]
    public void A_scaling_means_the_same_beside_the_factors_and_inside_B() => Cases.Terms.Sample(terms =>
    {
        var recipe = new WeightedSum("cat", [.. terms.Select(t => t.Weight)]);
        var beside = Merge(recipe, [.. terms.Select((t, i) => Adapters.Of(i + 0.5, ("q", t.Delta)))]);
        var inside = Merge(recipe, [.. terms.Select((t, i) => Adapters.Of(("q", Adapters.Scale(t.Delta, i + 0.5))))]);
        AssertSame(Dense.Of(beside), inside);
    });

    [Fact]
    public void Linear_divides_by_the_sum_of_weights_unless_told_not_to()
    {
        var delta = Adapters.Random(new Random(1), 4, 5, 2);
        var adapter = Adapters.Of(("q", delta));
        AssertSame(Dense.Of(delta), Merge(new("linear"), adapter, adapter));
        AssertSame(Dense.Sum((5, Dense.Of(delta))), Merge(new("linear", [2, 3], Normalize: false), adapter, adapter));
        AssertSame(Dense.Sum((2, Dense.Of(delta))), Merge(new("cat"), adapter, adapter));
        AssertSame(Dense.Of(delta), Merge(new("cat", Normalize: true), adapter, adapter));
        AssertSame(Dense.Sum((0.5, Dense.Of(delta))), Merge(new("linear", Lambda: 0.5), adapter, adapter));
    }

    [Fact]
    public void Merges_are_linear_in_the_weights_and_homogeneous() => Gen.Select(Cases.Terms, Gen.Double[-3, 3]).Sample((terms, c) =>
    {
        Adapter[] inputs = [.. terms.Select(t => Adapters.Of(("q", t.Delta)))];
        double[] weights = [.. terms.Select(t => t.Weight)];
        var whole = Dense.Of(Merge(new("cat", weights), inputs));
        AssertSame(Dense.Sum((c, whole)), Merge(new("cat", [.. weights.Select(w => c * w)]), inputs));
        AssertSame(Dense.Sum((c, whole)), Merge(new("cat", weights), [.. terms.Select(t => Adapters.Of(("q", Adapters.Scale(t.Delta, c))))]));
        double[] first = [weights[0], .. weights.Skip(1).Select(_ => 0d)], rest = [0, .. weights.Skip(1)];
        AssertSame(whole, Dense.Sum(
            (1, Dense.Of(Merge(new("cat", first), inputs))), (1, Dense.Of(Merge(new("cat", rest), inputs)))));
    });

    [Fact]
    public void Applying_a_merge_is_mixing_the_outputs() => Cases.Terms.Sample(terms =>
    {
        var random = new Random(terms.Length);
        double[] x = [.. Enumerable.Range(0, terms[0].Delta.In).Select(_ => Adapters.Normal(random))];
        var merged = Merge(new("linear", [.. terms.Select(t => t.Weight)], Normalize: false),
            [.. terms.Select(t => Adapters.Of(("q", t.Delta)))]);
        var mixed = Router.Apply(x, [.. terms.Select(t => t.Delta)], [.. terms.Select(t => t.Weight)]);
        Dense.AssertClose(mixed, Router.Apply(x, [merged], [1]), 1e-10 * (1 + mixed.Max(Math.Abs)));
        Dense.AssertClose(Dense.Apply(Dense.Of(merged), x), mixed, 1e-10 * (1 + mixed.Max(Math.Abs)));
    });

    [Fact]
    public void A_module_that_an_adapter_lacks_counts_as_zero()
    {
        var random = new Random(4);
        LowRankDelta q = Adapters.Random(random, 4, 5, 2), q2 = Adapters.Random(random, 4, 5, 3), v = Adapters.Random(random, 3, 5, 2);
        Adapter[] inputs = [Adapters.Of(("q", q), ("v", v)), Adapters.Of(("q", q2))];
        Assert.True(MergePlan.TryCreate(MergeRecipe.Over("linear", 1, 1), inputs, out var plan, out _));
        var result = Merging.Run(plan, inputs).ToList();
        Assert.Equal(["q", "v"], result.Select(m => m.Module.Name));
        AssertSame(Dense.Sum((0.5, Dense.Of(q)), (0.5, Dense.Of(q2))), result[0].Delta);
        AssertSame(Dense.Sum((0.5, Dense.Of(v))), result[1].Delta);
        Assert.Equal([1], result[1].Report.MissingIn);
        Assert.Empty(result[0].Report.MissingIn);
    }

    [Fact]
    public void Ranks_of_the_result_follow_the_method()
    {
        var random = new Random(4);
        Adapter[] inputs = [.. new[] { 2, 3, 4 }.Select(r => Adapters.Of(("q", Adapters.Random(random, 8, 20, r))))];
        Assert.Equal(9, Merge(new("cat"), inputs).Rank);
        Assert.Equal(8, Merge(new("linear"), inputs).Rank); // no more than the module has rows
        Assert.Equal(4, Merge(new("svd"), inputs).Rank);
        Assert.Equal(1, Merge(new("svd", Rank: 1), inputs).Rank);
        Assert.Equal(8, Merge(new("cat", Rank: RecipeRank.Lossless), inputs).Rank);
    }

    [Fact]
    public void Zero_adapters_merge_to_rank_one_zeros()
    {
        var zero = Adapters.Of(("q", Deltas.Zero(4, 5)));
        Assert.All(["linear", "svd"], method => Assert.Equal(1, Merge(new(method), zero, zero).Rank));
    }

    [Fact]
    public void Negation_turns_the_delta_and_keeps_its_rank() => Cases.Delta.Sample(delta =>
    {
        var negated = Merge(new("negate", [1], Lambda: 0.5), Adapters.Of(("q", delta)));
        Assert.Equal(delta.Rank, negated.Rank);
        AssertSame(Dense.Sum((-0.5, Dense.Of(delta))), negated);
    });

    [Fact]
    public void Subtraction_takes_the_weighted_mean_of_the_general_adapters_away() => Cases.Terms.Sample(terms =>
    {
        Adapter[] inputs = [.. terms.Select(t => Adapters.Of(("q", t.Delta)))];
        double[] weights = [.. terms.Skip(1).Select(t => 0.1 + Math.Abs(t.Weight))];
        Assert.True(MergePlan.TryCreate(WeightedSum.Subtraction(weights, 0.7), inputs, out var plan, out _));
        var expected = Dense.Sum([(1, Dense.Of(terms[0].Delta)),
            .. weights.Zip(terms.Skip(1), (w, t) => (-0.7 * w / weights.Sum(), Dense.Of(t.Delta)))]);
        AssertSame(expected, Merging.Run(plan, inputs).Single().Delta, terms.Max(t => 1 + Dense.Norm(Dense.Of(t.Delta))));
    });

    private static LowRankDelta Merge(WeightedSum recipe, params Adapter[] inputs)
    {
        Assert.True(MergePlan.TryCreate(recipe.Over(inputs.Length), inputs, out var plan, out var problems), string.Join("; ", problems));
        return Merging.Run(plan, inputs).Single().Delta;
    }

    private static void AssertSame(double[,] expected, LowRankDelta actual, double scale = 0) => AssertSame(expected, Dense.Of(actual), scale);

    private static void AssertSame(double[,] expected, double[,] actual, double scale = 0) =>
        Assert.True(Dense.Distance(expected, actual) <= 1e-10 * Math.Max(scale, Dense.Norm(expected)) + 1e-13, $"{Dense.Distance(expected, actual)}");
}
