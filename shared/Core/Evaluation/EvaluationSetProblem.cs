using Marketplace.Core.Validation;

namespace Marketplace.Core.Evaluation;

/// <summary>Something about an evaluation set that can't be used, or that its author should know.</summary>
/// <param name="Code">One of the constants of this type.</param>
/// <param name="Line">Line of the file, from 1; 0 where no line is to blame.</param>
/// <param name="Member">The member concerned, such as <c>choices[2]</c>.</param>
/// <param name="Message">The same in words.</param>
/// <param name="Severity">Errors refuse the set, warnings don't.</param>
public sealed record EvaluationSetProblem(string Code, int Line, string? Member, string Message, IssueSeverity Severity = IssueSeverity.Error)
{
    /// <summary>There are no items.</summary>
    public const string Empty = "set-empty";

    /// <summary>There are more bytes than a set may have.</summary>
    public const string TooLarge = "set-too-large";

    /// <summary>There are more items than a set may have.</summary>
    public const string TooManyItems = "items-too-many";

    /// <summary>A line has more bytes than a line may have.</summary>
    public const string LineTooLong = "line-too-long";

    /// <summary>A line is not a JSON object in UTF-8, or names a member twice.</summary>
    public const string NotJson = "line-not-json";

    /// <summary>The header has a member or a value that headers don't have.</summary>
    public const string HeaderInvalid = "header-invalid";

    /// <summary>The set does not say its kind, and its first item does not tell.</summary>
    public const string KindUnknown = "kind-unknown";

    /// <summary>The metric is not one of the kind's.</summary>
    public const string MetricInvalid = "metric-invalid";

    /// <summary>An item lacks a member that its kind needs.</summary>
    public const string MemberMissing = "member-missing";

    /// <summary>An item has a member that its kind doesn't have.</summary>
    public const string MemberUnknown = "member-unknown";

    /// <summary>A member has a value of another type, an empty one, or one beyond the limits.</summary>
    public const string MemberInvalid = "member-invalid";

    /// <summary>The answer is not the index of a choice.</summary>
    public const string AnswerInvalid = "answer-invalid";

    /// <summary>Two items have one id.</summary>
    public const string IdRepeated = "id-repeated";

    /// <summary>A warning: two items are equal in all but their ids.</summary>
    public const string ItemRepeated = "item-repeated";

    /// <summary>A warning: two choices of an item are equal, so that the second can't be chosen.</summary>
    public const string ChoiceRepeated = "choice-repeated";

    /// <summary>Not all problems are listed.</summary>
    public const string More = "more-problems";
}
