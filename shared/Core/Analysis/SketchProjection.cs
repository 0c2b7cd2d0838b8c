using System.Buffers;
using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Marketplace.Core.Algebra;

namespace Marketplace.Core.Analysis;

/// <summary>
/// The random maps of sketches. Each is a <see cref="BucketMap"/> named after the module, so the mean of ⟨Sx, Sy⟩ over maps is ⟨x, y⟩, and its variance at most
/// (|x|²|y|² + ⟨x, y⟩²) ∕ p (count sketch: Charikar, Chen, Farach-Colton 2002).
/// </summary>
/// <remarks>
/// ΔW is sketched from both sides: Y = Lᵀ·ΔW·R = (LᵀB)·(A·R), shape at most (256, 256), then folded into the sketch by a third map. A side of ΔW with up to 256 rows or columns
/// is taken as it is. ΔW is never formed.
/// </remarks>
internal static class SketchProjection
{
    private const int Side = 256;

    /// <summary>Adds a module's ΔW to a sketch.</summary>
    /// <param name="sketch">The sums.</param>
    /// <param name="module">The module's name.</param>
    /// <param name="b">B (out, r), row after row.</param>
    /// <param name="a">A (r, in), row after row.</param>
    /// <param name="rank">r.</param>
    public static void AddDelta(Span<double> sketch, string module, ReadOnlySpan<double> b, ReadOnlySpan<double> a, int rank)
    {
        var (rows, columns) = (Math.Min(b.Length / rank, Side), Math.Min(a.Length / rank, Side));
        var left = Rows(module, b, rank);
        var right = Columns(module, a, rank);
        var product = ArrayPool<double>.Shared.Rent(rows * columns);
        for (var u = 0; u < rows; u++)
            Combine(left.Slice(u * rank, rank), right, product.AsSpan(u * columns, columns));
        new BucketMap($"sketch fold {module}", rows * columns, sketch.Length).Add(product.AsSpan(0, rows * columns), sketch);
        ArrayPool<double>.Shared.Return(product);
    }

    /// <summary>Adds a module's factor to a sketch of flattened factors, without entries up to the threshold; returns their sum of squares.</summary>
    /// <param name="sketch">The sums.</param>
    /// <param name="factor"><c>A</c> or <c>B</c>.</param>
    /// <param name="module">The module's name.</param>
    /// <param name="values">The factor, unscaled, row after row.</param>
    /// <param name="threshold">At least 0.</param>
    public static double AddFactor(Span<double> sketch, string factor, string module, ReadOnlySpan<double> values, double threshold) =>
        new BucketMap($"sketch {factor} {module}", values.Length, sketch.Length).AddLarge(values, threshold, sketch);

    // LᵀB, (at most Side, r).
    private static ReadOnlySpan<double> Rows(string module, ReadOnlySpan<double> b, int rank)
    {
        var rows = b.Length / rank;
        if (rows <= Side)
            return b;
        var map = new BucketMap($"sketch rows {module}", rows, Side);
        var result = new double[Side * rank];
        for (var i = 0; i < rows; i++)
        {
            var target = result.AsSpan(map.Bucket(i) * rank, rank);
            TensorPrimitives.MultiplyAdd(b.Slice(i * rank, rank), map.Sign(i), target, target);
        }

        return result;
    }

    // A·R, (r, at most Side).
    private static ReadOnlySpan<double> Columns(string module, ReadOnlySpan<double> a, int rank)
    {
        var columns = a.Length / rank;
        if (columns <= Side)
            return a;
        var map = new BucketMap($"sketch columns {module}", columns, Side);
        var signs = map.Signs();
        var result = new double[rank * Side];
        for (var k = 0; k < rank; k++)
            map.Add(a.Slice(k * columns, columns), signs, result.AsSpan(k * Side, Side));
        return result;
    }

    // One row of the product: Σ wₖ·(row k). Thirty-two sums at a time stay in registers.
    private static void Combine(ReadOnlySpan<double> weights, ReadOnlySpan<double> rows, Span<double> result)
    {
        ref var source = ref MemoryMarshal.GetReference(rows);
        ref var target = ref MemoryMarshal.GetReference(result);
        var width = result.Length;
        var v = 0;
        for (; v + 32 <= width; v += 32)
        {
            var (s0, s1, s2, s3) = (Vector512<double>.Zero, Vector512<double>.Zero, Vector512<double>.Zero, Vector512<double>.Zero);
            for (var k = 0; k < weights.Length; k++)
            {
                var (at, weight) = ((nuint)((k * width) + v), Vector512.Create(weights[k]));
                s0 = Vector512.FusedMultiplyAdd(Vector512.LoadUnsafe(ref source, at), weight, s0);
                s1 = Vector512.FusedMultiplyAdd(Vector512.LoadUnsafe(ref source, at + 8), weight, s1);
                s2 = Vector512.FusedMultiplyAdd(Vector512.LoadUnsafe(ref source, at + 16), weight, s2);
                s3 = Vector512.FusedMultiplyAdd(Vector512.LoadUnsafe(ref source, at + 24), weight, s3);
            }

            s0.StoreUnsafe(ref target, (nuint)v);
            s1.StoreUnsafe(ref target, (nuint)v + 8);
            s2.StoreUnsafe(ref target, (nuint)v + 16);
            s3.StoreUnsafe(ref target, (nuint)v + 24);
        }

        result[v..].Clear();
        for (var k = 0; k < weights.Length; k++)
            TensorPrimitives.MultiplyAdd(rows.Slice((k * width) + v, width - v), weights[k], result[v..], result[v..]);
    }
}
