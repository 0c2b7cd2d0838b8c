using System.Numerics.Tensors;

namespace Marketplace.Core.Algebra;

/// <summary>
/// The largest eigenvalues of a symmetric positive semidefinite matrix and their eigenvectors, by block iteration with Rayleigh–Ritz: for matrices of a thousand
/// rows of which a few dozen directions count. Small ones are factored whole.
/// </summary>
internal static class TopEigen
{
    private const int Whole = 192;
    private const int MaxRounds = 3;
    private const int Powers = 4;
    private const double Settled = 1e-11;

    /// <summary>Values, descending, and vectors as rows (count, n), the largest entry of each positive. Values of zero are given with vectors of zeros.</summary>
    /// <param name="a">Symmetric (n, n).</param>
    /// <param name="count">How many; at most n are there.</param>
    public static (double[] Values, Matrix Vectors) Factor(Matrix a, int count)
    {
        count = Math.Min(count, a.Rows);
        if (a.Rows <= Whole || 2 * count >= a.Rows)
        {
            var (all, rows) = JacobiEigen.Factor(a);
            return Take([.. all.Reverse()], i => rows.Row(a.Rows - 1 - i), count, a.Rows);
        }

        var block = Start(count + Math.Max(10, count / 4), a.Rows);
        var before = double.NegativeInfinity;
        for (var round = 0; ; round++)
        {
            // Several multiplications for each factoring, which is the dearer part.
            for (var power = 0; power < Powers; power++)
                block = Orthonormal(BlockedProduct.TimesTransposed(block, a));
            var (values, turn) = JacobiEigen.Factor(BlockedProduct.TimesTransposed(BlockedProduct.TimesTransposed(block, a), block));
            block = MatrixMath.Times(turn, block);
            var sum = values.TakeLast(count).Sum();
            if (sum - before <= Settled * Math.Abs(sum) || round == MaxRounds)
            {
                var (rows, last) = (block, values.Length - 1);
                return Take([.. values.Reverse()], i => rows.Row(last - i), count, a.Rows);
            }

            before = sum;
        }
    }

    private delegate Span<double> RowOf(int index);

    private static (double[] Values, Matrix Vectors) Take(double[] values, RowOf row, int count, int n)
    {
        var vectors = new Matrix(count, n);
        var taken = new double[count];
        var floor = 1e-14 * Math.Max(0, values.FirstOrDefault()) * n;
        for (var i = 0; i < count && values[i] > floor; i++)
        {
            taken[i] = values[i];
            row(i).CopyTo(vectors.Row(i));
            if (MatrixMath.LargestIsNegative(vectors.Row(i)))
                MatrixMath.Negate(vectors.Row(i));
        }

        return (taken, vectors);
    }

    private static Matrix Start(int rows, int columns)
    {
        var random = new Philox(42, "top eigenvectors");
        var start = new Matrix(rows, columns);
        for (var i = 0; i < start.Values.Length; i++)
            start.Values[i] = random.NextDouble() - 0.5;
        return Orthonormal(start);
    }

    // Gram–Schmidt, twice for each row; rows that others already hold become zero.
    private static Matrix Orthonormal(Matrix rows)
    {
        for (var i = 0; i < rows.Rows; i++)
        {
            var row = rows.Row(i);
            var before = TensorPrimitives.Norm<double>(row);
            for (var pass = 0; pass < 2; pass++)
                for (var j = 0; j < i; j++)
                    MatrixMath.AddScaled(rows.Row(j), -TensorPrimitives.Dot<double>(rows.Row(j), row), row);
            var norm = TensorPrimitives.Norm<double>(row);
            if (norm <= 1e-12 * before)
                row.Clear();
            else
                TensorPrimitives.Divide(row, norm, row);
        }

        return rows;
    }
}
