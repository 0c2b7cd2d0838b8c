using System.Numerics.Tensors;

namespace Marketplace.Core.Algebra;

/// <summary>
/// Householder QR of X (m, n): X = Q·R with Q (m, k), R (k, n), k = min(m, n). X is given by its columns, each one row of a
/// <see cref="Matrix"/>, so that every reflection runs over contiguous memory: at 4096×128 this is many times faster than a
/// general-purpose managed QR, which also forms Q; here Q stays a product of reflectors and is only ever applied.
/// </summary>
internal sealed class ThinQr
{
    /// <summary>Columns shorter than this are enlarged before their squares are summed.</summary>
    internal const double Tiny = 1e-140;

    /// <summary>By how much: a power of two, so that no digit changes.</summary>
    internal static readonly double Enlargement = Math.ScaleB(1, 500);

    private readonly Matrix reflectors;
    private readonly double[] scales;

    /// <summary>Factors X.</summary>
    /// <param name="columns">Xᵀ (n, m): row j is column j of X. The matrix is overwritten.</param>
    public ThinQr(Matrix columns)
    {
        reflectors = columns;
        var (n, m) = (columns.Rows, columns.Columns);
        Rank = Math.Min(m, n);
        scales = new double[Rank];
        var diagonal = new double[Rank];
        for (var k = 0; k < Rank; k++)
        {
            var v = columns.Row(k)[k..];
            var norm = TensorPrimitives.Norm<double>(v);
            var enlarged = norm < Tiny ? Enlargement : 1;
            if (enlarged != 1)
            {
                // Squares of such numbers have lost their digits or are zero. A reflection is the same whatever the length of its vector.
                TensorPrimitives.Multiply(v, enlarged, v);
                norm = TensorPrimitives.Norm<double>(v);
            }

            if (norm == 0)
                continue;
            diagonal[k] = v[0] > 0 ? -norm : norm; // the sign that does not cancel
            scales[k] = 1 / (norm * (norm + Math.Abs(v[0])));
            v[0] -= diagonal[k];
            diagonal[k] /= enlarged;
            for (var j = k + 1; j < n; j++)
                Reflect(v, scales[k], columns.Row(j)[k..]);
        }
        R = new Matrix(Rank, n);
        for (var j = 0; j < n; j++)
            for (var i = 0; i < Math.Min(j, Rank); i++)
                R[i, j] = columns[j, i];
        for (var k = 0; k < Rank; k++)
            R[k, k] = diagonal[k];
    }

    /// <summary>k = min(m, n), the number of columns of Q.</summary>
    public int Rank { get; }

    /// <summary>R (k, n), upper triangular; its diagonal may be negative.</summary>
    public Matrix R { get; }

    /// <summary>Cᵀ·Qᵀ (q, m): each row of <paramref name="coefficients"/> (q, k) becomes the combination of Q's columns that it names.</summary>
    public Matrix Apply(Matrix coefficients)
    {
        var result = new Matrix(coefficients.Rows, reflectors.Columns);
        for (var i = 0; i < coefficients.Rows; i++)
        {
            var y = result.Row(i);
            coefficients.Row(i).CopyTo(y);
            for (var k = Rank - 1; k >= 0; k--)
                Reflect(reflectors.Row(k)[k..], scales[k], y[k..]);
        }
        return result;
    }

    // y -= scale (v·y) v, with v kept where the column below the diagonal was; scale 0 marks a column that was already zero.
    private static void Reflect(ReadOnlySpan<double> v, double scale, Span<double> y)
    {
        if (scale != 0)
            MatrixMath.AddScaled(v, -scale * TensorPrimitives.Dot(v, y), y);
    }
}
