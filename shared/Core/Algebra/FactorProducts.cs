using System.Buffers;
using System.Numerics.Tensors;

namespace Marketplace.Core.Algebra;

/// <summary>
/// Norms and inner products of B·A by the quickest way, Σ (B₂ᵀB₁) ∘ (A₂A₁ᵀ) with rows of B taken in blocks, for figures that need no digits where products nearly cancel: squares lose
/// half of them, which <see cref="Deltas.Norm"/> and <see cref="Deltas.Distance"/> do not.
/// </summary>
internal static class FactorProducts
{
    private const int Height = 512; // rows of B transposed at a time

    /// <summary>|B·A|, Frobenius.</summary>
    /// <param name="b">B (out, r), row after row.</param>
    /// <param name="a">A (r, in), row after row.</param>
    /// <param name="rank">r.</param>
    public static double Norm(ReadOnlySpan<double> b, ReadOnlySpan<double> a, int rank) => Math.Sqrt(Math.Max(0, Inner(b, a, rank, b, a, rank)));

    /// <summary>⟨B₁A₁, B₂A₂⟩, for products of one shape.</summary>
    /// <param name="b1">B₁ (out, r₁), row after row.</param>
    /// <param name="a1">A₁ (r₁, in), row after row.</param>
    /// <param name="rank1">r₁.</param>
    /// <param name="b2">B₂ (out, r₂).</param>
    /// <param name="a2">A₂ (r₂, in).</param>
    /// <param name="rank2">r₂.</param>
    public static double Inner(ReadOnlySpan<double> b1, ReadOnlySpan<double> a1, int rank1, ReadOnlySpan<double> b2, ReadOnlySpan<double> a2, int rank2)
    {
        var same = b1 == b2 && a1 == a2;
        var (left, right) = (new Matrix(rank1, rank2), new Matrix(rank1, rank2));
        AddProducts(a1, a2, a1.Length / rank1, right, same);
        var first = ArrayPool<double>.Shared.Rent(Height * rank1);
        var second = same ? first : ArrayPool<double>.Shared.Rent(Height * rank2);
        for (var (row, rows) = (0, b1.Length / rank1); row < rows; row += Height)
        {
            var height = Math.Min(Height, rows - row);
            TriangularFactor.Transpose(b1.Slice(row * rank1, height * rank1), rank1, first);
            if (!same)
                TriangularFactor.Transpose(b2.Slice(row * rank2, height * rank2), rank2, second);
            AddProducts(first.AsSpan(0, height * rank1), second.AsSpan(0, height * rank2), height, left, same);
        }

        ArrayPool<double>.Shared.Return(first);
        if (!same)
            ArrayPool<double>.Shared.Return(second);
        if (!same)
            return TensorPrimitives.Dot<double>(left.Values, right.Values);
        var sum = 0d;
        for (var i = 0; i < rank1; i++)
            sum += (left[i, i] * right[i, i]) + (2 * TensorPrimitives.Dot<double>(left.Row(i)[..i], right.Row(i)[..i]));
        return sum;
    }

    // All inner products of contiguous vectors; of equal ones the lower half.
    private static void AddProducts(ReadOnlySpan<double> first, ReadOnlySpan<double> second, int length, Matrix products, bool half)
    {
        for (var i = 0; i < products.Rows; i++)
            for (var j = 0; j < (half ? i + 1 : products.Columns); j++)
                products[i, j] += TensorPrimitives.Dot(first.Slice(i * length, length), second.Slice(j * length, length));
    }
}
