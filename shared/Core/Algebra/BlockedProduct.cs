using System.Numerics.Tensors;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Marketplace.Core.Algebra;

/// <summary>
/// Products of many long rows, X·Xᵀ and X·Yᵀ, in float64. Tiles of 4×4 results stay in registers while the columns go by, so that each number loaded is used four
/// times; columns go in pieces that fit the first cache. Every result is summed by one thread in one order: bits do not depend on how many threads there are.
/// </summary>
internal static class BlockedProduct
{
    private const int Tile = 4;
    private const int Piece = 512; // columns: eight rows of them are 32 KiB
    private const int Band = 64; // rows that one task computes, against all rows before them
    private const int Block = 8; // rows that stay in the first cache while a band goes by

    /// <summary>gram += X·Xᵀ, both halves.</summary>
    /// <param name="rows">X (n, columns), row after row.</param>
    /// <param name="columns">Length of a row.</param>
    /// <param name="gram">Shape (n, n), symmetric.</param>
    public static void AddGram(ReadOnlyMemory<double> rows, int columns, Matrix gram)
    {
        var n = gram.Rows;
        var bands = (n + Band - 1) / Band;
        // The longest bands first, so that threads end together.
        Parallel.For(0, bands, task =>
        {
            var first = (bands - 1 - task) * Band;
            var last = Math.Min(first + Band, n);
            var x = rows.Span;
            for (var start = 0; start < columns; start += Piece)
            {
                var length = Math.Min(Piece, columns - start);
                for (var block = 0; block < last; block += Block)
                    for (var i = Math.Max(first, block); i < last; i += Tile)
                        for (var j = block; j < block + Block && j <= i; j += Tile)
                            AddTile(x, i, Math.Min(Tile, last - i), x, j, Math.Min(Tile, n - j), columns, start, length, gram.Values, n);
            }
        });
        for (var i = 0; i < n; i++)
            for (var j = i + 1; j < n; j++)
                gram[i, j] = gram[j, i];
    }

    /// <summary>result := X·Yᵀ, on the calling thread.</summary>
    /// <param name="x">X (rows, columns).</param>
    /// <param name="rows">Rows of X.</param>
    /// <param name="y">Y (count, columns).</param>
    /// <param name="count">Rows of Y.</param>
    /// <param name="columns">Length of a row.</param>
    /// <param name="result">Shape (rows, count).</param>
    public static void TimesTransposed(ReadOnlySpan<double> x, int rows, ReadOnlySpan<double> y, int count, int columns, Span<double> result)
    {
        result[..(rows * count)].Clear();
        for (var start = 0; start < columns; start += Piece)
        {
            var length = Math.Min(Piece, columns - start);
            for (var i = 0; i < rows; i += Tile)
                for (var j = 0; j < count; j += Tile)
                    AddTile(x, i, Math.Min(Tile, rows - i), y, j, Math.Min(Tile, count - j), columns, start, length, result, count);
        }
    }

    /// <summary>X·Yᵀ with the rows of X shared out among threads.</summary>
    public static Matrix TimesTransposed(Matrix x, Matrix y)
    {
        var result = new Matrix(x.Rows, y.Rows);
        Parallel.For(0, (x.Rows + Band - 1) / Band, band =>
        {
            var first = band * Band;
            var rows = Math.Min(Band, x.Rows - first);
            TimesTransposed(
                x.Values.AsSpan(first * x.Columns, rows * x.Columns), rows, y.Values, y.Rows, x.Columns, result.Values.AsSpan(first * y.Rows, rows * y.Rows));
        });
        return result;
    }

    private static void AddTile(
        ReadOnlySpan<double> x, int i, int rows, ReadOnlySpan<double> y, int j, int count, int columns, int start, int length, Span<double> result, int stride)
    {
        if (rows == Tile && count == Tile && Vector512.IsHardwareAccelerated && length >= Vector512<double>.Count)
        {
            AddFullTile(
                ref MemoryMarshal.GetReference(x[((i * columns) + start)..]), ref MemoryMarshal.GetReference(y[((j * columns) + start)..]), columns, length,
                result[((i * stride) + j)..], stride);
            return;
        }

        for (var a = 0; a < rows; a++)
            for (var b = 0; b < count; b++)
            {
                result[((i + a) * stride) + j + b] += TensorPrimitives.Dot(
                    x.Slice(((i + a) * columns) + start, length), y.Slice(((j + b) * columns) + start, length));
            }
    }

    // Sixteen sums in as many registers of eight numbers.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AddFullTile(ref double x, ref double y, int columns, int length, Span<double> result, int stride)
    {
        ref var x1 = ref Unsafe.Add(ref x, columns);
        ref var x2 = ref Unsafe.Add(ref x1, columns);
        ref var x3 = ref Unsafe.Add(ref x2, columns);
        ref var y1 = ref Unsafe.Add(ref y, columns);
        ref var y2 = ref Unsafe.Add(ref y1, columns);
        ref var y3 = ref Unsafe.Add(ref y2, columns);
        Vector512<double> s00 = default, s01 = default, s02 = default, s03 = default, s10 = default, s11 = default, s12 = default, s13 = default;
        Vector512<double> s20 = default, s21 = default, s22 = default, s23 = default, s30 = default, s31 = default, s32 = default, s33 = default;
        var c = 0;
        for (; c <= length - Vector512<double>.Count; c += Vector512<double>.Count)
        {
            var (b0, b1) = (Vector512.LoadUnsafe(ref y, (nuint)c), Vector512.LoadUnsafe(ref y1, (nuint)c));
            var (b2, b3) = (Vector512.LoadUnsafe(ref y2, (nuint)c), Vector512.LoadUnsafe(ref y3, (nuint)c));
            var a = Vector512.LoadUnsafe(ref x, (nuint)c);
            (s00, s01) = (Vector512.FusedMultiplyAdd(a, b0, s00), Vector512.FusedMultiplyAdd(a, b1, s01));
            (s02, s03) = (Vector512.FusedMultiplyAdd(a, b2, s02), Vector512.FusedMultiplyAdd(a, b3, s03));
            a = Vector512.LoadUnsafe(ref x1, (nuint)c);
            (s10, s11) = (Vector512.FusedMultiplyAdd(a, b0, s10), Vector512.FusedMultiplyAdd(a, b1, s11));
            (s12, s13) = (Vector512.FusedMultiplyAdd(a, b2, s12), Vector512.FusedMultiplyAdd(a, b3, s13));
            a = Vector512.LoadUnsafe(ref x2, (nuint)c);
            (s20, s21) = (Vector512.FusedMultiplyAdd(a, b0, s20), Vector512.FusedMultiplyAdd(a, b1, s21));
            (s22, s23) = (Vector512.FusedMultiplyAdd(a, b2, s22), Vector512.FusedMultiplyAdd(a, b3, s23));
            a = Vector512.LoadUnsafe(ref x3, (nuint)c);
            (s30, s31) = (Vector512.FusedMultiplyAdd(a, b0, s30), Vector512.FusedMultiplyAdd(a, b1, s31));
            (s32, s33) = (Vector512.FusedMultiplyAdd(a, b2, s32), Vector512.FusedMultiplyAdd(a, b3, s33));
        }

        Span<double> sums =
        [
            Vector512.Sum(s00), Vector512.Sum(s01), Vector512.Sum(s02), Vector512.Sum(s03), Vector512.Sum(s10), Vector512.Sum(s11), Vector512.Sum(s12), Vector512.Sum(s13),
            Vector512.Sum(s20), Vector512.Sum(s21), Vector512.Sum(s22), Vector512.Sum(s23), Vector512.Sum(s30), Vector512.Sum(s31), Vector512.Sum(s32), Vector512.Sum(s33),
        ];
        for (; c < length; c++)
            for (var a = 0; a < Tile; a++)
                for (var b = 0; b < Tile; b++)
                    sums[(Tile * a) + b] += Unsafe.Add(ref x, (a * columns) + c) * Unsafe.Add(ref y, (b * columns) + c);
        for (var a = 0; a < Tile; a++)
            for (var b = 0; b < Tile; b++)
                result[(a * stride) + b] += sums[(Tile * a) + b];
    }
}
