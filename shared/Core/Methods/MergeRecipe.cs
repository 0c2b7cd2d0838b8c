using System.Text.Json.Serialization;
using Marketplace.Core.Algebra;

namespace Marketplace.Core.Methods;

/// <summary>How several adapters become one. All of them add up ΔW, never the factors A and B apart.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<MergeMethod>))]
public enum MergeMethod
{
    /// <summary>ΔW = λ·Σ wₑΔWₑ ∕ Σ wₑ, exact; redundant ranks are squeezed out without loss.</summary>
    [JsonStringEnumMemberName("linear")]
    Linear,

    /// <summary>ΔW = λ·Σ wₑΔWₑ, exact, by concatenating the factors: the rank is the sum of the ranks.</summary>
    [JsonStringEnumMemberName("cat")]
    Cat,

    /// <summary>ΔW = λ·Σ wₑΔWₑ, truncated to the largest rank among the inputs.</summary>
    [JsonStringEnumMemberName("svd")]
    Svd,
}

/// <summary>A merge, without its inputs: those are given beside it, in the order of the weights.</summary>
/// <param name="Method">The merge method.</param>
/// <param name="Weights">One factor per input; all 1 if absent.</param>
/// <param name="Rank">How the sum is recompressed; the method's own rule if absent: lossless for linear, not at all for cat, the largest input rank for svd.</param>
/// <param name="Normalize">Whether to divide by the sum of weights; if absent linear does and the others don't, as in mergekit.</param>
/// <param name="Lambda">λ, the size of the result, applied last.</param>
public sealed record MergeRecipe(
    MergeMethod Method, IReadOnlyList<double>? Weights = null, RankPolicy? Rank = null, bool? Normalize = null, double Lambda = 1);

/// <summary>
/// GenKnowSub, exact: ΔW = ΔW_target − β·Σ w_g ΔW_g ∕ Σ w_g, on whole deltas. (PEFT subtracts the means of A and of B apart, which
/// leaves cross terms and depends on how the same ΔW happens to be factored.)
/// </summary>
/// <param name="Weights">One factor per general adapter; all 1 if absent.</param>
/// <param name="Beta">β, how much of the weighted mean is subtracted.</param>
/// <param name="Rank">How the residual is recompressed; lossless if absent.</param>
public sealed record SubtractionRecipe(IReadOnlyList<double>? Weights = null, double Beta = 1, RankPolicy? Rank = null);
