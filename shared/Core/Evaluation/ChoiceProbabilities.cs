using System.Collections.Immutable;

namespace Marketplace.Core.Evaluation;

/// <summary>By what choices are weighed against each other.</summary>
public enum ChoiceScore
{
    /// <summary>The log-likelihood ℓ.</summary>
    Sum,

    /// <summary>ℓ ∕ bytes.</summary>
    Bytes,

    /// <summary>ℓ ∕ tokens.</summary>
    Tokens,
}

/// <summary>
/// Predictions on a set of multiple choice as probabilities: of item i the softmax over its choices, pⱼ = exp sⱼ ∕ Σ exp sₖ, where s is ℓ or ℓ by length.
/// </summary>
public sealed class ChoiceProbabilities
{
    private readonly double[] values;
    private readonly int[] starts;

    private ChoiceProbabilities(double[] values, int[] starts, ImmutableArray<int> chosen) => (this.values, this.starts, Chosen) = (values, starts, chosen);

    /// <summary>Number of items.</summary>
    public int Count => starts.Length - 1;

    /// <summary>The choice of the largest score of each item, ties by lowest index.</summary>
    public ImmutableArray<int> Chosen { get; }

    /// <summary>All items' probabilities one after the other.</summary>
    internal ReadOnlySpan<double> Values => values;

    /// <summary>The probabilities of an item's choices.</summary>
    public ReadOnlySpan<double> this[int item] => values.AsSpan(starts[item], starts[item + 1] - starts[item]);

    /// <summary>Where an item's probabilities start among all.</summary>
    internal int Start(int item) => starts[item];

    /// <summary>The probabilities of a set's predictions.</summary>
    /// <exception cref="ArgumentException">They are not of multiple choice.</exception>
    public static ChoiceProbabilities Of(Predictions predictions, ChoiceScore score = ChoiceScore.Sum)
    {
        if (predictions.Kind != EvaluationKind.MultipleChoice)
            throw new ArgumentException("Only choices have such probabilities.", nameof(predictions));
        var starts = new int[predictions.Items.Length + 1];
        for (var i = 0; i < predictions.Items.Length; i++)
            starts[i + 1] = starts[i] + ((ChoicePrediction)predictions.Items[i]).LogLikelihoods.Length;
        var (values, chosen) = (new double[starts[^1]], ImmutableArray.CreateBuilder<int>(predictions.Items.Length));
        for (var i = 0; i < predictions.Items.Length; i++)
        {
            var item = (ChoicePrediction)predictions.Items[i];
            var row = values.AsSpan(starts[i], item.LogLikelihoods.Length);
            for (var j = 0; j < row.Length; j++)
            {
                row[j] = item.LogLikelihoods[j] / Math.Max(1, score switch
                {
                    ChoiceScore.Bytes => item.Bytes[j],
                    ChoiceScore.Tokens => item.Tokens[j],
                    _ => 1,
                });
            }

            chosen.Add(Largest(row));
            Softmax(row);
        }

        return new(values, starts, chosen.ToImmutable());
    }

    /// <summary>Index of the largest value, the lowest of several.</summary>
    internal static int Largest(ReadOnlySpan<double> values)
    {
        var best = 0;
        for (var i = 1; i < values.Length; i++)
            best = values[i] > values[best] ? i : best;
        return best;
    }

    private static void Softmax(Span<double> row)
    {
        var largest = row[Largest(row)];
        var sum = 0.0;
        for (var j = 0; j < row.Length; j++)
            sum += row[j] = Math.Exp(row[j] - largest);
        for (var j = 0; j < row.Length; j++)
            row[j] /= sum;
    }
}
