using System.Collections.Immutable;

namespace Marketplace.Core.Evaluation;

/// <summary>One metric of one evaluation.</summary>
/// <param name="Metric">The metric.</param>
/// <param name="Value">The score of all items.</param>
/// <param name="StandardError">
/// Of means s ∕ √n, where s² is the variance of the items with n − 1; of perplexities and bits the standard deviation of the resampled scores. 0 for one item.
/// </param>
/// <param name="Low">Lower end of the 95 % percentile bootstrap interval.</param>
/// <param name="High">Upper end.</param>
/// <param name="Examples">Number of items.</param>
/// <param name="Correct">Of 0/1 metrics how many items count 1.</param>
public sealed record Score(Metric Metric, double Value, double StandardError, double Low, double High, int Examples, int? Correct = null);

/// <summary>Scores of kept predictions, without a model.</summary>
public static class Scores
{
    /// <summary>Every metric of the set's kind, in the order of <see cref="Metrics.Of"/>.</summary>
    /// <param name="set">The set.</param>
    /// <param name="predictions">Of all its items.</param>
    /// <param name="resamples">Samples of the bootstrap.</param>
    /// <param name="seed">Its seed.</param>
    public static ImmutableArray<Score> Compute(
        EvaluationSet set, Predictions predictions, int resamples = Bootstrap.DefaultResamples, ulong seed = Bootstrap.DefaultSeed) =>
        [.. Metrics.Of(set.Kind).Select(metric => Compute(ItemScores.Of(set, predictions, metric), resamples, seed))];

    /// <summary>One metric.</summary>
    public static Score Compute(ItemScores items, int resamples = Bootstrap.DefaultResamples, ulong seed = Bootstrap.DefaultSeed)
    {
        var interval = Bootstrap.Interval([items.Sums.AsMemory(), items.Units.AsMemory()], t => ItemScores.Statistic(items.Metric, t[0], t[1]), resamples, seed);
        var error = Metrics.IsRatio(items.Metric) ? items.Count == 1 ? 0 : interval.StandardError : StandardError(items.Sums.AsSpan());
        return new(items.Metric, items.Value, error, interval.Low, interval.High, items.Count, Metrics.IsProportion(items.Metric) ? items.Correct : null);
    }

    /// <summary>s ∕ √n with s² = Σ(x − mean)² ∕ (n − 1); 0 for one value.</summary>
    internal static double StandardError(ReadOnlySpan<double> values)
    {
        if (values.Length < 2)
            return 0;
        var (sum, squares) = (0.0, 0.0);
        foreach (var value in values)
            sum += value;
        var mean = sum / values.Length;
        foreach (var value in values)
            squares += (value - mean) * (value - mean);
        return Math.Sqrt(squares / (values.Length - 1.0) / values.Length);
    }
}
