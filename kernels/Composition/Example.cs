using System.Collections.Immutable;
using Marketplace.Core.Evaluation;
using Marketplace.Kernels.Evaluation;

namespace Marketplace.Kernels.Composition;

/// <summary>An example to learn from, as tokens.</summary>
/// <param name="Choices">What may continue a prompt, each with the prompt before it; a single one where nothing is to choose from.</param>
/// <param name="Answer">Which one is right.</param>
/// <param name="IsText">Whether the only choice is no answer but a text, so that looking at it is no supervision.</param>
internal sealed record Example(ImmutableArray<ScoredSequence> Choices, int Answer, bool IsText = false)
{
    /// <summary>Whether there is anything to choose from.</summary>
    public bool HasChoices => Choices.Length > 1;

    /// <summary>
    /// The items of a set: of multiple choice as they are, of continuations the continuation, of generation the first accepted answer; of texts each window that the model can read is an example.
    /// </summary>
    /// <param name="set">The set.</param>
    /// <param name="tokens">Makes tokens of texts, as evaluations do.</param>
    public static IReadOnlyList<Example> Of(EvaluationSet set, ItemTokens tokens) =>
    [
        .. set.Items.SelectMany<EvaluationItem, Example>(item => item switch
        {
            MultipleChoiceItem choice => [new([.. choice.Choices.Select(c => tokens.After(choice.Prompt, c))], choice.Answer)],
            ContinuationItem continuation => [new([tokens.After(continuation.Prompt, continuation.Continuation)], 0)],
            GenerationItem generation => [new([tokens.After(generation.Prompt, generation.Answers[0])], 0)],
            PerplexityItem text => tokens.Windows(text.Text).Select(w => new Example([w], 0, IsText: true)),
            _ => throw new ArgumentException("An item of no known kind.", nameof(set)),
        }),
    ];
}
