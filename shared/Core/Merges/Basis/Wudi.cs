using System.Collections.Immutable;
using Marketplace.Core.Algebra;

namespace Marketplace.Core.Merges.Basis;

/// <summary>
/// WUDI (arXiv 2503.08099): the M that acts most like each input on what that input responds to. With τₑ = ΔWₑ it minimises
/// L(M) = Σ |(M − τₑ)·τₑᵀ|² ∕ |τₑ|², a convex quadratic, which has a closed form; the paper takes some steps of a descent towards it.
/// </summary>
/// <remarks>
/// <para>
/// Let τₑ = Uₑ·Sₑ·Vₑ. With X (R, in) the rows Sₑvₑ ∕ |τₑ| of all inputs and Y (out, R) the columns uₑSₑ² ∕ |τₑ|, L(M) = |M·Xᵀ − Y|², so that M = Y·(X⁺)ᵀ
/// comes from the singular value decomposition X = P·σ·W, without squaring its condition number. If the inputs respond to linearly independent
/// directions, L(M) = 0: M acts on each of them exactly as its input does.
/// </para>
/// <para>
/// Where directions of different inputs nearly coincide, M would grow without bounds. A ridge pulls it towards the plain sum T = Σ τₑ: with
/// ρ = ridge·tr(XᵀX) ∕ q the minimiser of L(M) + ρ·|M − T|² is M = (Y·P·diag(σ ∕ (σ² + ρ)) + T·Wᵀ·diag(ρ ∕ (σ² + ρ)))·W. Without a ridge, the directions with
/// σ² up to a share of the largest have no say, and M is T there, which is what ever smaller ridges tend to.
/// </para>
/// <para>Every input counts alike, whatever its norm, so there are no weights. An input with ΔW = 0 has no direction, and is left out.</para>
/// </remarks>
internal static class Wudi
{
    private const double SpanTolerance = 1e-12;

    /// <summary>The method.</summary>
    public static MergeMethod Method { get; } = new(
        "wudi", MethodClass.Basis,
        "The M that minimises Σ |(M − ΔWₑ)·ΔWₑᵀ|² ∕ |ΔWₑ|²: acts like each input on what that input responds to (arXiv 2503.08099, in closed form)", Compute)
    {
        Weighted = false,
        Parameters =
        [
            LinearMethods.Lambda,
            MethodParameter.OfNumber("ridge", 1e-4, "How strongly the result is pulled towards the plain sum, relative to the mean eigenvalue; 0 for the pure minimum") with { Min = 0 },
            MethodParameter.OfNumber("cut", 1e-6, "Without a ridge: directions whose eigenvalue is at most this share of the largest are summed plainly") with { Min = 0, Max = 1, BelowMax = true },
            MethodParameter.OfFlag("divide_by_count", false, "Whether to divide by the number of inputs that change the module, as mttl does"),
        ],
    };

    private static Recompression Compute(MergeStep step, IMergeKernels kernels)
    {
        var sources = BasisSource.Of(step, kernels);
        if (sources.IsEmpty)
            return BasisSource.Nothing(step, kernels);
        var sum = Deltas.WeightedSum([.. sources.Select(s => (1d, s.Delta))]); // T: (out, R)·(R, in)
        var (x, y) = Residual(sum, sources);
        var (p, w, sigma) = SharedSpan.Factor(x, kernels, SpanTolerance); // P√σ (R, q), √σ·W (q, in)
        var total = 0d;
        for (var k = 0; k < w.Rows; k++)
            total += sigma[k] * sigma[k];
        var rho = step.Parameters.Number("ridge") * total / w.Rows;
        var floor = rho > 0 ? 0 : step.Parameters.Number("cut") * sigma[0] * sigma[0];

        var minimum = kernels.Times(y, p); // (out, q)
        var plain = kernels.Times(sum.B, kernels.TimesTransposed(sum.A, w));
        for (var k = 0; k < w.Rows; k++)
        {
            var square = sigma[k] * sigma[k];
            var share = square > floor ? square / (square + rho) : 0;
            SharedSpan.ScaleColumn(minimum, k, share / square);
            for (var i = 0; i < minimum.Rows; i++)
                minimum[i, k] += (1 - share) / sigma[k] * plain[i, k];
        }

        var count = step.Parameters.Flag("divide_by_count") ? sources.Length : 1;
        return BasisSource.Finish(step, new(minimum, w), kernels, 1d / count);
    }

    // X: the rows √S·v of A times √S ∕ |τ|. Y: the columns u·√S of B times S^1.5 ∕ |τ|.
    private static (Matrix X, Matrix Y) Residual(LowRankDelta sum, ImmutableArray<BasisSource> sources)
    {
        var x = new Matrix(sum.Rank, sum.In, [.. sum.A.Values]);
        var y = new Matrix(sum.Out, sum.Rank, [.. sum.B.Values]);
        var row = 0;
        foreach (var source in sources)
            foreach (var s in source.S)
            {
                SharedSpan.ScaleRow(x, row, Math.Sqrt(s) / source.Norm);
                SharedSpan.ScaleColumn(y, row++, s * Math.Sqrt(s) / source.Norm);
            }

        return (x, y);
    }
}
