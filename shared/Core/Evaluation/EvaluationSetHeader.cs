namespace Marketplace.Core.Evaluation;

/// <summary>What holds for all items of a set.</summary>
/// <param name="Kind">What the items ask.</param>
/// <param name="Metric">The score that ranks, unless another is asked for.</param>
/// <param name="Separator">Stands between a prompt and what continues it, in the model's input; it is no part of what is scored by length.</param>
/// <param name="IgnoreCase">Whether generated texts match answers without regard to case.</param>
/// <param name="Description">What the set is about.</param>
/// <param name="Licence">Under what terms it may be used, as an SPDX id or in words.</param>
public sealed record EvaluationSetHeader(
    EvaluationKind Kind, Metric Metric, string Separator = "", bool IgnoreCase = false, string? Description = null, string? Licence = null)
{
    /// <summary>A header with the default metric of its kind.</summary>
    public static EvaluationSetHeader Of(EvaluationKind kind) => new(kind, Metrics.Default(kind));
}

/// <summary>
/// A header as it is given: whatever is null is left to the set's own header line or to the defaults. In a file it is the first line, marked by
/// <c>"evaluationSet": 1</c>.
/// </summary>
/// <param name="Kind">What the items ask; told from the members of the first item if absent.</param>
/// <param name="Metric">The score that ranks.</param>
/// <param name="Separator">Between prompt and continuation.</param>
/// <param name="IgnoreCase">For generation.</param>
/// <param name="Description">What the set is about.</param>
/// <param name="Licence">Terms.</param>
public sealed record EvaluationSetFields(
    EvaluationKind? Kind = null, Metric? Metric = null, string? Separator = null, bool? IgnoreCase = null, string? Description = null, string? Licence = null)
{
    /// <summary>These fields, and where they are null those of <paramref name="other"/>.</summary>
    public EvaluationSetFields Or(EvaluationSetFields? other) => other is null ? this : new(
        Kind ?? other.Kind, Metric ?? other.Metric, Separator ?? other.Separator, IgnoreCase ?? other.IgnoreCase, Description ?? other.Description,
        Licence ?? other.Licence);
}
