using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Text.Json.Serialization;
using Marketplace.Core.Algebra;
using Marketplace.Core.Merges;

namespace Marketplace.Core.Methods;

/// <summary>What "similar adapters" means.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<AdapterSimilarity>))]
public enum AdapterSimilarity
{
    /// <summary>The cosine of ΔW over all modules: what the adapters do. Ranks and modules may differ.</summary>
    [JsonStringEnumMemberName("delta")]
    Delta,

    /// <summary>
    /// MBC as published: the cosine of all factors A and B, unscaled, flattened and sparsified. It depends on how the same ΔW
    /// happens to be factored, and needs adapters of equal modules and ranks.
    /// </summary>
    [JsonStringEnumMemberName("flatAb")]
    FlatAb,
}

/// <summary>Similarities of adapters, as a matrix.</summary>
public static class Similarities
{
    /// <summary>Cosines of every pair, shape (n, n), with ones on the diagonal.</summary>
    /// <param name="adapters">The adapters, of one base model.</param>
    /// <param name="similarity">What is compared.</param>
    /// <param name="cosines">The cosines, if there are no problems.</param>
    /// <param name="problems">Which inputs can't be compared, and why: leave them out and ask again.</param>
    /// <param name="sparsity">For <see cref="AdapterSimilarity.FlatAb"/>: the share of smallest entries set to zero, in [0, 1]; 0.8 as in mttl (whose command line uses 0.5).</param>
    public static bool TryCompute(
        IReadOnlyList<Adapter> adapters, AdapterSimilarity similarity,
        [NotNullWhen(true)] out Matrix? cosines, out ImmutableArray<MergeProblem> problems, double sparsity = FlatFactors.DefaultSparsity)
    {
        var found = new List<MergeProblem>();
        MergeChecks.Comparable(found, adapters);
        if (similarity == AdapterSimilarity.FlatAb)
            FlatFactors.Check(found, adapters);
        problems = [.. found];
        cosines = !problems.IsEmpty ? null
            : similarity == AdapterSimilarity.Delta ? Gram.Of(adapters).Cosine
            : Gram.Cosines(FlatFactors.Gram(adapters, sparsity));
        return problems.IsEmpty;
    }
}
