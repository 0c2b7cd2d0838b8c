using System.Buffers;
using System.Numerics.Tensors;

namespace Marketplace.Core.Algebra;

/// <summary>
/// |B·A| by the quickest way, √(Σ (BᵀB) ∘ (AAᵀ)), for figures that need no digits where BA nearly cancels: squares lose half of them, which <see cref="Deltas.Norm"/> does not.
/// </summary>
internal static class FactorNorm
{
    private const int Height = 512; // rows of B transposed at a time

    /// <summary>|B·A|, Frobenius.</summary>
    /// <param name="b">B (out, r), row after row.</param>
    /// <param name="a">A (r, in), row after row.</param>
    /// <param name="rank">r.</param>
    public static double Of(ReadOnlySpan<double> b, ReadOnlySpan<double> a, int rank)
    {
        var (left, right) = (new Matrix(rank, rank), new Matrix(rank, rank));
        AddProducts(a, a.Length / rank, right);
        var block = ArrayPool<double>.Shared.Rent(Height * rank);
        for (var i = 0; i < b.Length; i += Height * rank)
        {
            var rows = b.Slice(i, Math.Min(Height * rank, b.Length - i));
            TriangularFactor.Transpose(rows, rank, block);
            AddProducts(block.AsSpan(0, rows.Length), rows.Length / rank, left);
        }

        ArrayPool<double>.Shared.Return(block);
        var sum = 0d;
        for (var i = 0; i < rank; i++)
            sum += (left[i, i] * right[i, i]) + (2 * TensorPrimitives.Dot<double>(left.Row(i)[..i], right.Row(i)[..i]));
        return Math.Sqrt(Math.Max(0, sum));
    }

    // The lower half of all inner products of contiguous vectors.
    private static void AddProducts(ReadOnlySpan<double> vectors, int length, Matrix products)
    {
        for (var i = 0; i < products.Rows; i++)
            for (var j = 0; j <= i; j++)
                products[i, j] += TensorPrimitives.Dot(vectors.Slice(i * length, length), vectors.Slice(j * length, length));
    }
}
