using System.Collections.Immutable;
using System.Numerics.Tensors;
using Marketplace.Core.Algebra;

namespace Marketplace.Core.Merges.Basis;

/// <summary>An input whose ΔW does not vanish, in the factors of its singular value decomposition: B = U√S, A = √S·Vt.</summary>
/// <param name="Input">The input.</param>
/// <param name="Delta">B (out, r) and A (r, in), r the numerical rank; signs canonical.</param>
/// <param name="S">Singular values, descending.</param>
internal sealed record BasisSource(StepInput Input, LowRankDelta Delta, ImmutableArray<double> S)
{
    /// <summary>|ΔW|.</summary>
    public double Norm => TensorPrimitives.Norm(S.AsSpan());

    /// <summary>The inputs that matter at this module: an adapter whose ΔW vanishes counts like one that lacks the module.</summary>
    public static ImmutableArray<BasisSource> Of(MergeStep step, IMergeKernels kernels) =>
    [
        .. step.Present()
            .Select(p => (p.Input, Balanced: kernels.Recompress(p.Delta, RankPolicy.Lossless)))
            .Where(p => p.Balanced.Delta.B.Values.AsSpan().ContainsAnyExcept(0d))
            .Select(p => new BasisSource(p.Input, p.Balanced.Delta, [.. p.Balanced.S.Take(p.Balanced.Delta.Rank)])),
    ];

    /// <summary>The result where no input changes the module.</summary>
    public static Recompression Nothing(MergeStep step, IMergeKernels kernels) =>
        kernels.Recompress(Deltas.Zero(step.Module.Out, step.Module.In), step.Rank);

    /// <summary>factor·λ·ΔW by the step's rank policy.</summary>
    public static Recompression Finish(MergeStep step, LowRankDelta delta, IMergeKernels kernels, double factor = 1) =>
        kernels.Recompress(Deltas.WeightedSum([(factor * step.Parameters.Number(LinearMethods.Lambda.Name), delta)]), step.Rank);
}
