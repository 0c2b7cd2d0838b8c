using CsCheck;
using Marketplace.Core;
using Marketplace.Core.Algebra;
using Marketplace.Core.Merges;
using Marketplace.Tests.Algebra;
using Xunit;

namespace Marketplace.Tests.Merges;

public sealed class SparsificationTests
{
    private static readonly LowRankDelta NoDelta = Deltas.Zero(1, 1);

    // Few values, so that there are ties at every threshold; among them zeros of both signs, the smallest and the largest numbers.
    private static readonly double[] Numbers = [-2, -1, -0.0, 0, 1, 2, double.Epsilon, -double.MaxValue, 1 + 1e-15];

    private static readonly Gen<Matrix> Tied = Gen.Select(Gen.Int[1, 7], Gen.Int[1, 40], Gen.Int[0, 1_000_000]).Select((rows, columns, seed) =>
    {
        var random = new Random(seed);
        return new Matrix(rows, columns, [.. Enumerable.Range(0, rows * columns).Select(_ => Numbers[random.Next(Numbers.Length)])]);
    });

    [Fact]
    public void Magnitude_keeps_exactly_the_first_of_a_stable_descending_sort() => Gen.Select(Tied, Gen.Double[0.001, 0.999]).Sample((values, density) =>
    {
        var kept = (int)(density * values.Values.Length);
        AssertKept(values, Descending(values).Take(kept), Sparsification.Apply(new() { Sparsifier = Sparsifier.Magnitude }, new(NoDelta, 1, density), values));
    });

    [Fact]
    public void Breadcrumbs_keep_exactly_what_lies_between_two_ranks() => Gen.Select(Tied, Gen.Double[0.001, 0.999], Gen.Double[0, 0.999]).Sample((values, density, gamma) =>
    {
        var n = values.Values.Length;
        var (top, bottom) = ((int)(gamma * n), n - (int)(density * n) - (int)(gamma * n)); // as mergekit counts
        if (bottom < 0)
            (top, bottom) = (top + bottom, 0);
        AssertKept(values, Descending(values).Skip(top).Take(n - top - bottom),
            Sparsification.Apply(new() { Sparsifier = Sparsifier.Outliers }, new(NoDelta, 1, density, gamma), values));
    });

    [Fact]
    public void Without_outliers_breadcrumbs_are_magnitude_and_do_not_vanish() => Tied.Sample(values => Assert.Equal(
        Sparsification.Apply(new() { Sparsifier = Sparsifier.Magnitude }, new(NoDelta, 1, 0.5), values).Values,
        Sparsification.Apply(new() { Sparsifier = Sparsifier.Outliers }, new(NoDelta, 1, 0.5, 1e-9), values).Values));

    [Fact]
    public void At_density_one_nothing_changes() => Gen.Select(Tied, Gen.Enum<Sparsifier>(), Gen.Enum<Rescaling>()).Sample((values, sparsifier, rescaling) =>
        Assert.Equal(values.Values, Sparsification.Apply(new() { Sparsifier = sparsifier, Rescaling = rescaling }, new(NoDelta, 1, 1, 0.1, 0.15), values).Values));

    [Fact]
    public void Rescaling_by_l1_restores_the_sum_of_magnitudes() => Gen.Select(Gen.Enum<Sparsifier>(), Gen.Double[0.3, 0.7], Gen.Int[0, 1000]).Sample((sparsifier, density, seed) =>
    {
        var values = Adapters.Fill(new Matrix(5, 20), new Random(seed));
        var result = Sparsification.Apply(
            new() { Sparsifier = sparsifier, Rescaling = Rescaling.L1 }, new(NoDelta, 1, density, 0.05, 0.1, Seed: (ulong)seed), values);
        Assert.Equal(values.Values.Sum(Math.Abs), result.Values.Sum(Math.Abs), 1e-10);
    });

    [Fact]
    public void What_is_dropped_whole_stays_zero_under_any_rescaling()
    {
        var values = new Matrix(1, 3, [1, 2, 3]);
        Assert.All(Enum.GetValues<Rescaling>(), rescaling => Assert.Equal(
            [0, 0, 0], Sparsification.Apply(new() { Sparsifier = Sparsifier.Magnitude, Rescaling = rescaling }, new(NoDelta, 1, 0.3), values).Values));
    }

    [Fact]
    public void A_random_mask_depends_on_seed_stream_and_index_alone()
    {
        var ones = new Matrix(6, 10, [.. Enumerable.Repeat(1d, 60)]);
        var merge = new ElementwiseMerge { Sparsifier = Sparsifier.Random };
        var mask = Apply(1, "a", ones);
        var words = new uint[60];
        Philox.Fill(1, "a", 0, words);
        Assert.Equal(words.Select(w => w < 0.5 * 4294967296 ? 1d : 0), mask);
        Assert.Equal(mask[..30], Apply(1, "a", new Matrix(3, 10, ones.Values[..30])));
        Assert.Equal(mask, Apply(1, "a", new Matrix(12, 5, ones.Values)));
        Assert.NotEqual(mask, Apply(2, "a", ones));
        Assert.NotEqual(mask, Apply(1, "b", ones));

        double[] Apply(ulong seed, string stream, Matrix values) => Sparsification.Apply(merge, new(NoDelta, 1, 0.5, Seed: seed, Stream: stream), values).Values;
    }

    [Theory]
    [InlineData(Sparsifier.Random, 0.2)]
    [InlineData(Sparsifier.Random, 0.7)]
    [InlineData(Sparsifier.RankedRandom, 0.4)]
    public void Over_two_hundred_seeds_the_mean_is_the_original_within_its_standard_error(Sparsifier sparsifier, double density)
    {
        const int seeds = 200;
        const double epsilon = 0.15;
        var values = Adapters.Fill(new Matrix(30, 40), new Random(1));
        var probabilities = sparsifier == Sparsifier.Random ? [.. Enumerable.Repeat(density, 1200)]
            : Enumerable.Range(0, 30).SelectMany(i => Sparsification.Probabilities(values.Row(i), density, epsilon)).ToArray();
        var mean = new double[1200];
        for (var seed = 0UL; seed < seeds; seed++)
        {
            var kept = Sparsification.Apply(new() { Sparsifier = sparsifier, Rescaling = Rescaling.Unbiased }, new(NoDelta, 1, density, 0, epsilon, Seed: seed, Stream: "s"), values);
            for (var i = 0; i < mean.Length; i++)
                mean[i] += kept.Values[i] / seeds;
        }

        // zᵢ = (mean − xᵢ) in units of the standard error |xᵢ|·√((1 − p) ∕ p) ∕ √200. The mean of z is within four standard errors of 0; that of z², whose
        // variance is below 2 for p in [0.2, 0.8], within five of 1.
        double[] z = [.. mean.Select((m, i) => (m - values.Values[i]) / (Math.Abs(values.Values[i]) * Math.Sqrt((1 - probabilities[i]) / probabilities[i] / seeds)))];
        Assert.InRange(z.Average() * Math.Sqrt(z.Length), -4, 4);
        Assert.InRange((z.Average(x => x * x) - 1) * Math.Sqrt(z.Length / 2d), -5, 5);
    }

    [Fact]
    public void Large_matrices_are_selected_exactly_too()
    {
        var values = Adapters.Fill(new Matrix(700, 500), new Random(2));
        var result = Sparsification.Apply(new() { Sparsifier = Sparsifier.Magnitude }, new(NoDelta, 1, 0.123), values);
        AssertKept(values, Descending(values).Take((int)(0.123 * 350_000)), result);
    }

    private static IEnumerable<int> Descending(Matrix values) =>
        Enumerable.Range(0, values.Values.Length).OrderByDescending(i => Math.Abs(values.Values[i])).ThenBy(i => i);

    private static void AssertKept(Matrix values, IEnumerable<int> kept, Matrix result)
    {
        var expected = new double[values.Values.Length];
        foreach (var i in kept)
            expected[i] = values.Values[i];
        Assert.Equal(expected, result.Values);
    }
}
