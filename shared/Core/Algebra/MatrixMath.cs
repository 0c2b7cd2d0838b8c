using System.Numerics.Tensors;

namespace Marketplace.Core.Algebra;

/// <summary>The few dense products that the low-rank kernels need, in float64 and in a fixed order of operations.</summary>
internal static class MatrixMath
{
    /// <summary>The transpose, as a copy.</summary>
    public static Matrix Transpose(Matrix a)
    {
        var result = new Matrix(a.Columns, a.Rows);
        const int block = 32; // keeps both sides of a tall matrix in cache
        for (var i0 = 0; i0 < a.Rows; i0 += block)
            for (var j = 0; j < a.Columns; j++)
                for (var i = i0; i < Math.Min(i0 + block, a.Rows); i++)
                    result[j, i] = a[i, j];
        return result;
    }

    /// <summary>a·bᵀ, one dot product for each entry.</summary>
    public static Matrix TimesTransposed(Matrix a, Matrix b)
    {
        var result = new Matrix(a.Rows, b.Rows);
        for (var i = 0; i < a.Rows; i++)
            for (var j = 0; j < b.Rows; j++)
                result[i, j] = TensorPrimitives.Dot<double>(a.Row(i), b.Row(j));
        return result;
    }

    /// <summary>a·b, row by row.</summary>
    public static Matrix Times(Matrix a, Matrix b)
    {
        var result = new Matrix(a.Rows, b.Columns);
        for (var i = 0; i < a.Rows; i++)
            for (var k = 0; k < a.Columns; k++)
                AddScaled(b.Row(k), a[i, k], result.Row(i));
        return result;
    }

    /// <summary>aᵀ·b, for tall matrices with few columns.</summary>
    public static Matrix TransposedTimes(Matrix a, Matrix b)
    {
        var result = new Matrix(a.Columns, b.Columns);
        for (var k = 0; k < a.Rows; k++)
            for (var i = 0; i < a.Columns; i++)
                AddScaled(b.Row(k), a[k, i], result.Row(i));
        return result;
    }

    /// <summary>target += scale·x.</summary>
    public static void AddScaled(ReadOnlySpan<double> x, double scale, Span<double> target) =>
        TensorPrimitives.MultiplyAdd(x, scale, target, target);

    /// <summary>Whether every entry is finite.</summary>
    public static bool IsFinite(Matrix a) => TensorPrimitives.IsFiniteAll<double>(a.Values);

    /// <summary>Turns two rows in their plane: x := c·x − s·y, y := s·x + c·y.</summary>
    public static void RotateRows(Span<double> x, Span<double> y, double c, double s)
    {
        for (var i = 0; i < x.Length; i++)
        {
            var (a, b) = (x[i], y[i]);
            x[i] = (c * a) - (s * b);
            y[i] = (s * a) + (c * b);
        }
    }

    /// <summary>x := −x.</summary>
    public static void Negate(Span<double> x) => TensorPrimitives.Negate(x, x);

    /// <summary>Whether the entry of largest magnitude, the first of equals, is negative: the rule that makes signs of vectors canonical.</summary>
    public static bool LargestIsNegative(ReadOnlySpan<double> vector)
    {
        var largest = 0d;
        foreach (var x in vector)
        {
            if (Math.Abs(x) > Math.Abs(largest))
                largest = x;
        }

        return largest < 0;
    }
}
