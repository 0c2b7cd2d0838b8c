using System.Collections.Immutable;
using System.Numerics.Tensors;

namespace Marketplace.Core.Algebra;

/// <summary>
/// What is asked of every module, without Q and without the other singular vectors: all singular values of ΔW = B·A, |ΔW|, and the direction of the
/// input that ΔW stretches most. From the triangles of B = Q·R and Aᵀ = Q′·R′ follows the core R·R′ᵀ (r, r), which has the singular values of ΔW; with its first left vector u
/// the direction is v = Aᵀ·(Rᵀu) ∕ S₁. The same as <see cref="LowRankSvd"/> to rounding, in a third of the time.
/// </summary>
internal sealed class LowRankSpectrum
{
    private const double Epsilon = 2.220446049250313e-16; // 2⁻⁵²

    private readonly double[] coefficients;

    private LowRankSpectrum(ImmutableArray<double> s, double norm, double noise, double[] coefficients) =>
        (S, Norm, Noise, this.coefficients) = (s, norm, noise, coefficients);

    /// <summary>The singular values, descending, q = min(out, r, in) of them.</summary>
    public ImmutableArray<double> S { get; }

    /// <summary>|ΔW|, Frobenius.</summary>
    public double Norm { get; }

    /// <summary>Singular values up to this are indistinguishable from zero, as in <see cref="LowRankSvd.Noise"/>.</summary>
    public double Noise { get; }

    /// <summary>The largest singular value; 0 where it is noise.</summary>
    public double S1 => S[0] <= Noise ? 0 : S[0];

    /// <summary>Analyses B·A.</summary>
    /// <param name="b">B (out, r), row after row.</param>
    /// <param name="a">A (r, in), row after row.</param>
    /// <param name="rank">r.</param>
    /// <exception cref="NotFiniteNumberException">A factor holds NaN or infinity.</exception>
    public static LowRankSpectrum Of(ReadOnlySpan<double> b, ReadOnlySpan<double> a, int rank)
    {
        if (!TensorPrimitives.IsFiniteAll(b) || !TensorPrimitives.IsFiniteAll(a))
            throw new NotFiniteNumberException("The factors of a delta must be finite.");
        var (rows, columns) = (b.Length / rank, a.Length / rank);
        var left = TriangularFactor.OfRows(b, rank);
        var right = TriangularFactor.OfColumns(a, columns);
        var core = MatrixMath.TimesTransposed(left, right);
        var (ut, s, _) = JacobiSvd.Factor(core);
        var noise = Epsilon * Math.Max(
            Math.Max(rows, columns) * s[0],
            32 * TensorPrimitives.Norm<double>(left.Values) * TensorPrimitives.Norm<double>(right.Values));
        var coefficients = new double[rank];
        for (var k = 0; k < rank; k++)
            MatrixMath.AddScaled(left.Row(k), ut[0, k], coefficients);
        return new([.. s.AsSpan(0, Math.Min(rank, Math.Min(rows, columns)))], TensorPrimitives.Norm<double>(core.Values), noise, coefficients);
    }

    /// <summary>The top right singular vector (in), its entry of largest magnitude positive; zeros where ΔW = 0.</summary>
    /// <param name="a">A, as given before.</param>
    public double[] Direction(ReadOnlySpan<double> a)
    {
        var v = new double[a.Length / coefficients.Length];
        if (S1 == 0)
            return v;
        for (var k = 0; k < coefficients.Length; k++)
            MatrixMath.AddScaled(a.Slice(k * v.Length, v.Length), coefficients[k] / S1, v);
        TensorPrimitives.Divide(v, TensorPrimitives.Norm<double>(v), v);
        if (MatrixMath.LargestIsNegative(v))
            MatrixMath.Negate(v);
        return v;
    }
}
