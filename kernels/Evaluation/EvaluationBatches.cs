using Marketplace.Core.Evaluation;

namespace Marketplace.Kernels.Evaluation;

/// <summary>
/// How a set is cut into batches: what is scored, and kept, before the next begins. The cuts follow from the set alone, so that a job that is delivered again, or another one with other subjects, has the
/// same.
/// </summary>
internal static class EvaluationBatches
{
    private const int MaxItems = 64;
    private const int MaxCharacters = 16_000;

    /// <summary>The ranges of a set's items, in order.</summary>
    public static IReadOnlyList<ItemRange> Of(EvaluationSet set)
    {
        var ranges = new List<ItemRange>();
        var (first, characters) = (0, 0L);
        for (var i = 0; i < set.Items.Length; i++)
        {
            var size = Characters(set.Items[i]);
            if (i > first && (i - first >= MaxItems || characters + size > MaxCharacters))
            {
                ranges.Add(new(first, i - first));
                (first, characters) = (i, 0);
            }

            characters += size;
        }

        ranges.Add(new(first, set.Items.Length - first));
        return ranges;
    }

    // What the model reads, about: a prompt is read once for all of its choices.
    private static long Characters(EvaluationItem item) => item switch
    {
        MultipleChoiceItem choice => choice.Prompt.Length + choice.Choices.Sum(c => (long)c.Length),
        ContinuationItem continuation => continuation.Prompt.Length + continuation.Continuation.Length,
        PerplexityItem perplexity => perplexity.Text.Length,
        GenerationItem generation => generation.Prompt.Length + (4L * generation.MaxTokens),
        _ => 0,
    };
}
