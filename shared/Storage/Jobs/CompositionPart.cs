using System.Collections.Immutable;
using System.Text.Json.Serialization;
using Marketplace.Core.Api;
using Marketplace.Core.Composition;
using Marketplace.Core.Merges;

namespace Marketplace.Storage.Jobs;

/// <summary>What a request for a learned composition says besides the recipe that it starts from.</summary>
/// <param name="Method">Name of a <see cref="CompositionMethod"/>.</param>
/// <param name="Parameters">All parameters, in ordinal order of their names.</param>
/// <param name="Seed">Seed.</param>
/// <param name="Training">What is learned from.</param>
/// <param name="Validation">What decides when to stop; null for a part of the training set.</param>
/// <param name="Examples">How many items of the training set; null for all.</param>
/// <param name="BaseDigest">Digest of the base model's registered files; null where none are, and then those mounted in the kernels are taken.</param>
public sealed record CompositionPart(
    string Method, IReadOnlyDictionary<string, RecipeValue> Parameters, ulong Seed, EvaluationSetReference Training, EvaluationSetReference? Validation, int? Examples, string? BaseDigest)
{
    /// <summary>The sets that it names.</summary>
    [JsonIgnore]
    public IEnumerable<EvaluationSetReference> Sets => Validation is null ? [Training] : [Training, Validation];

    /// <summary>The sets that a lineage names; empty for those of merges.</summary>
    public static IEnumerable<EvaluationSetReference> SetsOf(Lineage lineage) =>
        CompositionMethods.Find(lineage.Method) is null ? [] : DerivationRequest.Parse(lineage.RecipeJson).Composition?.Sets ?? [];
}

/// <summary>What a computation has learned on the way to its modules.</summary>
/// <param name="Report">For whoever may see all sources and sets.</param>
/// <param name="Weights">Of each input of the request the mean of its coefficients, which lineages show as its weight.</param>
public sealed record LearnedComposition(CompositionReport Report, ImmutableArray<double> Weights);
