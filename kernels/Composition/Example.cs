using System.Collections.Immutable;

namespace Marketplace.Kernels.Composition;

/// <summary>An example to learn from, as tokens.</summary>
/// <param name="Prompt">What comes before, with whatever starts a sequence.</param>
/// <param name="Choices">What may continue it; a single one where nothing is to choose from.</param>
/// <param name="Answer">Which one is right.</param>
/// <param name="IsText">Whether the only choice is no answer but a text, so that looking at it is no supervision.</param>
internal sealed record Example(ImmutableArray<int> Prompt, ImmutableArray<ImmutableArray<int>> Choices, int Answer, bool IsText = false)
{
    /// <summary>Whether there is anything to choose from.</summary>
    public bool HasChoices => Choices.Length > 1;

    /// <summary>Tokens of the longest row that it becomes.</summary>
    public int Length => Prompt.Length + Choices.Max(c => c.Length);
}
