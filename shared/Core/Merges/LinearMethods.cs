using System.Collections.Immutable;
using Marketplace.Core.Algebra;

namespace Marketplace.Core.Merges;

/// <summary>Weighted sums of ΔW with fixed coefficients: exact, whatever the ranks.</summary>
public static class LinearMethods
{
    private const double SmallestSum = 1e-8; // mergekit's guard for a divisor that vanishes

    /// <summary>The size of the result, which most methods have.</summary>
    public static MethodParameter Lambda { get; } = MethodParameter.OfNumber("lambda", 1, "λ, the size of the result, applied last");

    /// <summary>All of them.</summary>
    public static ImmutableArray<MergeMethod> All { get; } =
    [
        Sum("linear", "ΔW = λ·Σ wₑΔWₑ ∕ Σ wₑ", normalize: true, DefaultRank.Lossless),
        Sum("task_arithmetic", "ΔW = λ·Σ wₑΔWₑ (arXiv 2212.04089)", normalize: false, DefaultRank.Lossless),
        Sum("cat", "ΔW = λ·Σ wₑΔWₑ by concatenating the factors: the rank is the sum of the ranks", normalize: false, DefaultRank.AsIs),
        Sum("svd", "ΔW = λ·Σ wₑΔWₑ, truncated to the largest rank among the inputs", normalize: false, DefaultRank.LargestInput),
        new("negate", MethodClass.Linear, "ΔW = −λ·ΔW₁: task negation, by turning B (arXiv 2306.14870)",
            (step, kernels) => step.Combine([-step.Parameters.Number("lambda")], kernels))
        {
            MaxInputs = 1, Weighted = false, Rank = DefaultRank.AsIs, Parameters = [Lambda],
        },
        new("add", MethodClass.Linear, "ΔW = λ·ΔW₁ + (1 − λ)·ΔW₂ (arXiv 2306.14870)",
            (step, kernels) => step.Combine([step.Parameters.Number("lambda"), 1 - step.Parameters.Number("lambda")], kernels))
        {
            MinInputs = 2, MaxInputs = 2, Weighted = false, Parameters = [MethodParameter.OfNumber("lambda", 0.5, "λ, the share of the first input")],
        },
        new("analogy", MethodClass.Linear, "ΔW = ΔW₁ + λ·(ΔW₂ − ΔW₃): what 3 lacks beside 2, added to 1 (arXiv 2306.14870)",
            (step, kernels) => step.Combine([1, step.Parameters.Number("lambda"), -step.Parameters.Number("lambda")], kernels))
        {
            MinInputs = 3, MaxInputs = 3, Weighted = false, Parameters = [MethodParameter.OfNumber("lambda", 1, "λ, how much of the difference is added")],
        },
        new(GenKnowSub, MethodClass.Linear, "ΔW = w₁ΔW₁ − β·Σ wₑΔWₑ ∕ Σ wₑ, the sums over the other inputs: general knowledge subtracted, exact", Subtract)
        {
            MinInputs = 2, SubtractsGeneral = true, Parameters = [MethodParameter.OfNumber("beta", 1, "β, how much of the weighted mean is subtracted")],
            Refuse = (weights, _) => Divisor(weights.AsSpan()[1..]),
        },
    ];

    /// <summary>Name of the subtraction of general knowledge.</summary>
    public const string GenKnowSub = "genknowsub";

    /// <summary>Why weights can't be divided by their sum; null if they can.</summary>
    public static string? Divisor(ReadOnlySpan<double> weights) =>
        Math.Abs(System.Numerics.Tensors.TensorPrimitives.Sum(weights)) < SmallestSum ? "The weights are to be divided by their sum, which is zero." : null;

    private static MergeMethod Sum(string name, string summary, bool normalize, DefaultRank rank) => new(name, MethodClass.Linear, summary, (step, kernels) =>
    {
        var weights = step.Weights();
        var factor = step.Parameters.Number("lambda") / (step.Parameters.Flag("normalize") ? weights.Sum() : 1);
        return step.Combine([.. weights.Select(w => factor * w)], kernels);
    })
    {
        Rank = rank,
        Parameters = [Lambda, MethodParameter.OfFlag("normalize", normalize, "Whether to divide by the sum of weights")],
        Refuse = (weights, parameters) => parameters.Flag("normalize") ? Divisor(weights.AsSpan()) : null,
    };

    private static Recompression Subtract(MergeStep step, IMergeKernels kernels)
    {
        var weights = step.Weights();
        var sum = weights.Skip(1).Sum();
        return step.Combine([weights[0], .. weights.Skip(1).Select(w => -step.Parameters.Number("beta") * w / sum)], kernels);
    }
}
