using System.Numerics.Tensors;

namespace Marketplace.Core.Algebra;

/// <summary>
/// The singular value decomposition of ΔW = B·A without ever forming ΔW: ΔW = U·diag(S)·Vt with q = min(out, r, in), exact to
/// rounding. QR of both factors leaves a core of r×r numbers to decompose: O((out + in)·r² + r³) in place of O(out·in·min(out, in)).
/// The Gram route (eigenvalues of BᵀB) would square the condition number.
/// </summary>
/// <remarks>Signs are canonical: in each row of Vt the entry of largest magnitude (the first of equals) is positive.</remarks>
public sealed class LowRankSvd
{
    private const double Epsilon = 2.220446049250313e-16; // 2⁻⁵²

    private LowRankSvd(Matrix ut, double[] s, Matrix vt, double noise) => (Ut, S, Vt, Noise) = (ut, s, vt, noise);

    /// <summary>The left singular vectors as rows, shape (q, out).</summary>
    public Matrix Ut { get; }

    /// <summary>The singular values in descending order; those beyond the numerical rank are zero to rounding.</summary>
    public IReadOnlyList<double> S { get; }

    /// <summary>The right singular vectors as rows, shape (q, in).</summary>
    public Matrix Vt { get; }

    /// <summary>
    /// Singular values up to this are indistinguishable from zero: max(out, in)·ε·S₁ as usual, and 32·ε·|B|·|A|, which is what
    /// rounding leaves behind where the product of large factors cancels.
    /// </summary>
    public double Noise { get; }

    /// <summary>Decomposes B·A.</summary>
    /// <param name="delta">B (out, r) and A (r, in).</param>
    /// <exception cref="NotFiniteNumberException">A factor holds NaN or infinity.</exception>
    public static LowRankSvd Of(LowRankDelta delta)
    {
        if (!MatrixMath.IsFinite(delta.A) || !MatrixMath.IsFinite(delta.B))
            throw new NotFiniteNumberException("The factors of a delta must be finite.");
        var left = new ThinQr(MatrixMath.Transpose(delta.B));
        var right = new ThinQr(new Matrix(delta.A.Rows, delta.A.Columns, [.. delta.A.Values]));
        var core = MatrixMath.TimesTransposed(left.R, right.R);
        var (ut, s, vt) = JacobiSvd.Factor(core);
        var noise = Epsilon * Math.Max(
            Math.Max(delta.Out, delta.In) * s[0],
            32 * TensorPrimitives.Norm<double>(delta.B.Values) * TensorPrimitives.Norm<double>(delta.A.Values));
        var svd = new LowRankSvd(left.Apply(ut), s, right.Apply(vt), noise);
        svd.MakeSignsCanonical();
        return svd;
    }

    private void MakeSignsCanonical()
    {
        for (var i = 0; i < Vt.Rows; i++)
        {
            if (!MatrixMath.LargestIsNegative(Vt.Row(i)))
                continue;
            MatrixMath.Negate(Vt.Row(i));
            MatrixMath.Negate(Ut.Row(i));
        }
    }
}
