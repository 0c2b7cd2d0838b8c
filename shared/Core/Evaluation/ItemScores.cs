using System.Collections.Immutable;

namespace Marketplace.Core.Evaluation;

/// <summary>
/// What each item contributes to one metric: a sum and a number of units. A mean has one unit for each item; perplexities have tokens or bytes. The score of any
/// selection of items, repeated ones too, follows from its two totals.
/// </summary>
/// <param name="Metric">The metric.</param>
/// <param name="Sums">By item: 0 or 1, a log-likelihood, or for perplexities a negative log-likelihood.</param>
/// <param name="Units">By item: 1, tokens or bytes.</param>
public sealed record ItemScores(Metric Metric, ImmutableArray<double> Sums, ImmutableArray<double> Units)
{
    /// <summary>Number of items.</summary>
    public int Count => Sums.Length;

    /// <summary>The score of all items.</summary>
    public double Value => Statistic(Metric, Sums.Sum(), Units.Sum());

    /// <summary>Of 0/1 metrics: how many items count 1.</summary>
    public int Correct => (int)Math.Round(Sums.Sum());

    /// <summary>
    /// The score that totals stand for: their quotient q for means, exp q for perplexities, q ∕ ln 2 for bits. A perplexity beyond what a number can be is the largest number.
    /// </summary>
    public static double Statistic(Metric metric, double sum, double units)
    {
        var quotient = sum / Math.Max(1, units);
        return metric switch
        {
            Metric.Perplexity or Metric.BytePerplexity => Math.Min(Math.Exp(quotient), double.MaxValue),
            Metric.BitsPerByte => quotient / Math.Log(2),
            _ => quotient,
        };
    }

    /// <summary>What the items of a set contribute.</summary>
    /// <param name="set">The set.</param>
    /// <param name="predictions">Of all its items.</param>
    /// <param name="metric">One of <see cref="Metrics.Of"/> the set's kind.</param>
    /// <exception cref="ArgumentException">The predictions are not those of the set, or the metric is none of its kind.</exception>
    public static ItemScores Of(EvaluationSet set, Predictions predictions, Metric metric)
    {
        if (predictions.First != 0 || predictions.Items.Length != set.Items.Length || predictions.Kind != set.Kind)
            throw new ArgumentException("The predictions are not those of the whole set.", nameof(predictions));
        if (!Metrics.Of(set.Kind).Contains(metric))
            throw new ArgumentException($"{metric} is no metric of {set.Kind}.", nameof(metric));
        var (sums, units) = (new double[set.Items.Length], new double[set.Items.Length]);
        for (var i = 0; i < sums.Length; i++)
            (sums[i], units[i]) = Of(predictions.Items[i], set.Items[i], metric);
        return new(metric, [.. sums], [.. units]);
    }

    private static (double Sum, double Units) Of(ItemPrediction prediction, EvaluationItem item, Metric metric) => (prediction, metric) switch
    {
        (ChoicePrediction p, Metric.Accuracy) => (Is(p.Chosen, item), 1),
        (ChoicePrediction p, Metric.AccuracyNorm) => (Is(p.ChosenByBytes, item), 1),
        (ChoicePrediction p, Metric.AccuracyTokenNorm) => (Is(p.ChosenByTokens, item), 1),
        (ChoicePrediction p, Metric.LogLikelihood) => (p.LogLikelihoods[((MultipleChoiceItem)item).Answer], 1),
        (ContinuationPrediction p, Metric.Accuracy) => (p.Greedy ? 1 : 0, 1),
        (ContinuationPrediction p, _) => OfText(p.LogLikelihood, p.Tokens, p.Bytes, metric),
        (PerplexityPrediction p, _) => OfText(p.LogLikelihood, p.Tokens, p.Bytes, metric),
        (GenerationPrediction p, Metric.ExactMatch) => (p.Match ? 1 : 0, 1),
        _ => throw new ArgumentException($"{metric} can't be told from such predictions.", nameof(metric)),
    };

    private static (double Sum, double Units) OfText(double logLikelihood, int tokens, int bytes, Metric metric) => metric switch
    {
        Metric.LogLikelihood => (logLikelihood, 1),
        Metric.Perplexity => (-logLikelihood, tokens),
        _ => (-logLikelihood, bytes),
    };

    private static double Is(int chosen, EvaluationItem item) => chosen == ((MultipleChoiceItem)item).Answer ? 1 : 0;
}
