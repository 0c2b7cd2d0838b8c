using System.Collections.Immutable;
using System.Text.Json;
using CsCheck;
using Marketplace.Core;
using Marketplace.Core.Methods;
using Marketplace.Tests.Algebra;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Routers;

/// <summary>Many tokens at a time against one token at a time, and against the values in closed form.</summary>
public sealed class RouterBatchTests
{
    private static readonly JsonElement Golden = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Fixtures.Root, "golden.json"))).RootElement;

    [Fact]
    public void Many_tokens_are_routed_as_one_by_one() => Gen.Select(Gen.Int[0, 100_000], Gen.Int[1, 40], Gen.Int[1, 700], Gen.Int[0, 140]).Sample((seed, experts, width, tokens) =>
    {
        var random = new Random(seed);
        var states = Enumerable.Range(0, experts).Select(_ => random.Next(5) == 0 ? RouterEntryState.Zero : random.Next(5) == 0 ? RouterEntryState.Missing : RouterEntryState.Routed).ToArray();
        var rows = states.Select(s => s == RouterEntryState.Routed ? Unit(random, width) : new float[width]).ToArray();
        var router = Make(rows, states);
        var x = Adapters.Fill(new Matrix(tokens, width), random);
        var (topK, temperature) = (random.Next(1, experts + 3), 0.1 + random.NextDouble());

        var routed = RouterBatch.Route(router, router.Find("q")!, x, topK, temperature);

        Prototype?[] prototypes = [.. rows.Select((r, e) => states[e] == RouterEntryState.Missing ? null
            : new Prototype("q", [.. r.Select(v => (double)v)], states[e] == RouterEntryState.Zero ? 0 : 1, 0))];
        for (var t = 0; t < tokens; t++)
            Dense.AssertClose(Router.Weights(x.Row(t), prototypes, topK, temperature), routed.Row(t), 1e-12);
        Dense.AssertClose(
            [.. Enumerable.Range(0, experts).Select(e => tokens == 0 ? 0 : Enumerable.Range(0, tokens).Average(t => routed.Row(t)[e]))], routed.Mean(), 1e-12);
    }, iter: 60);

    [Fact]
    public void Signs_of_prototypes_and_of_tokens_change_nothing()
    {
        var random = new Random(4);
        float[][] rows = [.. Enumerable.Range(0, 9).Select(_ => Unit(random, 33))];
        var x = Adapters.Fill(new Matrix(50, 33), random);
        var one = Route(Make(rows), x);
        var flipped = Route(Make([.. rows.Select((r, e) => e % 2 == 0 ? [.. r.Select(v => -v)] : r)]), x);
        Assert.Equal(one.Indices, flipped.Indices);
        Assert.Equal(one.Coefficients, flipped.Coefficients);
        var negated = Route(Make(rows), new Matrix(50, 33, [.. x.Values.Select(v => -v)]));
        Assert.Equal(one.Coefficients, negated.Coefficients);
    }

    [Fact]
    public void Copies_share_a_token_by_the_lower_index()
    {
        var random = new Random(4);
        var copy = Unit(random, 700);
        // Eleven rows, so that tiles of four and what is left over both hold copies.
        float[][] rows = [.. Enumerable.Range(0, 11).Select(e => e is 2 or 6 or 10 ? copy : new float[700])];
        var x = Adapters.Fill(new Matrix(67, 700), random);
        var routed = Route(Make(rows), x, 2);
        for (var t = 0; t < 67; t++)
        {
            Assert.Equal([2, 6], routed.Indices[(2 * t)..((2 * t) + 2)]);
            Assert.Equal([0.5, 0.5], routed.Coefficients[(2 * t)..((2 * t) + 2)]);
        }
    }

    [Fact]
    public void Unit_inputs_make_the_length_of_a_token_irrelevant_and_raw_ones_sharpen_with_it()
    {
        var random = new Random(8);
        float[][] rows = [.. Enumerable.Range(0, 6).Select(_ => Unit(random, 10))];
        var x = Adapters.Fill(new Matrix(7, 10), random);
        var longer = new Matrix(7, 10, [.. x.Values.Select(v => 8 * v)]);
        Dense.AssertClose(Route(Make(rows, unit: true), x).Coefficients, Route(Make(rows, unit: true), longer).Coefficients, 1e-12);
        Assert.True(Route(Make(rows), longer).Coefficients[0] > Route(Make(rows), x).Coefficients[0]);
        Assert.All(Route(Make(rows, unit: true), new Matrix(1, 10)).Coefficients, c => Assert.Equal(0.25, c, 1e-15));
    }

    [Fact]
    public void Known_logits_are_routed_like_the_tokens_they_come_from()
    {
        var random = new Random(8);
        float[][] rows = [.. Enumerable.Range(0, 6).Select(_ => Unit(random, 10))];
        var x = Adapters.Fill(new Matrix(7, 10), random);
        var logits = new Matrix(7, 6);
        for (var t = 0; t < 7; t++)
            for (var e = 0; e < 6; e++)
                logits[t, e] = x.Row(t).ToArray().Zip(rows[e], (a, b) => a * b).Sum();
        var router = Make(rows);
        var (whole, known) = (Route(router, x), RouterBatch.RouteLogits(router, router.Find("q")!, logits));
        Assert.Equal(whole.Indices, known.Indices);
        Dense.AssertClose(whole.Coefficients, known.Coefficients, 1e-12);
    }

    [Theory]
    [InlineData(double.NaN)]
    [InlineData(double.NegativeInfinity)]
    [InlineData(1e200)]
    public void Tokens_that_are_not_finite_are_not_routed(double value)
    {
        var router = Make([Unit(new Random(1), 4)]);
        var x = new Matrix(2, 4);
        x[1, 2] = value;
        Assert.Equal(6, RouterBatch.FirstUnusable(x.Values));
        Assert.Throws<NotFiniteNumberException>(() => Route(router, x));
        Assert.Throws<ArgumentException>(() => Route(router, new Matrix(2, 5)));
        Assert.Throws<ArgumentOutOfRangeException>(() => Route(router, new Matrix(2, 4), 0));
    }

    [Fact]
    public void Large_logits_do_not_overflow()
    {
        var router = Make([[1, 0], [0, 1]]);
        var routed = Route(router, new Matrix(1, 2, [1e6, -2e6]));
        Assert.Equal([1, 0], routed.Indices);
        Assert.Equal([1, 0], routed.Coefficients);
    }

    [Fact]
    public void Outputs_equal_the_values_in_closed_form()
    {
        double[] scales = [2, 1, 0.5];
        LowRankDelta[] raw = [.. Enumerable.Range(0, 3).Select(Factors)];
        Adapter[] adapters = [.. raw.Select((d, e) => Adapters.Of(scales[e], ("q_proj", d)))];
        Assert.True(RouterPlan.TryCreate(["0", "1", "2"], adapters, null, [], new(TopK: 2), out var plan, out _));
        var router = plan.Compute(cancellation: TestContext.Current.CancellationToken);
        var module = router.Find("q_proj")!;
        for (var e = 0; e < 3; e++)
            Dense.AssertClose(Numbers(Golden.GetProperty("arrow_protos")[e]), [.. router.Prototypes(module).Slice(5 * e, 5).ToArray().Select(v => (double)v)], 1e-7);

        var x = new Matrix(1, 5, Numbers(Golden.GetProperty("x")));
        var routed = RouterBatch.Route(router, module, x);
        Dense.AssertClose(Numbers(Golden.GetProperty("arrow_top2_coef")), routed.Row(0), 1e-7);
        Assert.Equal([0, 1], routed.Indices);
        LowRankDelta[] folded = [.. adapters.Select(a => a.Delta("q_proj")!)];
        Dense.AssertClose(Numbers(Golden.GetProperty("arrow_delta_y_merge_after")), RouterOutput.MergeAfter(x, routed, folded).Values, 1e-6);
        Dense.AssertClose(Numbers(Golden.GetProperty("arrow_delta_y_merge_before_scale_s0")), RouterOutput.MergeBefore(x, routed, raw, scales[0]).Values, 1e-6);
        Dense.AssertClose(Router.Apply(x.Row(0), folded, routed.Row(0)), RouterOutput.MergeAfter(x, routed, folded).Values, 1e-12);
        Assert.Throws<ArgumentException>(() => RouterOutput.MergeBefore(x, routed, [raw[0], Cases.Pad(raw[1], 1), raw[2]], 1));

        // Factor-wise subtraction, then routing: only the residual's factors differ.
        var factorwise = new RouterSubtraction(["1"], [1], 1, RouterSubtractionMode.Factorwise);
        Assert.True(RouterPlan.TryCreate(["0"], [adapters[0]], factorwise, [adapters[1]], new(), out plan, out _));
        var left = plan.Compute(cancellation: TestContext.Current.CancellationToken).Find("q_proj")!.Experts[0];
        var dense = Dense.Product(Minus(raw[0].B, raw[1].B), Minus(raw[0].A, raw[1].A));
        Assert.Equal(2 * Dense.SingularValues(dense)[0], left.S1, 1e-10);
        Dense.AssertClose(Numbers(Golden.GetProperty("gks_factorwise_row0_scale_s0")), [.. Dense.Row(dense, 0).Select(v => 2 * v)], 2e-8);
    }

    [Fact]
    public void Files_that_do_not_fit_together_are_no_router()
    {
        var router = Make([Unit(new Random(1), 4), Unit(new Random(2), 4)]);
        Assert.Throws<InvalidDataException>(() => RouterModel.Parse(router.PrototypeBytes(), "{}"u8));
        Assert.Throws<InvalidDataException>(() => RouterModel.Parse(new byte[3], router.DescriptionBytes()));
        Assert.Throws<InvalidDataException>(() => RouterModel.Parse(Make([Unit(new Random(1), 5)]).PrototypeBytes(), router.DescriptionBytes()));
    }

    private static Matrix Minus(Matrix x, Matrix y) => new(x.Rows, x.Columns, [.. x.Values.Zip(y.Values, (a, b) => a - b)]);

    private static RoutedTokens Route(RouterModel router, Matrix tokens, int? topK = null) => RouterBatch.Route(router, router.Find("q")!, tokens, topK);

    private static RouterModel Make(float[][] rows, RouterEntryState[]? states = null, bool unit = false)
    {
        var entries = rows.Select((_, e) => new RouterEntry(states?[e] ?? RouterEntryState.Routed, 1, 0, 0, false, [1])).ToImmutableArray();
        var module = new RouterModule("q", rows[0].Length, ["q"], entries);
        return new(
            new(RouterDescription.CurrentFormat, [.. rows.Select((_, e) => $"e{e}")], 4, 1, RouterCombination.MergeAfter, unit, null, [module], []),
            ImmutableDictionary<string, float[]>.Empty.Add("q", [.. rows.SelectMany(r => r)]));
    }

    private static float[] Unit(Random random, int width)
    {
        double[] row = [.. Enumerable.Range(0, width).Select(_ => Adapters.Normal(random))];
        var norm = Math.Sqrt(row.Sum(x => x * x));
        return [.. row.Select(x => (float)(x / norm))];
    }

    private static LowRankDelta Factors(int e)
    {
        var (b, a) = (new Matrix(6, 2), new Matrix(2, 5));
        for (var j = 0; j < 2; j++)
        {
            for (var i = 0; i < 6; i++)
                b[i, j] = Math.Sin((1.1 * (i + 1) * (j + 1)) + (0.5 * e));
            for (var c = 0; c < 5; c++)
                a[j, c] = Math.Cos((0.7 * (j + 1) * (c + 1)) + (0.3 * e));
        }

        return new(b, a);
    }

    private static double[] Numbers(JsonElement array) => [.. array.EnumerateArray().Select(x => x.GetDouble())];
}
