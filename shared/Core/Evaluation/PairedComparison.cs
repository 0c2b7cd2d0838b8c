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
            proportion ? McNemar(onlyFirst, onlySecond) : SignFlip.PValue(first, second, seed), proportion ? "mcnemar" : "signFlip", first.Count,
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
}
