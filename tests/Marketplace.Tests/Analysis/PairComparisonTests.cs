using CsCheck;
using Marketplace.Core;
using Marketplace.Core.Algebra;
using Marketplace.Core.Analysis;
using Marketplace.Core.Formats;
using Marketplace.Core.Methods;
using Marketplace.Tests.Algebra;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Analysis;

public sealed class PairComparisonTests
{
    [Fact]
    public void It_says_of_any_pair_what_dense_matrices_say() => Cases.Terms.Sample(terms =>
    {
        var (x, y) = (terms[0].Delta, terms[1].Delta);
        var (dx, dy) = (Dense.Of(x), Dense.Of(y));
        var pair = PairComparison.Of(Adapters.Of(("q", x), ("only", x)), Adapters.Of(("q", y), ("other", y)))!;
        var (n11, n22, n12) = (2 * Dense.Inner(dx, dx), 2 * Dense.Inner(dy, dy), Dense.Inner(dx, dy));
        if (n11 == 0 || n22 == 0)
        {
            Assert.Equal((0d, n11 == 0 ? 0 : 1), (pair.Cosine, pair.RelativeDistance));
            return;
        }

        var scale = n12 / n22;
        Assert.Equal(n12 / Math.Sqrt(n11 * n22), pair.Cosine, 1e-9);
        Assert.Equal(scale, pair.Scale, 1e-9 * (1 + Math.Abs(scale)));
        Assert.Equal(Math.Sqrt((n11 + n22 - (2 * n12)) / n11), pair.RelativeDistance, 1e-7 * (1 + Math.Sqrt(n22 / n11)));
        Assert.Equal(Math.Sqrt(1 - (n12 * n12 / n11 / n22)), pair.Residual, 1e-7);
    });

    [Fact]
    public void The_inner_product_in_blocks_is_that_of_the_whole()
    {
        var random = new Random(1);
        var (x, y) = (Adapters.Random(random, 1300, 700, 3), Adapters.Random(random, 1300, 700, 5));
        var expected = Deltas.Inner(x, y);
        Assert.Equal(expected, FactorProducts.Inner(x.B.Values, x.A.Values, 3, y.B.Values, y.A.Values, 5), 1e-9 * Deltas.Norm(x) * Deltas.Norm(y));
    }

    [Fact]
    public void Differences_far_below_the_digits_of_squares_are_seen()
    {
        var random = new Random(2);
        var x = Adapters.Random(random, 30, 40, 3);
        var y = new LowRankDelta(x.B, new Matrix(3, 40, [.. x.A.Values.Select(v => v * (1 + (1e-9 * Adapters.Normal(random))))]));
        var pair = PairComparison.Of(Adapters.Of(("q", x)), Adapters.Of(("q", y)))!;
        Assert.InRange(pair.RelativeDistance, 1e-10, 1e-8);
        var scaled = PairComparison.Of(Adapters.Of(("q", x)), Adapters.Of(("q", Adapters.Scale(Cases.Regauge(x, 1), -4))))!;
        Assert.Equal((-1, -0.25), (Math.Round(scaled.Cosine, 12), Math.Round(scaled.Scale, 12)));
        Assert.InRange(scaled.Residual, 0, 1e-10);
    }

    [Fact]
    public void Other_shapes_and_magnitudes_are_not_compared()
    {
        var random = new Random(3);
        var (x, wide) = (Adapters.Random(random, 4, 5, 2), Adapters.Random(random, 4, 6, 2));
        Assert.Null(PairComparison.Of(Adapters.Of(("q", x)), Adapters.Of(("q", wide))));
        var dora = Adapters.Of([(new TargetModule("q", ModuleKind.Linear, 4, 5, 2, 1, HasMagnitude: true), x)]);
        Assert.Null(PairComparison.Of(dora, dora));
        Assert.Equal(0, PairComparison.Of(Adapters.Of(("q", x)), Adapters.Of(("v", wide)))!.Cosine);
    }

    [Fact]
    public void Novelty_is_what_the_nearest_members_do_not_span()
    {
        var random = new Random(4);
        float[] Draw() => [.. Enumerable.Range(0, AdapterSketch.Size).Select(_ => (float)Adapters.Normal(random))];
        AdapterSketch Sketch(float[] values) => new([.. values], 1, [], 0, new string('0', 32));
        var (a, b, c) = (Draw(), Draw(), Draw());
        var known = new[] { Sketch(a), Sketch(b), Sketch([.. a.Select(x => 2 * x)]) };
        var inside = Sketch([.. a.Zip(b, (x, y) => x - (3 * y))]);
        Assert.InRange(Novelty.Of(inside, known, 3).Share, 0, 1e-6);
        var half = Sketch([.. a.Zip(c, (x, y) => x + y)]);
        Assert.Equal(0.5, Novelty.Of(half, known, 3).Share, 0.05);
        Assert.Equal(1, Novelty.Of(Sketch(c), known, 3).Share);
        Assert.Equal(0, Novelty.Of(Sketch(c), known, 3).Members);
        Assert.Equal(1, Novelty.Of(half, [], 0).Share);
        Assert.Equal(0, Novelty.Of(Sketch(new float[AdapterSketch.Size]), known, 3).Share);
    }

    [Fact]
    public void Of_many_unrelated_adapters_hardly_one_passes_for_known()
    {
        var random = new Random(5);
        AdapterSketch Draw() => new([.. Enumerable.Range(0, AdapterSketch.Size).Select(_ => (float)Adapters.Normal(random))], 1, [], 0, new string('0', 32));
        var library = Enumerable.Range(0, 1000).Select(_ => Draw()).ToList();
        var shares = Enumerable.Range(0, 20).Select(_ =>
        {
            var target = Draw();
            return Novelty.Of(target, library.OrderByDescending(m => Math.Abs(AdapterSketch.DeltaCosine(target, m))), library.Count).Share;
        }).ToList();
        Assert.True(shares.Average() > 0.99, $"{shares.Average()}");
        Assert.All(shares, s => Assert.True(s > 0.95));
    }

    [Fact]
    public void Real_adapters_are_their_own_copies_and_nobody_elses()
    {
        var opened = new List<Adapter>();
        foreach (var folder in Fixtures.Adapters)
        {
            if (AdapterReader.TryOpen(folder, out var adapter, out _) && !adapter.Modules.Any(m => m.HasMagnitude))
                opened.Add(adapter);
        }

        foreach (var adapter in opened)
        {
            var self = PairComparison.Of(adapter, adapter)!;
            if (AdapterSketch.Of(adapter).IsZero)
                continue;
            Assert.Equal(1, self.Cosine, 1e-12);
            Assert.InRange(self.RelativeDistance, 0, 1e-12);
            foreach (var other in opened.Where(o => o != adapter))
            {
                if (PairComparison.Of(adapter, other) is { } pair && Similarities.TryCompute([adapter, other], AdapterSimilarity.Delta, out var cosines, out _))
                    Assert.Equal(cosines[0, 1], pair.Cosine, 1e-9);
            }
        }

        opened.ForEach(o => o.Dispose());
    }
}
