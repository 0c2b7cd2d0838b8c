using CsCheck;
using Marketplace.Core;
using Marketplace.Core.Algebra;
using Marketplace.Core.Methods;
using Marketplace.Tests.Algebra;
using Xunit;

namespace Marketplace.Tests.Analysis;

public sealed class MagnitudeQuantileTests
{
    // Many equal numbers, both zeros, denormal numbers, infinities of range: whatever a file may hold.
    private static readonly Gen<double> Number = Gen.OneOf(
        Gen.Double[-1, 1], Gen.Int[-3, 3].Select(i => i * 0.125), Gen.Const(0d), Gen.Const(-0d), Gen.Double[-1e-310, 1e-310], Gen.Double[-1e300, 1e300], Gen.Const(double.PositiveInfinity));

    [Fact]
    public void It_is_what_sorting_gives() => Gen.Select(Number.Array[1, 60], Gen.Double[0, 1], Gen.Int[1, 9]).Sample((numbers, q, piece) =>
    {
        foreach (var at in new[] { q, 0, 1, 0.5 })
            AssertSame(Sorted(numbers, at), Quantile(numbers, at, piece));
    });

    [Fact]
    public void It_is_what_sorting_gives_of_many_numbers()
    {
        var random = new Random(1);
        double[] numbers = [.. Enumerable.Range(0, 100_003).Select(_ => Adapters.Normal(random))];
        foreach (var q in new[] { 0, 0.1, 0.5, 0.8, 0.99999, 1 })
            Assert.Equal(Sorted(numbers, q), Quantile(numbers, q, 4096));
    }

    [Fact]
    public void Numbers_that_share_their_upper_bits_by_the_million_are_told_apart()
    {
        // More than are collected at once, all between 1 and 1 + 2⁻²⁰: the passes have to go down to the last bits.
        var random = new Random(2);
        double[] numbers = [.. Enumerable.Range(0, 1_200_000).Select(_ => 1 + (random.Next(1 << 16) * Math.Pow(2, -40)))];
        foreach (var q in new[] { 0.25, 0.8 })
            Assert.Equal(Sorted(numbers, q), Quantile(numbers, q, 100_000));
        Array.Fill(numbers, -0.75);
        Assert.Equal(0.75, Quantile(numbers, 0.8, 100_000));
    }

    [Fact]
    public void Two_heaps_far_apart_are_interpolated_between()
    {
        double[] numbers = [.. Enumerable.Repeat(0d, 1_100_000), .. Enumerable.Repeat(-2d, 1_100_000)];
        Assert.Equal(Sorted(numbers, 0.5), Quantile(numbers, 0.5, 99_999));
        Assert.Equal(1, Quantile(numbers, 0.5, 99_999), 1e-12);
    }

    [Fact]
    public void No_numbers_have_the_quantile_zero() => Assert.Equal(0, FlatFactors.Threshold(Adapters.Of(), 0.8));

    [Fact]
    public void The_threshold_of_an_adapter_is_that_of_its_unscaled_entries_sorted() => Gen.Select(Gen.Int[0, 99999], Gen.Double[0, 1]).Sample((seed, q) =>
    {
        var random = new Random(seed);
        var adapter = Adapters.Of(random.NextDouble() * 3, [.. Enumerable.Range(0, 3).Select(i => ($"m{i}", Adapters.Random(random, random.Next(1, 20), random.Next(1, 20), random.Next(1, 5))))]);
        double[] entries = [.. adapter.Modules.SelectMany(m => adapter.Delta(m.Name)!.A.Values.Concat(adapter.Delta(m.Name)!.B.Values.Select(x => x / m.Scaling)))];
        Assert.Equal(Sorted(entries, q), FlatFactors.Threshold(adapter, q));
    });

    private static double Quantile(double[] numbers, double q, int piece)
    {
        var quantile = new MagnitudeQuantile(numbers.Length, q);
        for (var pass = 0; !quantile.IsDone; pass++)
        {
            Assert.True(pass < 6, "The passes do not come to an end.");
            for (var i = 0; i < numbers.Length; i += piece)
                quantile.Add(numbers.AsSpan(i, Math.Min(piece, numbers.Length - i)));
            quantile.EndPass();
        }

        return quantile.Value;
    }

    private static double Sorted(double[] numbers, double q)
    {
        double[] sorted = [.. numbers.Select(Math.Abs).Order()];
        var position = q * (sorted.Length - 1);
        var (below, above) = (sorted[(int)position], sorted[Math.Min((int)position + 1, sorted.Length - 1)]);
        return below + ((position - (int)position) * (above - below));
    }

    // ∞ − ∞ has no value, here as there.
    private static void AssertSame(double expected, double actual) => Assert.Equal(BitConverter.DoubleToInt64Bits(expected), BitConverter.DoubleToInt64Bits(actual));
}
