using Marketplace.Core.Merges;

namespace Marketplace.Core.Api;

/// <summary>
/// GET …/merge-report: what became of a merge or subtraction. Parents that the caller may not see leave no trace in it, and where there are such parents
/// the digest of the recipe, the ranks that went in and what was general are absent.
/// </summary>
/// <param name="Method">The outermost method.</param>
/// <param name="RecipeDigest">SHA-256 over the canonical computation: equal digests are equal merges of equal bytes. Absent where the combination was learned.</param>
/// <param name="Kernel">Version, device kind and instruction set of the kernels; absent where the functions computed.</param>
/// <param name="Parents">What each parent has to do with the result.</param>
/// <param name="Rank">The largest rank of a module of the result.</param>
/// <param name="Norm">|ΔW| before it was cut to its rank, over all modules.</param>
/// <param name="DiscardedNorm">|ΔW − result|.</param>
/// <param name="RelativeDiscarded">√(Σ discarded² ∕ Σ total²).</param>
/// <param name="Seconds">From opening the inputs to the written result.</param>
/// <param name="PeakMemoryBytes">Most memory that the process has held since it started.</param>
/// <param name="Modules">Each module, in ordinal order.</param>
/// <param name="General">How much of the target was general, over all modules, where general knowledge was subtracted.</param>
/// <param name="Learned">How the combination was learned, for whoever sees the sets that it was learned from.</param>
public sealed record MergeReportView(
    string Method, string? RecipeDigest, string? Kernel, IReadOnlyList<MergeParentView> Parents, int Rank, double Norm, double DiscardedNorm,
    double RelativeDiscarded, double Seconds, long PeakMemoryBytes, IReadOnlyList<MergedModuleView> Modules, GeneralKnowledge? General = null, CompositionReport? Learned = null);

/// <summary>A parent of a merge.</summary>
/// <param name="Versions">The version; several where they have the same bytes, and so count as one input.</param>
/// <param name="Norm">|ΔW| over all modules.</param>
/// <param name="Cosine">Of its ΔW and the result, over all modules.</param>
/// <param name="Share">Its part of |result|², over all modules; see <see cref="ParentContribution"/>.</param>
/// <param name="NotMerged">Its tensors that are no LoRA factors and so have no place in the result.</param>
public sealed record MergeParentView(IReadOnlyList<VersionReference> Versions, double Norm, double Cosine, double Share, IReadOnlyList<string> NotMerged);

/// <summary>A module of a merge.</summary>
/// <param name="Module">Its name.</param>
/// <param name="RankIn">Sum of the ranks that went in.</param>
/// <param name="RankOut">Rank of the result.</param>
/// <param name="Norm">|ΔW| before it was cut to its rank.</param>
/// <param name="DiscardedNorm">|ΔW − result|.</param>
/// <param name="RelativeDiscarded">One divided by the other; 0 where ΔW = 0.</param>
/// <param name="NestedDiscarded">The largest share of |ΔW| that a nested merge discarded.</param>
/// <param name="Seconds">Time it took.</param>
/// <param name="Parents">In the order of the report's parents; null for one that lacks the module.</param>
/// <param name="Crosstalk">The largest crosstalk of two parents, where the method is meant for parents that have none.</param>
/// <param name="General">How much of the target was general at this module.</param>
public sealed record MergedModuleView(
    string Module, int? RankIn, int RankOut, double Norm, double DiscardedNorm, double RelativeDiscarded, double NestedDiscarded, double? Seconds,
    IReadOnlyList<ParentContribution?> Parents, double? Crosstalk = null, GeneralKnowledge? General = null);
