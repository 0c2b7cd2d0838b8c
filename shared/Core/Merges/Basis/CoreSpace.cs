using Marketplace.Core.Algebra;

namespace Marketplace.Core.Merges.Basis;

/// <summary>
/// Merging in core space (apanariello4/core-space-merging): with U (out, q) an orthonormal basis of what all B span and V (p, in) one of what all A span,
/// ΔWₑ = U·Mₑ·V exactly, Mₑ (q, p) at most R×R for R ranks in all. The Mₑ are merged by another method, ΔW = U·M·V.
/// </summary>
/// <remarks>
/// Plain sums are the same as outside. Element-wise methods are not, and their result depends on the bases: these are the singular vectors of [B₁, B₂, …]
/// and [A₁; A₂; …] with every input balanced first, B = U√S and A = √S·Vt, strongest first, signs canonical. So the result does not depend on the factors, as
/// long as no two singular values are equal. Weights have no say in the bases.
/// </remarks>
internal static class CoreSpace
{
    /// <summary>The method.</summary>
    public static MergeMethod Method { get; } = new(
        "core_space", MethodClass.Basis, "Another method on Mₑ with ΔWₑ = U·Mₑ·V, in bases U and V that all inputs share (core space merging)", Compute)
    {
        Parameters = InsideMethod.Parameters,
        Refuse = InsideMethod.Refuse,
    };

    private static Recompression Compute(MergeStep step, IMergeKernels kernels)
    {
        var sources = BasisSource.Of(step, kernels);
        if (sources.IsEmpty)
            return BasisSource.Nothing(step, kernels);
        var stacked = Deltas.WeightedSum([.. sources.Select(s => (1d, s.Delta))]);
        var u = SharedSpan.OfRows(MatrixMath.Transpose(stacked.B), kernels).Basis; // Uᵀ (q, out)
        var v = SharedSpan.OfRows(stacked.A, kernels).Basis; // (p, in)
        var merged = InsideMethod.Merge(step, sources, (u.Rows, v.Rows), source =>
            kernels.Times(kernels.Times(u, source.Delta.B), kernels.TimesTransposed(source.Delta.A, v)));
        return kernels.Recompress(new(kernels.TransposedTimes(u, merged), v), step.Rank);
    }
}
