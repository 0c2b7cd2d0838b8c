using Marketplace.Core.Algebra;

namespace Marketplace.Core.Evaluation;

/// <summary>Two evaluations on the same items.</summary>
/// <param name="Metric">What is compared.</param>
/// <param name="First">The first one's score.</param>
/// <param name="Second">The second one's score.</param>
/// <param name="Difference">First − second.</param>
/// <param name="Low">Lower end of the 95 % percentile interval of the difference: items are resampled, and both evaluations keep them.</param>
/// <param name="High">Upper end.</param>
/// <param name="PValue">Two-sided, under the hypothesis that the two are exchangeable item by item.</param>
/// <param name="Test"><c>mcnemar</c> or <c>signFlip</c>.</param>
/// <param name="Examples">Number of items.</param>
/// <param name="OnlyFirst">Of 0/1 metrics: items that the first alone has right.</param>
/// <param name="OnlySecond">Of 0/1 metrics: items that the second alone has right.</param>
public sealed record PairedComparison(
    Metric Metric, double First, double Second, double Difference, double Low, double High, double PValue, string Test, int Examples, int? OnlyFirst = null,
    int? OnlySecond = null)
{
    private const int ExactItems = 12;
    private const int MostFlips = 9_999;
    private const int FewestFlips = 999;
    private const long FlippedItems = 100_000_000;

    /// <summary>
    /// Compares. Metrics of 0 and 1 by the exact test of McNemar, others by flipping: the statistic is computed anew with the two evaluations exchanged on random
    /// items, and p = (1 + number of flips whose |difference| is not smaller) ∕ (1 + flips), with 9,999 flips, fewer from 10,000 items on and 999 at the least; up to 12 items
    /// all 2ⁿ exchanges are gone through instead.
    /// </summary>
    /// <param name="first">One evaluation.</param>
    /// <param name="second">Another, on the same items by the same metric.</param>
    /// <param name="resamples">Samples of the bootstrap.</param>
    /// <param name="seed">Seed of bootstrap and flips.</param>
    /// <exception cref="ArgumentException">Metrics or numbers of items differ.</exception>
    public static PairedComparison Of(ItemScores first, ItemScores second, int resamples = Bootstrap.DefaultResamples, ulong seed = Bootstrap.DefaultSeed)
    {
        if (first.Metric != second.Metric || first.Count != second.Count)
            throw new ArgumentException("Only evaluations on the same items by the same metric can be compared.", nameof(second));
        var metric = first.Metric;
        double Difference(double[] t) => ItemScores.Statistic(metric, t[0], t[1]) - ItemScores.Statistic(metric, t[2], t[3]);
        var interval = Bootstrap.Interval(
            [first.Sums.AsMemory(), first.Units.AsMemory(), second.Sums.AsMemory(), second.Units.AsMemory()], Difference, resamples, seed);
        var proportion = Metrics.IsProportion(metric);
        var (onlyFirst, onlySecond) = proportion ? Discordant(first, second) : (0, 0);
        return new(
            metric, first.Value, second.Value, first.Value - second.Value, interval.Low, interval.High,
            proportion ? McNemar(onlyFirst, onlySecond) : SignFlip(first, second, seed), proportion ? "mcnemar" : "signFlip", first.Count,
            proportion ? onlyFirst : null, proportion ? onlySecond : null);
    }

    /// <summary>
    /// The exact test of McNemar (1947): of the b + c items on which the two differ, each is as likely to favour one as the other, so that
    /// p = min(1, 2·P(X ≤ min(b, c))), X ~ Binomial(b + c, ½).
    /// </summary>
    public static double McNemar(int b, int c) => Math.Min(1, 2 * Binomial.LowerTail(Math.Min(b, c), b + c, 0.5));

    private static (int OnlyFirst, int OnlySecond) Discordant(ItemScores first, ItemScores second)
    {
        var (onlyFirst, onlySecond) = (0, 0);
        for (var i = 0; i < first.Count; i++)
        {
            onlyFirst += first.Sums[i] > second.Sums[i] ? 1 : 0;
            onlySecond += first.Sums[i] < second.Sums[i] ? 1 : 0;
        }

        return (onlyFirst, onlySecond);
    }

    private static double SignFlip(ItemScores first, ItemScores second, ulong seed)
    {
        var seen = Math.Abs(Exchanged(first, second, _ => 0));
        // Sums come out differently in their last digits depending on their order; equal statistics must count as equal.
        var bound = seen - (1e-12 * Math.Max(1, Math.Max(Math.Abs(first.Value), Math.Abs(second.Value))));
        if (first.Count <= ExactItems)
        {
            var all = 1 << first.Count;
            return Enumerable.Range(0, all).Count(flips => Math.Abs(Exchanged(first, second, _ => (uint)flips)) >= bound) / (double)all;
        }

        var count = (int)Math.Clamp(FlippedItems / first.Count, FewestFlips, MostFlips);
        var (words, extreme) = ((first.Count + 31) / 32, 0);
        Parallel.For(0, count, () => (Buffer: new uint[words], Extreme: 0), (flip, _, local) =>
        {
            Philox.Fill(seed, "sign-flip", (long)flip * words, local.Buffer);
            return (local.Buffer, local.Extreme + (Math.Abs(Exchanged(first, second, w => local.Buffer[w])) >= bound ? 1 : 0));
        }, local => Interlocked.Add(ref extreme, local.Extreme));
        return (1.0 + extreme) / (1.0 + count);
    }

    // The difference of the two statistics after the evaluations were exchanged on the items whose bit is set.
    private static double Exchanged(ItemScores first, ItemScores second, Func<int, uint> bits)
    {
        var (sum1, units1, sum2, units2, word) = (0.0, 0.0, 0.0, 0.0, 0U);
        ReadOnlySpan<double> sumsA = first.Sums.AsSpan(), unitsA = first.Units.AsSpan(), sumsB = second.Sums.AsSpan(), unitsB = second.Units.AsSpan();
        for (var i = 0; i < sumsA.Length; i++, word >>= 1)
        {
            if (i % 32 == 0)
                word = bits(i / 32);
            if ((word & 1) == 0)
            {
                (sum1, units1, sum2, units2) = (sum1 + sumsA[i], units1 + unitsA[i], sum2 + sumsB[i], units2 + unitsB[i]);
            }
            else
            {
                (sum1, units1, sum2, units2) = (sum1 + sumsB[i], units1 + unitsB[i], sum2 + sumsA[i], units2 + unitsA[i]);
            }
        }

        return ItemScores.Statistic(first.Metric, sum1, units1) - ItemScores.Statistic(first.Metric, sum2, units2);
    }
}
