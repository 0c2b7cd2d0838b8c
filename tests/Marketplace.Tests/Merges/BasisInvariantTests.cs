using CsCheck;
using Marketplace.Core;
using Marketplace.Core.Merges;
using Marketplace.Tests.Algebra;
using Xunit;

namespace Marketplace.Tests.Merges;

/// <summary>What must hold of every basis method, whatever the numbers.</summary>
public sealed class BasisInvariantTests
{
    public static readonly TheoryData<string> Lossless =
    [
        "knots inside=task_arithmetic", "knots density=1", "core_space inside=task_arithmetic", "core_space density=1", "wudi", "wudi ridge=0", "axis", "axis normalize_sources=true", "lego", "lego units=as_trained", "lego svd_basis=true", "orthogonal_sum lambda=1",
    ];

    public static readonly TheoryData<string> All =
    [
        .. Lossless.Select(row => row.Data), "knots density=0.5", "core_space density=0.5", "axis axes=2", "axis share=0.4", "lego rank=2", "lego rank=2 parameter_reweighting=l2 output_reweighting=false",
    ];

    // LEGO is defined on the factors as they are, unless it takes singular vectors.
    public static readonly TheoryData<string> Gauged =
    [
        .. All.Select(row => row.Data).Where(v => !v.StartsWith("lego", StringComparison.Ordinal)), "lego svd_basis=true", "lego svd_basis=true rank=2",
    ];

    [Theory]
    [MemberData(nameof(Lossless))]
    public void A_single_adapter_stays_what_it_is(string variant) => Cases.Delta.Sample(delta =>
        BasisMerge.AssertSame(Dense.Of(delta), BasisMerge.Merge(variant, delta)));

    [Theory]
    [MemberData(nameof(All))]
    public void The_order_of_inputs_does_not_matter(string variant) => Cases.Terms.Sample(terms =>
        AssertSame(variant, [.. terms.Select(t => t.Delta)], [.. terms.Reverse().Select(t => t.Delta)], reversed: true));

    [Theory]
    [MemberData(nameof(Gauged))]
    public void The_factors_of_an_input_do_not_matter(string variant) => Cases.Terms.Sample(terms =>
        AssertSame(variant, [.. terms.Select(t => t.Delta)], [.. terms.Select((t, i) => Cases.Regauge(t.Delta, i))]));

    [Theory]
    [MemberData(nameof(All))]
    public void Rows_and_columns_of_zeros_do_not_matter(string variant) => Cases.Terms.Sample(terms =>
        AssertSame(variant, [.. terms.Select(t => t.Delta)], [.. terms.Select((t, i) => Cases.Pad(t.Delta, i))]));

    [Theory]
    [MemberData(nameof(All))]
    public void An_adapter_that_vanishes_counts_like_none(string variant) => Cases.Terms.Sample(terms =>
    {
        LowRankDelta[] deltas = [.. terms.Select(t => t.Delta)];
        AssertSame(variant, deltas, [.. deltas, new(new(deltas[0].Out, 3), Adapters.Fill(new(3, deltas[0].In), new Random(1)))]);
    });

    [Theory]
    [MemberData(nameof(All))]
    public void An_adapter_without_the_module_counts_like_one_that_vanishes(string variant)
    {
        var random = new Random(8);
        LowRankDelta x = Adapters.Random(random, 5, 6, 2), y = Adapters.Random(random, 5, 6, 3), other = Adapters.Random(random, 3, 3, 1);
        Adapter[] inputs = [Adapters.Of(("q", x)), Adapters.Of(("v", other)), Adapters.Of(("q", y))];
        Assert.True(MergePlan.TryCreate(BasisMerge.Recipe(variant, 3), inputs, out var plan, out _));
        var module = Merging.Run(plan, inputs).Single(m => m.Module.Name == "q");
        Assert.Equal([1], module.Report.MissingIn);
        BasisMerge.AssertSame(Dense.Of(BasisMerge.Merge(variant, x, y)), module.Delta);
    }

    [Theory]
    [MemberData(nameof(All))]
    public void A_scaling_means_the_same_beside_the_factors_and_inside_B(string variant)
    {
        if (variant.Contains("as_trained", StringComparison.Ordinal))
            return; // which is what that variant looks at
        Cases.Terms.Sample(terms =>
        {
            var beside = BasisMerge.Merge(BasisMerge.Recipe(variant, terms.Length), [.. terms.Select((t, i) => Adapters.Of(i + 0.5, ("q", t.Delta)))]);
            var inside = BasisMerge.Merge(variant, [.. terms.Select((t, i) => Adapters.Scale(t.Delta, i + 0.5))]);
            BasisMerge.AssertSame(Dense.Of(beside), inside, 1e-6);
        });
    }

    [Theory]
    [MemberData(nameof(All))]
    public void Adapters_that_all_vanish_give_zeros_of_rank_one(string variant)
    {
        var zero = new LowRankDelta(new(4, 2), Adapters.Fill(new(2, 5), new Random(1)));
        var merged = BasisMerge.Merge(variant, zero, zero);
        Assert.Equal(1, merged.Rank);
        Assert.All(merged.B.Values, x => Assert.Equal(0, x));
    }

    [Theory]
    [MemberData(nameof(All))]
    public void A_factor_that_is_not_finite_is_refused(string variant)
    {
        var random = new Random(9);
        LowRankDelta x = Adapters.Random(random, 4, 5, 2), y = Adapters.Random(random, 4, 5, 2);
        y.A[1, 2] = double.NaN;
        Assert.Throws<NotFiniteNumberException>(() => BasisMerge.Merge(variant, x, y));
    }

    [Theory]
    [MemberData(nameof(All))]
    public void The_same_request_gives_the_same_bits(string variant)
    {
        var random = new Random(10);
        LowRankDelta[] inputs = [.. Enumerable.Range(0, 4).Select(_ => Adapters.Random(random, 9, 12, 4))];
        var (first, second) = (BasisMerge.Merge(variant, inputs), BasisMerge.Merge(variant, inputs));
        Assert.Equal(first.B.Values, second.B.Values);
        Assert.Equal(first.A.Values, second.A.Values);
    }

    private static void AssertSame(string variant, LowRankDelta[] expected, LowRankDelta[] actual, bool reversed = false)
    {
        var recipe = BasisMerge.Recipe(variant, actual.Length);
        if (reversed)
            recipe = recipe with { Inputs = [.. recipe.Inputs.Reverse()] }; // an input keeps its name
        var scale = expected.Max(d => Dense.Norm(Dense.Of(d)));
        BasisMerge.AssertSame(Dense.Of(BasisMerge.Merge(variant, expected)), BasisMerge.Merge(recipe, actual.AsEnumerable()), 1e-6, scale);
    }
}
