using System.Numerics;
using System.Runtime.InteropServices;

namespace Marketplace.Core.Methods;

/// <summary>
/// |X·Vᵀ| for tokens X (T, in) and prototypes V (K, in), in float64. Blocks of columns keep what is multiplied in cache, tiles of tokens and prototypes keep sums in
/// registers; every sum is added in the same order whatever the tile, so that equal rows give equal bits.
/// </summary>
internal static class RouterLogits
{
    private const int TokenBlock = 64;
    private const int ColumnBlock = 512;

    /// <summary>The magnitudes, shape (T, K).</summary>
    public static Matrix Of(Matrix tokens, ReadOnlySpan<float> prototypes, int experts)
    {
        var columns = tokens.Columns;
        var v = GC.AllocateUninitializedArray<double>(experts * columns);
        for (var i = 0; i < v.Length; i++)
            v[i] = prototypes[i];
        var logits = new Matrix(tokens.Rows, experts);
        Parallel.For(0, (tokens.Rows + TokenBlock - 1) / TokenBlock, block =>
        {
            var (first, last) = (block * TokenBlock, Math.Min((block + 1) * TokenBlock, tokens.Rows));
            for (var column = 0; column < columns; column += ColumnBlock)
                AddBlock(tokens, first, last, v, experts, column, Math.Min(ColumnBlock, columns - column), logits);
            foreach (ref var logit in logits.Values.AsSpan(first * experts, (last - first) * experts))
                logit = Math.Abs(logit);
        });
        return logits;
    }

    private static void AddBlock(Matrix tokens, int first, int last, double[] v, int experts, int column, int width, Matrix logits)
    {
        var t = first;
        for (; t + 1 < last; t += 2)
        {
            var x0 = tokens.Row(t).Slice(column, width);
            var x1 = tokens.Row(t + 1).Slice(column, width);
            var e = 0;
            for (; e + 3 < experts; e += 4)
                AddTile(x0, x1, V(e), V(e + 1), V(e + 2), V(e + 3), logits.Row(t)[e..], logits.Row(t + 1)[e..]);
            for (; e < experts; e++)
            {
                logits[t, e] += Dot(x0, V(e));
                logits[t + 1, e] += Dot(x1, V(e));
            }
        }

        if (t < last)
        {
            for (var e = 0; e < experts; e++)
                logits[t, e] += Dot(tokens.Row(t).Slice(column, width), V(e));
        }

        ReadOnlySpan<double> V(int e) => v.AsSpan((e * tokens.Columns) + column, width);
    }

    private static void AddTile(
        ReadOnlySpan<double> x0, ReadOnlySpan<double> x1, ReadOnlySpan<double> v0, ReadOnlySpan<double> v1, ReadOnlySpan<double> v2, ReadOnlySpan<double> v3,
        Span<double> y0, Span<double> y1)
    {
        var (a0, a1, a2, a3) = (Vector<double>.Zero, Vector<double>.Zero, Vector<double>.Zero, Vector<double>.Zero);
        var (b0, b1, b2, b3) = (Vector<double>.Zero, Vector<double>.Zero, Vector<double>.Zero, Vector<double>.Zero);
        var p0 = Vectors(x0);
        var p1 = Vectors(x1)[..p0.Length];
        var q0 = Vectors(v0)[..p0.Length];
        var q1 = Vectors(v1)[..p0.Length];
        var q2 = Vectors(v2)[..p0.Length];
        var q3 = Vectors(v3)[..p0.Length];
        for (var i = 0; i < p0.Length; i++)
        {
            var (x, y) = (p0[i], p1[i]);
            a0 = Vector.FusedMultiplyAdd(x, q0[i], a0);
            a1 = Vector.FusedMultiplyAdd(x, q1[i], a1);
            a2 = Vector.FusedMultiplyAdd(x, q2[i], a2);
            a3 = Vector.FusedMultiplyAdd(x, q3[i], a3);
            b0 = Vector.FusedMultiplyAdd(y, q0[i], b0);
            b1 = Vector.FusedMultiplyAdd(y, q1[i], b1);
            b2 = Vector.FusedMultiplyAdd(y, q2[i], b2);
            b3 = Vector.FusedMultiplyAdd(y, q3[i], b3);
        }

        var done = p0.Length * Vector<double>.Count;
        y0[0] += Finish(a0, x0, v0, done);
        y0[1] += Finish(a1, x0, v1, done);
        y0[2] += Finish(a2, x0, v2, done);
        y0[3] += Finish(a3, x0, v3, done);
        y1[0] += Finish(b0, x1, v0, done);
        y1[1] += Finish(b1, x1, v1, done);
        y1[2] += Finish(b2, x1, v2, done);
        y1[3] += Finish(b3, x1, v3, done);
    }

    private static double Dot(ReadOnlySpan<double> x, ReadOnlySpan<double> v)
    {
        var sum = Vector<double>.Zero;
        var p = Vectors(x);
        var q = Vectors(v);
        for (var i = 0; i < p.Length; i++)
            sum = Vector.FusedMultiplyAdd(p[i], q[i], sum);
        return Finish(sum, x, v, p.Length * Vector<double>.Count);
    }

    private static double Finish(Vector<double> sum, ReadOnlySpan<double> x, ReadOnlySpan<double> v, int from)
    {
        var result = Vector.Sum(sum);
        for (var i = from; i < x.Length; i++)
            result += x[i] * v[i];
        return result;
    }

    private static ReadOnlySpan<Vector<double>> Vectors(ReadOnlySpan<double> values) => MemoryMarshal.Cast<double, Vector<double>>(values);
}
