using System.Collections.Immutable;

namespace Marketplace.Core.Evaluation;

/// <summary>One example of an evaluation set.</summary>
/// <param name="Id">Its name within the set; null if it has none, and then its place names it.</param>
/// <param name="Task">A group within the set, such as a subject; of no account for scores.</param>
public abstract record EvaluationItem(string? Id, string? Task);

/// <summary>A prompt with texts that might continue it.</summary>
/// <param name="Id">Name.</param>
/// <param name="Prompt">What comes before; may be empty.</param>
/// <param name="Choices">2 to 64 texts.</param>
/// <param name="Answer">Index of the right one, from 0.</param>
/// <param name="Task">Group.</param>
public sealed record MultipleChoiceItem(string? Id, string Prompt, ImmutableArray<string> Choices, int Answer, string? Task = null) : EvaluationItem(Id, Task);

/// <summary>A prompt with the text that continues it.</summary>
/// <param name="Id">Name.</param>
/// <param name="Prompt">What comes before; may be empty.</param>
/// <param name="Continuation">What is scored.</param>
/// <param name="Task">Group.</param>
public sealed record ContinuationItem(string? Id, string Prompt, string Continuation, string? Task = null) : EvaluationItem(Id, Task);

/// <summary>A text, all of which is scored.</summary>
/// <param name="Id">Name.</param>
/// <param name="Text">The text.</param>
/// <param name="Task">Group.</param>
public sealed record PerplexityItem(string? Id, string Text, string? Task = null) : EvaluationItem(Id, Task);

/// <summary>A prompt after which the model writes.</summary>
/// <param name="Id">Name.</param>
/// <param name="Prompt">What comes before.</param>
/// <param name="Answers">Texts that count as right; see <see cref="EvaluationSet.Matches"/>.</param>
/// <param name="MaxTokens">Most tokens that are written.</param>
/// <param name="Stop">Texts at which writing ends; they and what follows do not count as written.</param>
/// <param name="Task">Group.</param>
public sealed record GenerationItem(
    string? Id, string Prompt, ImmutableArray<string> Answers, int MaxTokens, ImmutableArray<string> Stop, string? Task = null) : EvaluationItem(Id, Task);
