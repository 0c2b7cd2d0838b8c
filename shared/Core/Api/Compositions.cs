using Marketplace.Core.Merges;

namespace Marketplace.Core.Api;

/// <summary>POST /api/v1/compositions: how adapters are combined is learned from examples, and the result published as one adapter.</summary>
/// <param name="Method">atlas, scalearn, axis or search; see <see cref="Composition.CompositionMethods"/>.</param>
/// <param name="Inputs">The sources: <c>owner/name</c>, or <c>owner/name@revision</c>.</param>
/// <param name="Training">The evaluation set that is learned from: <c>owner/name</c>, or <c>owner/name@revision</c>.</param>
/// <param name="Output">Where the result goes.</param>
/// <param name="Parameters">Parameters of the method by name; those that are absent have the method's defaults.</param>
/// <param name="Validation">The set that decides when to stop and what to keep; a part of the training set if absent.</param>
/// <param name="Examples">How many items of the training set are used, drawn at random; all if absent.</param>
/// <param name="Rank">Fixed rank of the result, or <c>lossless</c>, which it is without this or an energy.</param>
/// <param name="Energy">Instead: the smallest rank that keeps this share of |ΔW|².</param>
/// <param name="Dtype">auto (the widest input type), F32, BF16 or F16.</param>
/// <param name="Seed">Seed of starts, samples, order and held-out part.</param>
/// <param name="Notes">A line about the result, shown with the version.</param>
public sealed record CompositionRequest(
    string Method, IReadOnlyList<string> Inputs, string Training, OutputRequest Output, IReadOnlyDictionary<string, RecipeValue>? Parameters = null,
    string? Validation = null, int? Examples = null, RecipeRank? Rank = null, double? Energy = null, string Dtype = MergeRecipe.AutoType, ulong? Seed = null, string? Notes = null);

/// <summary>What learning came to.</summary>
/// <param name="Method">The method.</param>
/// <param name="Parameters">Its parameters, all of them.</param>
/// <param name="Seed">The seed.</param>
/// <param name="Training">What was learned from.</param>
/// <param name="Validation">What decided when to stop; absent where a part of the training set did.</param>
/// <param name="BaseDigest">Digest of the base model's configuration and weights.</param>
/// <param name="Examples">Examples that were learned from.</param>
/// <param name="HeldOut">Examples that were held out.</param>
/// <param name="Numbers">How many numbers were learned.</param>
/// <param name="Steps">Steps that were taken, or evaluations of a search.</param>
/// <param name="Losses">The loss by step, or the value of each evaluation of a search; of more than a thousand every so many.</param>
/// <param name="LossEvery">Of how many steps one is in <paramref name="Losses"/>.</param>
/// <param name="HeldOutLosses">On the held-out examples before the first step and after each epoch; a search does not look at them.</param>
/// <param name="Before">Where learning started, on the held-out examples, or where there are none on the others.</param>
/// <param name="After">The same with what was learned.</param>
/// <param name="Coefficients">What was learned.</param>
public sealed record CompositionReport(
    string Method, IReadOnlyDictionary<string, RecipeValue> Parameters, ulong Seed, EvaluationSetReference Training, EvaluationSetReference? Validation, string BaseDigest,
    int Examples, int HeldOut, long Numbers, int Steps, IReadOnlyList<double> Losses, int LossEvery, IReadOnlyList<CompositionScore> HeldOutLosses, CompositionScore Before,
    CompositionScore After, IReadOnlyList<LearnedCoefficients> Coefficients);

/// <summary>How well examples are done.</summary>
/// <param name="Loss">Mean of the objective over the examples.</param>
/// <param name="Accuracy">Of examples with choices the share where the right one has the largest log-likelihood; absent where there are none.</param>
public sealed record CompositionScore(double Loss, double? Accuracy);

/// <summary>What was learned for one source and one group of modules.</summary>
/// <param name="Group">A module, a layer, <c>*</c> for all, or modules of one name in all layers.</param>
/// <param name="Source">The source; absent for singular values, which belong to all.</param>
/// <param name="Values">The numbers; absent where there are more than 64.</param>
/// <param name="Count">How many.</param>
/// <param name="Mean">Their mean.</param>
/// <param name="Deviation">Their standard deviation.</param>
public sealed record LearnedCoefficients(string Group, string? Source, IReadOnlyList<double>? Values, int Count, double Mean, double Deviation);

/// <summary>The learning of a composition in a few numbers.</summary>
/// <param name="Method">The method.</param>
/// <param name="Examples">Examples that were learned from.</param>
/// <param name="HeldOut">Examples that were held out.</param>
/// <param name="Numbers">How many numbers were learned.</param>
/// <param name="Steps">Steps or evaluations.</param>
/// <param name="Before">Where learning started.</param>
/// <param name="After">What it came to, on the same examples.</param>
public sealed record CompositionSummary(string Method, int Examples, int HeldOut, long Numbers, int Steps, CompositionScore Before, CompositionScore After)
{
    /// <summary>The summary of a report.</summary>
    public static CompositionSummary Of(CompositionReport report) => new(report.Method, report.Examples, report.HeldOut, report.Numbers, report.Steps, report.Before, report.After);
}

/// <summary>A method of learned composition.</summary>
/// <param name="Name">As requests spell it.</param>
/// <param name="Summary">Formula or idea, with the source.</param>
/// <param name="Parameters">What else a request may say.</param>
public sealed record CompositionMethodView(string Name, string Summary, IReadOnlyList<MethodParameterView> Parameters);
