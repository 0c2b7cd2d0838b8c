using System.Numerics.Tensors;

namespace Marketplace.Core.Algebra;

/// <summary>Triangular square roots of symmetric positive semidefinite matrices: S = L·Lᵀ.</summary>
internal static class Cholesky
{
    /// <summary>
    /// L (n, r) with L·Lᵀ = S, where r is the numerical rank of S, but at least 1: the largest remaining diagonal entry is eliminated next, the first of equals, until none is above
    /// <paramref name="tolerance"/> times the largest of S. What the rest of S holds, rounding and the negative eigenvalues of a matrix that is not quite semidefinite, is left out.
    /// </summary>
    public static Matrix Pivoted(Matrix s, double tolerance = 1e-13)
    {
        var n = s.Rows;
        var left = new double[n];
        for (var i = 0; i < n; i++)
            left[i] = s[i, i];
        var floor = tolerance * left.DefaultIfEmpty().Max();
        var done = new bool[n];
        var factor = new Matrix(n, n); // row i holds what is known of L's row i
        var rank = 0;
        for (; rank < n; rank++)
        {
            var pivot = -1;
            for (var i = 0; i < n; i++)
            {
                if (!done[i] && left[i] > floor && (pivot < 0 || left[i] > left[pivot]))
                    pivot = i;
            }

            if (pivot < 0)
                break;
            var root = Math.Sqrt(left[pivot]);
            for (var i = 0; i < n; i++)
            {
                if (done[i])
                    continue;
                factor[i, rank] = i == pivot ? root : (s[i, pivot] - TensorPrimitives.Dot<double>(factor.Row(i)[..rank], factor.Row(pivot)[..rank])) / root;
                left[i] -= factor[i, rank] * factor[i, rank];
            }

            done[pivot] = true;
        }

        var result = new Matrix(n, Math.Max(1, rank)); // points need a dimension, if only to be zero in
        for (var i = 0; i < n; i++)
            factor.Row(i)[..rank].CopyTo(result.Row(i));
        return result;
    }
}
