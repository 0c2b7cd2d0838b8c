namespace Marketplace.Core.Algebra;

/// <summary>
/// Eigenvalues and eigenvectors of a symmetric matrix by cyclic Jacobi rotations: simple, always converges, and accurate to rounding. For the small matrices
/// (sums of ranks) that methods come down to.
/// </summary>
internal static class JacobiEigen
{
    private const int MaxSweeps = 60;
    private const double Epsilon = 2.220446049250313e-16;

    /// <summary>a = Vᵀ·diag(values)·V with eigenvectors as rows of V, values ascending, the largest entry of each vector positive.</summary>
    /// <param name="a">Symmetric (n, n); only rounding may tell its halves apart.</param>
    /// <exception cref="NotFiniteNumberException">An entry is NaN or infinite.</exception>
    public static (double[] Values, Matrix Vectors) Factor(Matrix a)
    {
        if (!MatrixMath.IsFinite(a))
            throw new NotFiniteNumberException("The eigenvalues of a matrix that is not finite are undefined.");
        var n = a.Rows;
        var (m, v) = (new Matrix(n, n), new Matrix(n, n));
        for (var i = 0; i < n; i++)
        {
            v[i, i] = 1;
            for (var j = 0; j < n; j++)
                m[i, j] = 0.5 * (a[i, j] + a[j, i]);
        }

        var floor = n * Epsilon * Epsilon * m.Values.Sum(x => x * x);
        for (var sweep = 0; OffDiagonal(m) > floor; sweep++)
        {
            if (sweep == MaxSweeps)
                throw new ArithmeticException($"Jacobi rotations of a symmetric {n}×{n} matrix did not settle in {MaxSweeps} sweeps.");
            for (var p = 0; p < n - 1; p++)
                for (var q = p + 1; q < n; q++)
                    Rotate(m, v, p, q);
        }

        int[] order = [.. Enumerable.Range(0, n).OrderBy(i => m[i, i])];
        var vectors = new Matrix(n, n);
        for (var i = 0; i < n; i++)
        {
            v.Row(order[i]).CopyTo(vectors.Row(i));
            if (MatrixMath.LargestIsNegative(vectors.Row(i)))
                MatrixMath.Negate(vectors.Row(i));
        }

        return (Array.ConvertAll(order, i => m[i, i]), vectors);
    }

    private static double OffDiagonal(Matrix m)
    {
        var sum = 0d;
        for (var i = 0; i < m.Rows; i++)
            for (var j = 0; j < m.Columns; j++)
                sum += i == j ? 0 : m[i, j] * m[i, j];
        return sum;
    }

    // m := Jᵀ·m·J and v := Jᵀ·v with the rotation J in the plane (p, q) that makes m[p, q] zero.
    private static void Rotate(Matrix m, Matrix v, int p, int q)
    {
        if (m[p, q] == 0)
            return;
        var theta = (m[q, q] - m[p, p]) / (2 * m[p, q]);
        var t = (theta >= 0 ? 1 : -1) / (Math.Abs(theta) + Math.Sqrt((theta * theta) + 1));
        var c = 1 / Math.Sqrt((t * t) + 1);
        var s = t * c;
        MatrixMath.RotateRows(m.Row(p), m.Row(q), c, s);
        for (var i = 0; i < m.Rows; i++)
        {
            var (x, y) = (m[i, p], m[i, q]);
            m[i, p] = (c * x) - (s * y);
            m[i, q] = (s * x) + (c * y);
        }

        (m[p, q], m[q, p]) = (0, 0);
        MatrixMath.RotateRows(v.Row(p), v.Row(q), c, s);
    }
}
