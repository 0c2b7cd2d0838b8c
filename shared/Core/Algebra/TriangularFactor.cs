using System.Buffers;
using System.Numerics.Tensors;

namespace Marketplace.Core.Algebra;

/// <summary>
/// R of X = Q·R for a tall X (m, n), without Q: rows are taken in blocks that stay in the cache, and each block is reflected into the triangle of
/// the ones before it. A reflection then touches one row of R and the block, so no work goes into R's zeros. 2·m·n² operations, as stable as any Householder QR:
/// RᵀR = XᵀX to rounding of X, not of XᵀX.
/// </summary>
internal static class TriangularFactor
{
    private const int BlockNumbers = 1 << 13; // 64 KiB

    /// <summary>R (n, n) of X, given row after row. With fewer rows than columns the last rows of R are zero to rounding.</summary>
    public static Matrix OfRows(ReadOnlySpan<double> rows, int columns)
    {
        var r = new Matrix(columns, columns);
        var height = Height(columns);
        var block = ArrayPool<double>.Shared.Rent(height * columns);
        for (var (i, m) = (0, rows.Length / columns); i < m; i += height)
        {
            var h = Math.Min(height, m - i);
            Transpose(rows.Slice(i * columns, h * columns), columns, block);
            Absorb(r, block.AsSpan(0, h * columns), h);
        }

        ArrayPool<double>.Shared.Return(block);
        return r;
    }

    /// <summary>R (n, n) of X, given column after column, each of <paramref name="rows"/> numbers.</summary>
    public static Matrix OfColumns(ReadOnlySpan<double> columns, int rows)
    {
        var n = rows == 0 ? 0 : columns.Length / rows;
        var r = new Matrix(n, n);
        var height = Height(n);
        var block = ArrayPool<double>.Shared.Rent(height * n);
        for (var i = 0; i < rows; i += height)
        {
            var h = Math.Min(height, rows - i);
            for (var j = 0; j < n; j++)
                columns.Slice((j * rows) + i, h).CopyTo(block.AsSpan(j * h, h));
            Absorb(r, block.AsSpan(0, h * n), h);
        }

        ArrayPool<double>.Shared.Return(block);
        return r;
    }

    private static int Height(int columns) => Math.Max(64, BlockNumbers / Math.Max(1, columns));

    // The QR of [R; block], in place. In column k R ends at its diagonal, so the reflection is that of [R(k, k); block column k].
    private static void Absorb(Matrix r, Span<double> block, int height)
    {
        for (var k = 0; k < r.Columns; k++)
        {
            var x = block.Slice(k * height, height);
            var below = TensorPrimitives.SumOfSquares<double>(x);
            if (below == 0)
                continue;
            var row = r.Row(k);
            var diagonal = row[k];
            var norm = Math.Sqrt((diagonal * diagonal) + below);
            var enlarged = norm < ThinQr.Tiny ? ThinQr.Enlargement : 1;
            if (enlarged != 1)
            {
                // As there: a reflection is the same whatever the length of its vector, and this column is not looked at again.
                TensorPrimitives.Multiply(x, enlarged, x);
                diagonal *= enlarged;
                norm = Math.Sqrt((diagonal * diagonal) + TensorPrimitives.SumOfSquares<double>(x));
            }

            var end = diagonal > 0 ? -norm : norm; // the sign that does not cancel
            row[k] = end / enlarged;
            var v = diagonal - end;
            var scale = 1 / (norm * (norm + Math.Abs(diagonal)));
            for (var j = k + 1; j < r.Columns; j++)
            {
                var y = block.Slice(j * height, height);
                var t = scale * ((v * row[j]) + TensorPrimitives.Dot<double>(x, y));
                row[j] -= t * v;
                MatrixMath.AddScaled(x, -t, y);
            }
        }
    }

    /// <summary>The transpose of a block, given row after row.</summary>
    internal static void Transpose(ReadOnlySpan<double> rows, int columns, Span<double> result)
    {
        var height = rows.Length / columns;
        const int Tile = 8;
        for (var i0 = 0; i0 < height; i0 += Tile)
        {
            var end = Math.Min(i0 + Tile, height);
            for (var j = 0; j < columns; j++)
            {
                var column = result.Slice(j * height, height);
                for (var i = i0; i < end; i++)
                    column[i] = rows[(i * columns) + j];
            }
        }
    }
}
