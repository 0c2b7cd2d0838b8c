using System.Numerics.Tensors;

namespace Marketplace.Core.Algebra;

/// <summary>Arithmetic on ΔW = B·A in factored form. All of it is exact to float64 rounding; none of it forms ΔW.</summary>
public static class Deltas
{
    /// <summary>⟨ΔW₁, ΔW₂⟩ = Σ (B₂ᵀB₁) ∘ (A₂A₁ᵀ), in O((out + in)·r₁·r₂).</summary>
    public static double Inner(LowRankDelta first, LowRankDelta second)
    {
        RequireSameShape(first, second);
        return TensorPrimitives.Dot<double>(
            MatrixMath.TransposedTimes(second.B, first.B).Values, MatrixMath.TimesTransposed(second.A, first.A).Values);
    }

    /// <summary>|ΔW|, the Frobenius norm, from QR factors: it stays exact where BA nearly cancels.</summary>
    public static double Norm(LowRankDelta delta)
    {
        var left = new ThinQr(MatrixMath.Transpose(delta.B)).R;
        var right = new ThinQr(new Matrix(delta.A.Rows, delta.A.Columns, [.. delta.A.Values])).R;
        return TensorPrimitives.Norm<double>(MatrixMath.TimesTransposed(left, right).Values);
    }

    /// <summary>
    /// |ΔW₁ − ΔW₂|. Computed as the norm of the concatenated difference: the formula G₁₁ + G₂₂ − 2G₁₂ would cancel
    /// and return zero for deltas that differ by a relative 1e-8.
    /// </summary>
    public static double Distance(LowRankDelta first, LowRankDelta second) => Norm(WeightedSum([(1, first), (-1, second)]));

    /// <summary>Σ wₑ ΔWₑ as [w₁B₁, w₂B₂, …]·[A₁; A₂; …]: exact, of rank at most Σ rₑ. Terms of weight zero are left out.</summary>
    /// <param name="terms">Weights and deltas of one shape; at least one. If all weights are zero the result is a zero delta of rank 1.</param>
    public static LowRankDelta WeightedSum(IReadOnlyList<(double Weight, LowRankDelta Delta)> terms)
    {
        var shape = terms[0].Delta;
        foreach (var (_, delta) in terms)
            RequireSameShape(shape, delta);
        var used = terms.Where(t => t.Weight != 0).ToList();
        if (used.Count == 0)
            return Zero(shape.Out, shape.In);

        var rank = used.Sum(t => t.Delta.Rank);
        var b = new Matrix(shape.Out, rank, GC.AllocateUninitializedArray<double>(checked(shape.Out * rank)));
        var a = new Matrix(rank, shape.In, GC.AllocateUninitializedArray<double>(checked(rank * shape.In)));
        var offset = 0;
        foreach (var (weight, delta) in used)
        {
            for (var i = 0; i < shape.Out; i++)
                TensorPrimitives.Multiply(delta.B.Row(i), weight, b.Row(i).Slice(offset, delta.Rank));
            delta.A.Values.CopyTo(a.Values.AsSpan(offset * shape.In));
            offset += delta.Rank;
        }
        return new(b, a);
    }

    /// <summary>ΔW = 0 with rank 1, the smallest that servers accept.</summary>
    public static LowRankDelta Zero(int rows, int columns) => new(new Matrix(rows, 1), new Matrix(1, columns));

    private static void RequireSameShape(LowRankDelta first, LowRankDelta second)
    {
        if (first.Out != second.Out || first.In != second.In)
            throw new ArgumentException($"Deltas of shapes {first.Out}×{first.In} and {second.Out}×{second.In} have no common space.", nameof(second));
    }
}
