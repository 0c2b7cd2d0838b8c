using System.Numerics.Tensors;
using Marketplace.Core.Algebra;

namespace Marketplace.Core.Merges.Basis;

/// <summary>Orthonormal bases of what several inputs span together.</summary>
internal static class SharedSpan
{
    /// <summary>Directions that carry less than this share of the strongest one are rounding of linearly dependent inputs.</summary>
    public const double Tolerance = 1e-11;

    /// <summary>
    /// The right singular vectors of X (R, n): an orthonormal basis (q, n) of its rows, strongest direction first. In each vector the entry of largest
    /// magnitude is positive, so that the basis does not depend on the order of X's rows.
    /// </summary>
    /// <param name="x">X (R, n).</param>
    /// <param name="kernels">Who computes.</param>
    /// <param name="tolerance">Directions up to this share of the strongest one are left out.</param>
    /// <returns>The basis, and all singular values of X.</returns>
    public static (Matrix Basis, IReadOnlyList<double> S) OfRows(Matrix x, IMergeKernels kernels, double tolerance = Tolerance)
    {
        var (_, basis, s) = Factor(x, kernels, tolerance);
        for (var k = 0; k < basis.Rows; k++)
            ScaleRow(basis, k, 1 / Math.Sqrt(s[k]));
        return (basis, s);
    }

    /// <summary>X = (U√S)·(√S·Vt), as (R, q) and (q, n), without the directions up to a share of the strongest one.</summary>
    public static (Matrix Left, Matrix Right, IReadOnlyList<double> S) Factor(Matrix x, IMergeKernels kernels, double tolerance)
    {
        var identity = new Matrix(x.Rows, x.Rows);
        for (var i = 0; i < x.Rows; i++)
            identity[i, i] = 1;
        // A recompression knows what rounding is in the kernels' precision.
        var factored = kernels.Recompress(new(identity, x), new RankPolicy(Tolerance: tolerance));
        return (factored.Delta.B, factored.Delta.A, factored.S);
    }

    /// <summary>Row k of a := scale·row k.</summary>
    public static void ScaleRow(Matrix a, int row, double scale) => TensorPrimitives.Multiply(a.Row(row), scale, a.Row(row));

    /// <summary>Column k of a := scale·column k.</summary>
    public static void ScaleColumn(Matrix a, int column, double scale)
    {
        for (var i = 0; i < a.Rows; i++)
            a[i, column] *= scale;
    }
}
