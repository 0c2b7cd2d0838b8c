using System.Numerics.Tensors;
using CsCheck;
using Marketplace.Core;
using Marketplace.Core.Algebra;
using Marketplace.Core.Analysis;
using Marketplace.Core.Methods;
using Marketplace.Tests.Algebra;
using Xunit;

namespace Marketplace.Tests.Analysis;

public sealed class SketchTests
{
    private static readonly string[] Names = [.. Enumerable.Range(0, 12).Select(i => $"layers.{i}.q_proj")];

    [Fact]
    public void Inner_products_are_right_on_the_average_with_the_variance_stated()
    {
        // One module, sketched under many names: each name is another draw of the maps.
        const int Draws = 600;
        var random = new Random(1);
        var (x, noise) = (Adapters.Random(random, 300, 400, 2), Adapters.Random(random, 300, 400, 2));
        var y = new LowRankDelta(x.B, new Matrix(2, 400, [.. x.A.Values.Zip(noise.A.Values, (p, q) => p + q)]));
        var (inner, squares) = (Deltas.Inner(x, y), Deltas.Inner(x, x) * Deltas.Inner(y, y));
        double[] estimates = [.. Enumerable.Range(0, Draws).Select(i => Dot(Sketch($"m{i}", x), Sketch($"m{i}", y)))];
        var (mean, deviation) = (estimates.Average(), Math.Sqrt(estimates.Average(e => (e - inner) * (e - inner))));
        // Three maps, of 256, 256 and 1024 buckets, and the first two each see only some of the rank-2 structure: the bound is the product of (1 + 2 ∕ p).
        var bound = Math.Sqrt(squares * ((1 + (2d / 256)) * (1 + (2d / 256)) * (1 + (2d / 1024)) - 1));
        Assert.True(deviation < bound, $"deviation {deviation / Math.Sqrt(squares):g3} of |x||y|, bound {bound / Math.Sqrt(squares):g3}");
        Assert.Equal(inner, mean, 4 * bound / Math.Sqrt(Draws));
    }

    [Fact]
    public void Sparsified_factors_keep_their_inner_products_on_the_average()
    {
        const int Draws = 600;
        var random = new Random(2);
        double[] x = [.. Enumerable.Range(0, 5000).Select(_ => Adapters.Normal(random))], y = [.. x.Select(v => v + Adapters.Normal(random))];
        var (inner, norms) = (x.Zip(y).Where(p => Math.Abs(p.First) > 1 && Math.Abs(p.Second) > 1).Sum(p => p.First * p.Second), 0d);
        var estimates = new double[Draws];
        for (var i = 0; i < Draws; i++)
        {
            var (first, second) = (new double[AdapterSketch.Size], new double[AdapterSketch.Size]);
            var one = SketchProjection.AddFactor(first, "A", $"m{i}", x, 1);
            norms = Math.Sqrt(one * SketchProjection.AddFactor(second, "A", $"m{i}", y, 1));
            Assert.Equal(x.Where(v => Math.Abs(v) > 1).Sum(v => v * v), one, 1e-9);
            estimates[i] = Dot(first, second);
        }

        Assert.Equal(inner, estimates.Average(), 4 * norms * Math.Sqrt(2d / 1024 / Draws));
        Assert.True(Math.Sqrt(estimates.Average(e => (e - inner) * (e - inner))) < norms * Math.Sqrt(2d / 1024));
    }

    [Fact]
    public void Small_modules_lose_nothing_on_either_side()
    {
        // Up to 256 rows and columns only the fold is random, and it keeps two entries apart with probability 1 − 1 ∕ 1024.
        var delta = new LowRankDelta(new Matrix(200, 1, [.. Enumerable.Range(0, 200).Select(i => i == 7 ? 1d : 0)]), new Matrix(1, 250, [.. Enumerable.Range(0, 250).Select(i => i == 9 ? 3d : 0)]));
        Assert.Equal(9, Dot(Sketch("m", delta), Sketch("m", delta)), 1e-12);
        Assert.Single(Sketch("m", delta), x => x != 0);
    }

    [Fact]
    public void The_sketch_of_a_sum_is_the_sum_of_the_sketches() => Gen.Int[0, 9999].Sample(seed =>
    {
        var random = new Random(seed);
        var (rows, columns) = (random.Next(1, 400), random.Next(1, 400));
        var (x, y) = (Adapters.Random(random, rows, columns, random.Next(1, 5)), Adapters.Random(random, rows, columns, random.Next(1, 5)));
        var sum = Sketch("m", Deltas.WeightedSum([(2, x), (-3, y)]));
        var (first, second) = (Sketch("m", x), Sketch("m", y));
        Dense.AssertClose([.. first.Zip(second, (p, q) => (2 * p) - (3 * q))], sum, 1e-9 * rows * columns);
    }, iter: 40);

    [Fact]
    public void Another_gauge_rank_or_scaling_of_the_same_change_has_the_same_sketch_of_it_but_not_of_the_factors() => Gen.Int[0, 9999].Sample(seed =>
    {
        var random = new Random(seed);
        var deltas = Names.Take(3).Select(n => (n, Adapters.Random(random, 40, 300, 3))).ToArray();
        var original = AdapterSketch.Of(Adapters.Of(deltas));
        AdapterSketch[] same =
        [
            AdapterSketch.Of(Adapters.Of([.. deltas.Select(d => (d.n, Cases.Regauge(d.Item2, seed)))])),
            AdapterSketch.Of(Adapters.Of([.. deltas.Select(d => (d.n, Cases.Pad(d.Item2, 2)))])),
            AdapterSketch.Of(Adapters.Of(4, [.. deltas.Select(d => (d.n, Adapters.Scale(d.Item2, 0.25)))])),
        ];
        foreach (var other in same)
        {
            Dense.AssertClose([.. original.Delta.Select(x => (double)x)], [.. other.Delta.Select(x => (double)x)], 1e-4);
            Assert.Equal(original.Norm, other.Norm, 1e-9 * original.Norm);
            Assert.Equal(1, AdapterSketch.DeltaCosine(original, other), 1e-6);
        }

        Assert.True(AdapterSketch.FlatAbCosine(original, same[0]) < 0.99);
        Assert.Null(AdapterSketch.FlatAbCosine(original, same[1]));
        Assert.True(AdapterSketch.FlatAbCosine(original, same[2]) < 0.99);
    }, iter: 20);

    [Fact]
    public void Modules_that_only_one_has_count_as_zero_in_the_other()
    {
        var random = new Random(4);
        var deltas = Names.Select(n => (n, Adapters.Random(random, 64, 96, 2))).ToArray();
        var (whole, part) = (Adapters.Of(deltas), Adapters.Of(deltas[..6]));
        Assert.True(Similarities.TryCompute([whole, part], AdapterSimilarity.Delta, out var exact, out _));
        Assert.Equal(exact[0, 1], AdapterSketch.DeltaCosine(AdapterSketch.Of(whole), AdapterSketch.Of(part)), 0.06);
        Assert.Equal(Math.Sqrt(deltas[..6].Sum(d => Math.Pow(Deltas.Norm(d.Item2), 2))), AdapterSketch.Of(part).Norm, 1e-9);
    }

    [Fact]
    public void Estimated_cosines_are_close_to_the_exact_ones()
    {
        // 200 pairs of unrelated to nearly equal adapters: 1 ∕ √1024 = 0.031 for unrelated ones, less the more alike they are.
        var random = new Random(5);
        var root = Names.Select(n => (n, Adapters.Random(random, 300, 280, 2))).ToArray();
        var adapters = Enumerable.Range(0, 20).Select(i => Adapters.Of([.. root.Select(d => (d.n, Deltas.WeightedSum([(i / 20d, d.Item2), (1 - (i / 20d), Adapters.Random(random, 300, 280, 2))])))])).ToList();
        Assert.True(Similarities.TryCompute(adapters, AdapterSimilarity.Delta, out var exact, out _));
        var sketches = adapters.ConvertAll(AdapterSketch.Of);
        var errors = new List<double>();
        for (var i = 0; i < 20; i++)
            for (var j = 0; j < i; j++)
                errors.Add(AdapterSketch.DeltaCosine(sketches[i], sketches[j]) - exact[i, j]);
        Assert.True(Math.Sqrt(errors.Average(e => e * e)) < 1.5 / Math.Sqrt(AdapterSketch.Size));
        Assert.True(errors.Max(Math.Abs) < 5 / Math.Sqrt(AdapterSketch.Size));
    }

    [Fact]
    public void The_flat_cosine_estimates_the_published_similarity()
    {
        var random = new Random(6);
        var root = Names.Select(n => (n, Adapters.Random(random, 300, 280, 2))).ToArray();
        var adapters = Enumerable.Range(0, 6).Select(i => Adapters.Of(0.7, [.. root.Select(d => (d.n, Mixed(d.Item2, i / 6d)))])).ToList();
        Assert.True(Similarities.TryCompute(adapters, AdapterSimilarity.FlatAb, out var exact, out _));
        var sketches = adapters.ConvertAll(AdapterSketch.Of);
        for (var i = 0; i < 6; i++)
            for (var j = 0; j < i; j++)
                Assert.Equal(exact[i, j], AdapterSketch.FlatAbCosine(sketches[i], sketches[j])!.Value, 0.13);

        LowRankDelta Mixed(LowRankDelta delta, double share) => new(Mix(delta.B, share), Mix(delta.A, share));
        Matrix Mix(Matrix m, double share) => new(m.Rows, m.Columns, [.. m.Values.Select(x => (share * x) + ((1 - share) * Adapters.Normal(random)))]);
    }

    [Fact]
    public void Adapters_that_change_nothing_and_ones_that_are_not_finite_are_told()
    {
        var zero = AdapterSketch.Of(Adapters.Of(("q", new LowRankDelta(new Matrix(4, 2), Adapters.Random(new Random(1), 4, 3, 2).A))));
        Assert.True(zero.IsZero);
        Assert.Equal(0, AdapterSketch.DeltaCosine(zero, zero));
        Assert.True(AdapterSketch.Of(Adapters.Of()).IsZero);
        Assert.Throws<NotFiniteNumberException>(() => AdapterSketch.Of(Adapters.Of(("q", new LowRankDelta(new Matrix(1, 1, [double.NaN]), new Matrix(1, 1, [1]))))));
    }

    [Fact]
    public void A_sketch_survives_its_file()
    {
        var sketch = AdapterSketch.Of(Adapters.Of(("q", Adapters.Random(new Random(8), 30, 20, 2))));
        var read = AdapterSketch.Parse(sketch.ToBytes());
        Assert.Equal(sketch.Delta, read.Delta);
        Assert.Equal(sketch.FlatAb, read.FlatAb);
        Assert.Equal((sketch.Norm, sketch.FlatNorm, sketch.Shape), (read.Norm, read.FlatNorm, read.Shape));
    }

    private static double[] Sketch(string module, LowRankDelta delta)
    {
        var sketch = new double[AdapterSketch.Size];
        SketchProjection.AddDelta(sketch, module, delta.B.Values, delta.A.Values, delta.Rank);
        return sketch;
    }

    private static double Dot(double[] x, double[] y) => TensorPrimitives.Dot<double>(x, y);
}
