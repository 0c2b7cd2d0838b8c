using static Marketplace.Core.Evaluation.EvaluationSetLimits;
using static Marketplace.Core.Evaluation.EvaluationSetProblem;

namespace Marketplace.Core.Evaluation;

/// <summary>Reads the members of an item of each kind.</summary>
internal static class ItemReader
{
    /// <summary>The kind whose own member an item has; null if it has none.</summary>
    public static EvaluationKind? Tell(ItemMembers members) =>
        members.Has("choices") ? EvaluationKind.MultipleChoice
        : members.Has("continuation") ? EvaluationKind.Continuation
        : members.Has("answers") ? EvaluationKind.Generation
        : members.Has("text") ? EvaluationKind.Perplexity : null;

    /// <summary>What items of a kind are called in messages.</summary>
    public static string Called(EvaluationKind kind) => kind switch
    {
        EvaluationKind.MultipleChoice => "Items of multiple choice",
        EvaluationKind.Continuation => "Items with continuations",
        EvaluationKind.Perplexity => "Items of perplexity sets",
        _ => "Items of generation sets",
    };

    /// <summary>The item; null, with the reasons reported, if it can't be one.</summary>
    public static EvaluationItem? Read(EvaluationKind kind, ItemMembers members, string? id, string? task)
    {
        switch (kind)
        {
            case EvaluationKind.MultipleChoice:
                var (prompt, choices) = (members.Text("prompt", mayBeEmpty: true), members.Texts("choices", needed: true, 2, MaxChoices));
                var answer = members.Number("answer", needed: true, 0, (choices?.Length ?? MaxChoices) - 1, AnswerInvalid);
                return prompt is null || choices is null || answer is null ? null : new MultipleChoiceItem(id, prompt, choices.Value, answer.Value, task);
            case EvaluationKind.Continuation:
                var (before, continuation) = (members.Text("prompt", mayBeEmpty: true), members.Text("continuation"));
                return before is null || continuation is null ? null : new ContinuationItem(id, before, continuation, task);
            case EvaluationKind.Perplexity:
                return members.Text("text") is { } text ? new PerplexityItem(id, text, task) : null;
            default:
                return ReadGeneration(members, id, task);
        }
    }

    private static GenerationItem? ReadGeneration(ItemMembers members, string? id, string? task)
    {
        var (prompt, answers) = (members.Text("prompt", mayBeEmpty: true), members.Texts("answers", needed: true, 1, MaxChoices));
        var (said, stop) = (members.Has("maxTokens"), members.Texts("stop", needed: false, 0, MaxStops, MaxNameChars));
        var tokens = members.Number("maxTokens", needed: false, 1, MaxTokens) ?? (said ? null : DefaultTokens);
        if (answers is { } given && given.Any(string.IsNullOrWhiteSpace))
        {
            members.Report(MemberInvalid, "answers", "An accepted answer is more than white space, which is of no account.");
            return null;
        }

        return prompt is null || answers is null || stop is null || tokens is null ? null : new GenerationItem(id, prompt, answers.Value, tokens.Value, stop.Value, task);
    }
}
