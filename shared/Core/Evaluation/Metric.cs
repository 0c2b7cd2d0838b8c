using System.Collections.Immutable;

namespace Marketplace.Core.Evaluation;

/// <summary>
/// Scores of a set. ℓ is a log-likelihood in nats (natural logarithms), summed over the tokens of what is scored; n is the number of items.
/// </summary>
public enum Metric
{
    /// <summary>
    /// Share of items that are right. Multiple choice: the choice of the largest ℓ is the answer, ties by lowest index (<c>acc</c> of lm-evaluation-harness).
    /// Continuation: at each place the continuation has the likeliest token.
    /// </summary>
    Accuracy,

    /// <summary>Multiple choice: the same by ℓ ∕ bytes, the UTF-8 bytes of the choice without the separator (<c>acc_norm</c>, which counts characters: the same on ASCII).</summary>
    AccuracyNorm,

    /// <summary>Multiple choice: the same by ℓ ∕ tokens.</summary>
    AccuracyTokenNorm,

    /// <summary>Mean over items of ℓ: of the right choice, of the continuation, of the text.</summary>
    LogLikelihood,

    /// <summary>exp(−Σℓ ∕ Σtokens), sums over all items.</summary>
    Perplexity,

    /// <summary>exp(−Σℓ ∕ Σbytes): does not depend on how a tokenizer cuts (<c>byte_perplexity</c>).</summary>
    BytePerplexity,

    /// <summary>−Σℓ ∕ (Σbytes·ln 2): the logarithm of the byte perplexity to base 2 (<c>bits_per_byte</c>).</summary>
    BitsPerByte,

    /// <summary>Share of items whose generated text is an accepted answer (<c>exact_match</c>).</summary>
    ExactMatch,
}

/// <summary>What there is to know of metrics.</summary>
public static class Metrics
{
    /// <summary>The metrics of a kind; the first is its default.</summary>
    public static ImmutableArray<Metric> Of(EvaluationKind kind) => kind switch
    {
        EvaluationKind.MultipleChoice => [Metric.Accuracy, Metric.AccuracyNorm, Metric.AccuracyTokenNorm, Metric.LogLikelihood],
        EvaluationKind.Continuation => [Metric.LogLikelihood, Metric.Accuracy, Metric.Perplexity, Metric.BytePerplexity, Metric.BitsPerByte],
        EvaluationKind.Perplexity => [Metric.BitsPerByte, Metric.BytePerplexity, Metric.Perplexity, Metric.LogLikelihood],
        EvaluationKind.Generation => [Metric.ExactMatch],
        _ => throw new ArgumentOutOfRangeException(nameof(kind)),
    };

    /// <summary>The metric that ranks where a set does not say.</summary>
    public static Metric Default(EvaluationKind kind) => Of(kind)[0];

    /// <summary>Whether each item counts 0 or 1, so that exact tests and certificates apply.</summary>
    public static bool IsProportion(Metric metric) => metric is Metric.Accuracy or Metric.AccuracyNorm or Metric.AccuracyTokenNorm or Metric.ExactMatch;

    /// <summary>Whether it is a ratio of sums over the items, and not a mean.</summary>
    public static bool IsRatio(Metric metric) => metric is Metric.Perplexity or Metric.BytePerplexity or Metric.BitsPerByte;

    /// <summary>Whether a larger value is a better one.</summary>
    public static bool HigherIsBetter(Metric metric) => !IsRatio(metric);
}
