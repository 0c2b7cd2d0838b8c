using System.Numerics.Tensors;

namespace Marketplace.Core.Algebra;

/// <summary>
/// SVD of a small matrix M (m, n) by one-sided Jacobi rotations: M = U·diag(S)·Vt, q = min(m, n), S descending.
/// Chosen over a bidiagonal QR iteration because it can't fail to converge, gets small singular values right to high relative
/// accuracy, and its inner loops are dot products over contiguous rows.
/// </summary>
internal static class JacobiSvd
{
    private const int MaxSweeps = 60; // a dozen are enough in practice
    private const double Epsilon = 2.220446049250313e-16;

    // A column this short beside the largest entry is zero. Without the limit the noise of a rank-deficient matrix would be
    // rotated down to denormal numbers, which never become orthogonal.
    private const double Negligible = 1e-30;

    /// <summary>Factors M. U comes transposed: Ut (q, m), Vt (q, n); both have orthonormal rows, also where S is zero.</summary>
    /// <exception cref="NotFiniteNumberException">M has an entry that is NaN or infinite.</exception>
    public static (Matrix Ut, double[] S, Matrix Vt) Factor(Matrix m)
    {
        var largest = m.Values.Length == 0 ? 0 : Math.Abs(TensorPrimitives.MaxMagnitude<double>(m.Values));
        if (!double.IsFinite(largest))
            throw new NotFiniteNumberException("The singular values of a matrix that is not finite are undefined.");
        var scaled = new Matrix(m.Rows, m.Columns);
        TensorPrimitives.Divide(m.Values, largest == 0 ? 1 : largest, scaled.Values);
        var tall = m.Columns <= m.Rows;
        var (ut, s, vt) = OfColumns(tall ? MatrixMath.Transpose(scaled) : scaled);
        TensorPrimitives.Multiply(s, largest, s);
        return tall ? (ut, s, vt) : (vt, s, ut);
    }

    // w holds the n columns of a tall matrix as rows; they are rotated until they are orthogonal: M·V = W.
    private static (Matrix Ut, double[] S, Matrix Vt) OfColumns(Matrix w)
    {
        var n = w.Rows;
        var v = new Matrix(n, n);
        for (var i = 0; i < n; i++)
            v[i, i] = 1;
        var tolerance = Epsilon * Math.Sqrt(w.Columns);
        for (var sweep = 0; Sweep(w, v, tolerance) > 0; sweep++)
        {
            if (sweep == MaxSweeps)
                throw new ArithmeticException($"Jacobi rotations of a {w.Columns}×{n} matrix did not settle in {MaxSweeps} sweeps.");
        }

        var norms = new double[n];
        for (var i = 0; i < n; i++)
            norms[i] = TensorPrimitives.Norm<double>(w.Row(i));
        int[] order = [.. Enumerable.Range(0, n).OrderByDescending(i => norms[i])]; // a stable sort
        var s = Array.ConvertAll(order, i => norms[i]);
        // The QR of orthogonal columns normalises them, and completes the basis where columns vanished.
        var qr = new ThinQr(Reorder(w, order));
        var signs = new Matrix(n, n);
        for (var i = 0; i < n; i++)
            signs[i, i] = qr.R[i, i] < 0 ? -1 : 1;
        return (qr.Apply(signs), s, Reorder(v, order));
    }

    private static int Sweep(Matrix w, Matrix v, double tolerance)
    {
        var rotations = 0;
        for (var p = 0; p < w.Rows - 1; p++)
            for (var q = p + 1; q < w.Rows; q++)
            {
                var alpha = TensorPrimitives.SumOfSquares<double>(w.Row(p));
                var beta = TensorPrimitives.SumOfSquares<double>(w.Row(q));
                var gamma = TensorPrimitives.Dot<double>(w.Row(p), w.Row(q));
                if (Math.Abs(gamma) <= tolerance * Math.Sqrt(alpha) * Math.Sqrt(beta) || Math.Min(alpha, beta) <= Negligible * Negligible)
                    continue;
                var zeta = (beta - alpha) / (2 * gamma);
                var t = (zeta >= 0 ? 1 : -1) / (Math.Abs(zeta) + Math.Sqrt(1 + (zeta * zeta)));
                var c = 1 / Math.Sqrt(1 + (t * t));
                MatrixMath.RotateRows(w.Row(p), w.Row(q), c, c * t);
                MatrixMath.RotateRows(v.Row(p), v.Row(q), c, c * t);
                rotations++;
            }
        return rotations;
    }

    private static Matrix Reorder(Matrix rows, int[] order)
    {
        var result = new Matrix(rows.Rows, rows.Columns);
        for (var i = 0; i < order.Length; i++)
            rows.Row(order[i]).CopyTo(result.Row(i));
        return result;
    }
}
