using System.Collections.Immutable;
using Marketplace.Core.Algebra;

namespace Marketplace.Core.Merges.Basis;

/// <summary>
/// KnOTS (arXiv 2410.19735): [ΔW₁ | ΔW₂ | …] = U·diag(S)·[V₁ | V₂ | …] aligns the inputs in one basis U (out, q), ΔWₑ = U·Tₑ with Tₑ = diag(S)·Vₑ (q, in). The Tₑ are
/// merged by another method, ΔW = U·T. The wide matrix is never formed: [U₁S₁, U₂S₂, …] (out, R) of the inputs' own decompositions has the same U and S.
/// </summary>
/// <remarks>
/// The sign of a row is common to all Tₑ, and is canonical: the entry of U's column that is largest in magnitude is positive. The result does not depend on the
/// factors as long as no two singular values are equal.
/// </remarks>
internal static class Knots
{
    private const string Tolerance = "tolerance";

    /// <summary>The method.</summary>
    public static MergeMethod Method { get; } = new(
        "knots", MethodClass.Basis, "Another method on Tₑ with ΔWₑ = U·Tₑ, in the left singular vectors U of all ΔW side by side (KnOTS, arXiv 2410.19735)", Compute)
    {
        Parameters =
        [
            .. InsideMethod.Parameters,
            MethodParameter.OfNumber(Tolerance, 1e-10, "Directions whose singular value is at most this share of the largest are left out") with { Min = 0, Max = 1, BelowMax = true },
        ],
        Refuse = InsideMethod.Refuse,
    };

    private static Recompression Compute(MergeStep step, IMergeKernels kernels)
    {
        var sources = BasisSource.Of(step, kernels);
        if (sources.IsEmpty)
            return BasisSource.Nothing(step, kernels);
        var u = Align(sources, step.Parameters.Number(Tolerance), kernels).U;
        var merged = InsideMethod.Merge(step, sources, (u.Rows, step.Module.In), source => kernels.Times(kernels.Times(u, source.Delta.B), source.Delta.A)); // Tₑ = UᵀΔWₑ
        return kernels.Recompress(new(MatrixMath.Transpose(u), merged), step.Rank);
    }

    /// <summary>Uᵀ (q, out) and all singular values of the inputs side by side.</summary>
    internal static (Matrix U, IReadOnlyList<double> S) Align(ImmutableArray<BasisSource> sources, double tolerance, IMergeKernels kernels)
    {
        var stacked = MatrixMath.Transpose(Deltas.WeightedSum([.. sources.Select(s => (1d, s.Delta))]).B); // rows √S·u
        var row = 0;
        foreach (var s in sources.SelectMany(s => s.S))
            SharedSpan.ScaleRow(stacked, row++, Math.Sqrt(s));
        return SharedSpan.OfRows(stacked, kernels, tolerance);
    }
}
