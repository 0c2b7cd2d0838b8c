using System.Text.Json.Serialization;
using Marketplace.Core.Api;

namespace Marketplace.Core.Evaluation;

/// <summary>
/// Several adapters at once, unmerged: each module adds Σ wᵢ·ΔWᵢ, exactly and without truncation. A language and a task adapter one on the other are two with
/// weight 1.
/// </summary>
/// <param name="Parts">The adapters with their weights.</param>
public sealed record WeightedSubject(IReadOnlyList<WeightedSubjectAdapter> Parts) : EvaluationSubject
{
    internal const string Name = "weighted";

    /// <inheritdoc/>
    [JsonIgnore]
    public override IEnumerable<SubjectAdapter> Adapters => Parts.Select(p => p.Version);

    /// <inheritdoc/>
    [JsonIgnore]
    public override string Label => List(Parts.Select(p => FormattableString.Invariant($"{p.Weight:0.###}·{p.Adapter}"))).Replace(", ", " + ", StringComparison.Ordinal);

    /// <inheritdoc/>
    public override EvaluationSubject Canonical(Func<SubjectAdapter, SubjectAdapter> resolve) => new WeightedSubject([.. Parts
        .Select(p => resolve(p.Version) is var v ? new WeightedSubjectAdapter(v.Adapter, p.Weight, v.VersionId) : p)
        .OrderBy(p => p.Adapter, StringComparer.Ordinal).ThenBy(p => p.Weight)]);

    /// <inheritdoc/>
    public override (string Place, string Message)? Check() =>
        Parts.Select((part, i) => (part, i)).FirstOrDefault(p => !double.IsFinite(p.part.Weight)) is { part: not null, i: var bad }
            ? ($"parts[{bad}].weight", "A weight is a finite number.") : CheckCount(Parts.Count, "parts");
}

/// <summary>
/// Arrow: at every module each token is routed to the adapters whose prototypes it fits best. With general adapters, their mean is subtracted from each expert
/// first (GenKnowSub). Docs: arrow.md, genknowsub.md.
/// </summary>
/// <param name="Experts">The adapters that are routed among; their order breaks ties.</param>
/// <param name="General">Adapters whose weighted mean is subtracted from each expert; none if absent.</param>
/// <param name="Mode">How it is subtracted: exact or factorwise.</param>
/// <param name="Beta">How much is subtracted.</param>
/// <param name="TopK">How many experts a token is routed to; 4, or 3 with general adapters, and never more than there are.</param>
/// <param name="Temperature">Divides the logits.</param>
/// <param name="Combination">mergeAfter or mergeBefore, as of routers.</param>
public sealed record ArrowSubject(
    IReadOnlyList<SubjectAdapter> Experts, IReadOnlyList<WeightedSubjectAdapter>? General = null, string? Mode = null, double? Beta = null, int? TopK = null,
    double Temperature = 1, string Combination = "mergeAfter") : EvaluationSubject
{
    internal const string Name = "arrow";

    /// <inheritdoc/>
    [JsonIgnore]
    public override IEnumerable<SubjectAdapter> Adapters => Experts.Concat((General ?? []).Select(g => g.Version));

    /// <inheritdoc/>
    [JsonIgnore]
    public override string Label => $"arrow{(General is { Count: > 0 } ? " + genknowsub" : "")} of {List(Experts.Select(e => e.Adapter))}";

    /// <inheritdoc/>
    public override EvaluationSubject Canonical(Func<SubjectAdapter, SubjectAdapter> resolve)
    {
        var subtracts = General is { Count: > 0 };
        return this with
        {
            Experts = [.. Experts.Select(resolve)],
            General = subtracts ? [.. General!
                .Select(g => resolve(g.Version) is var v ? new WeightedSubjectAdapter(v.Adapter, g.Weight, v.VersionId) : g)
                .OrderBy(g => g.Adapter, StringComparer.Ordinal).ThenBy(g => g.Weight)] : null,
            Mode = subtracts ? Mode ?? SubtractionModes.Exact : null,
            Beta = subtracts ? Beta ?? 1 : null,
            TopK = Math.Min(TopK ?? (subtracts ? 3 : 4), Experts.Count),
        };
    }

    /// <inheritdoc/>
    public override (string Place, string Message)? Check() =>
        CheckCount(Experts.Count, "experts")
        ?? CheckCount(Math.Max(1, General?.Count ?? 0), "general")
        ?? Require(Mode is null or SubtractionModes.Exact or SubtractionModes.Factorwise, "mode", $"General adapters are subtracted in the mode {SubtractionModes.Exact} or {SubtractionModes.Factorwise}.")
        ?? Require(TopK is null or >= 1, "topK", "A token is routed to at least one adapter.")
        ?? Require(double.IsFinite(Temperature) && Temperature > 0, "temperature", "The temperature is a positive number.")
        ?? Require(double.IsFinite(Beta ?? 1) && (General ?? []).All(g => double.IsFinite(g.Weight)), "general", "Weights are finite numbers.")
        ?? Require(Combination is "mergeAfter" or "mergeBefore", "combination", "The combination is mergeAfter or mergeBefore.");
}

/// <summary>Subjects side by side: the probabilities of the next token, softmax(zᵢ), are averaged with weights that are scaled to sum to 1.</summary>
/// <param name="Parts">The subjects with their weights.</param>
public sealed record MixtureSubject(IReadOnlyList<MixturePart> Parts) : EvaluationSubject
{
    internal const string Name = "mixture";

    /// <inheritdoc/>
    [JsonIgnore]
    public override IEnumerable<SubjectAdapter> Adapters => Parts.SelectMany(p => p.Subject.Adapters);

    /// <inheritdoc/>
    [JsonIgnore]
    public override string Label => $"mixture of {List(Parts.Select(p => p.Subject.Label))}";

    /// <inheritdoc/>
    public override EvaluationSubject Canonical(Func<SubjectAdapter, SubjectAdapter> resolve) => new MixtureSubject([.. Parts
        .Select(p => p with { Subject = p.Subject.Canonical(resolve) })
        .OrderBy(p => p.Subject.Digest.Hex, StringComparer.Ordinal).ThenBy(p => p.Weight)]);

    /// <inheritdoc/>
    public override (string Place, string Message)? Check() => Check(this, 1);

    private static (string Place, string Message)? Check(MixtureSubject mixture, int depth)
    {
        if (depth > MaxDepth)
            return ("parts", $"Mixtures are nested at most {MaxDepth} deep.");
        if (CheckCount(mixture.Parts.Count, "parts") is { } count)
            return count;
        if (!mixture.Parts.All(p => double.IsFinite(p.Weight) && p.Weight > 0))
            return ("parts", "The weights of a mixture are positive numbers.");
        for (var i = 0; i < mixture.Parts.Count; i++)
        {
            var problem = mixture.Parts[i].Subject is MixtureSubject nested ? Check(nested, depth + 1) : mixture.Parts[i].Subject.Check();
            if (problem is { } found)
                return ($"parts[{i}].subject.{found.Place}", found.Message);
        }

        return depth == 1 ? CheckCount(Math.Max(1, mixture.Adapters.Count()), "parts") : null;
    }
}

/// <summary>One subject of a mixture.</summary>
/// <param name="Subject">The subject.</param>
/// <param name="Weight">Its share, before the shares are scaled to sum to 1.</param>
public sealed record MixturePart(EvaluationSubject Subject, double Weight = 1);
