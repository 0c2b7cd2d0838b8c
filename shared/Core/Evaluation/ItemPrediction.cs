using System.Collections.Immutable;

namespace Marketplace.Core.Evaluation;

/// <summary>What a model made of one item: enough to compute every score again without the model. Log-likelihoods are in nats.</summary>
public abstract record ItemPrediction;

/// <summary>Of an item of multiple choice.</summary>
/// <param name="LogLikelihoods">For each choice, the sum of its tokens' log-probabilities after the prompt.</param>
/// <param name="Tokens">For each choice, how many tokens were summed.</param>
/// <param name="Bytes">For each choice, its UTF-8 bytes, without the separator.</param>
public sealed record ChoicePrediction(ImmutableArray<double> LogLikelihoods, ImmutableArray<int> Tokens, ImmutableArray<int> Bytes) : ItemPrediction
{
    /// <summary>The choice of the largest log-likelihood; ties by lowest index.</summary>
    public int Chosen => Largest(i => LogLikelihoods[i]);

    /// <summary>The choice of the largest log-likelihood per byte; ties by lowest index.</summary>
    public int ChosenByBytes => Largest(i => LogLikelihoods[i] / Math.Max(1, Bytes[i]));

    /// <summary>The choice of the largest log-likelihood per token; ties by lowest index.</summary>
    public int ChosenByTokens => Largest(i => LogLikelihoods[i] / Math.Max(1, Tokens[i]));

    /// <inheritdoc/>
    public bool Equals(ChoicePrediction? other) =>
        other is not null && LogLikelihoods.SequenceEqual(other.LogLikelihoods) && Tokens.SequenceEqual(other.Tokens) && Bytes.SequenceEqual(other.Bytes);

    /// <inheritdoc/>
    public override int GetHashCode() => LogLikelihoods.Aggregate(LogLikelihoods.Length, HashCode.Combine);

    private int Largest(Func<int, double> value)
    {
        var best = 0;
        for (var i = 1; i < LogLikelihoods.Length; i++)
        {
            if (value(i) > value(best))
                best = i;
        }

        return best;
    }
}

/// <summary>Of an item with a continuation.</summary>
/// <param name="LogLikelihood">Sum of the log-probabilities of the continuation's tokens after the prompt.</param>
/// <param name="Tokens">How many tokens were summed.</param>
/// <param name="Bytes">The continuation's UTF-8 bytes, without the separator.</param>
/// <param name="Greedy">Whether each of these tokens was the likeliest at its place.</param>
public sealed record ContinuationPrediction(double LogLikelihood, int Tokens, int Bytes, bool Greedy) : ItemPrediction;

/// <summary>Of an item of a perplexity set.</summary>
/// <param name="LogLikelihood">Sum of the log-probabilities of the text's tokens; the negative log-likelihood with the other sign.</param>
/// <param name="Tokens">How many tokens were summed.</param>
/// <param name="Bytes">The text's UTF-8 bytes.</param>
public sealed record PerplexityPrediction(double LogLikelihood, int Tokens, int Bytes) : ItemPrediction;

/// <summary>Of an item of a generation set.</summary>
/// <param name="Text">What the model wrote, up to the first stop text.</param>
/// <param name="Match">Whether that is an accepted answer.</param>
public sealed record GenerationPrediction(string Text, bool Match) : ItemPrediction;
