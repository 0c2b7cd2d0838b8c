using System.Numerics.Tensors;
using Marketplace.Core.Algebra;

namespace Marketplace.Core.Merges;

/// <summary>
/// Combinations of ΔW with a coefficient for each input and row, or column: they scale rows of B, or columns of A, so that the result has rank Σ rₑ as any
/// weighted sum has.
/// </summary>
internal static class RowSpan
{
    private const double Noise = 1e-14; // share of |row of B|·|A| below which a row of B·A is rounding

    /// <summary>Row i of the result is Σ cₑ·(row i of ΔWₑ), with c from the inner products of the inputs' rows i.</summary>
    /// <param name="step">The module of the merge.</param>
    /// <param name="kernels">Who computes.</param>
    /// <param name="coefficients">From a Gram matrix (K, K) to K coefficients; a missing module has zeros there.</param>
    public static Recompression Combine(MergeStep step, IMergeKernels kernels, Func<Matrix, double[]> coefficients)
    {
        var scaled = Scale([.. step.Inputs.Select(i => i.Delta)], kernels, coefficients);
        return Sum(step, kernels, scaled);
    }

    /// <summary>The same for columns.</summary>
    /// <param name="step">The module of the merge.</param>
    /// <param name="kernels">Who computes.</param>
    /// <param name="coefficients">From a Gram matrix (K, K) to K coefficients; a missing module has zeros there.</param>
    public static Recompression CombineColumns(MergeStep step, IMergeKernels kernels, Func<Matrix, double[]> coefficients)
    {
        var scaled = Scale([.. step.Inputs.Select(i => Transposed(i.Delta))], kernels, coefficients);
        return Sum(step, kernels, Array.ConvertAll(scaled, Transposed));
    }

    private static Recompression Sum(MergeStep step, IMergeKernels kernels, LowRankDelta?[] scaled)
    {
        var inputs = step.Inputs.Zip(scaled, (input, delta) => input with { Delta = delta });
        return (step with { Inputs = [.. inputs] }).Combine([.. scaled.Select(_ => 1d)], kernels);
    }

    private static LowRankDelta?[] Scale(LowRankDelta?[] deltas, IMergeKernels kernels, Func<Matrix, double[]> coefficients)
    {
        var rows = Coordinates(deltas, kernels);
        var scaled = Array.ConvertAll(deltas, d => d is null ? null : d with { B = new Matrix(d.Out, d.Rank) });
        var gram = new Matrix(deltas.Length, deltas.Length);
        for (var i = 0; i < deltas.First(d => d is not null)!.Out; i++)
        {
            for (var e = 0; e < deltas.Length; e++)
                for (var f = 0; f <= e; f++)
                    gram[e, f] = gram[f, e] = rows[e] is { } x && rows[f] is { } y ? TensorPrimitives.Dot<double>(x.Row(i), y.Row(i)) : 0;
            var c = coefficients(gram);
            for (var e = 0; e < deltas.Length; e++)
            {
                if (deltas[e] is { } delta)
                    TensorPrimitives.Multiply(delta.B.Row(i), c[e], scaled[e]!.B.Row(i));
            }
        }

        return scaled;
    }

    /// <summary>
    /// The rows of every ΔWₑ = Bₑ·Aₑ in one orthonormal basis of all Aₑ: with [A₁; A₂; …]ᵀ = Q·[R₁, R₂, …] they are Bₑ·Rₑᵀ, shape (out, k). Their inner
    /// products are exact where those through Aₑ·A_fᵀ would lose half the digits. Rows that vanish to rounding are zero.
    /// </summary>
    private static Matrix?[] Coordinates(LowRankDelta?[] deltas, IMergeKernels kernels)
    {
        var present = deltas.OfType<LowRankDelta>().ToList();
        var stacked = new Matrix(present.Sum(d => d.Rank), present[0].In, [.. present.SelectMany(d => d.A.Values)]);
        var (_, r) = kernels.Qr(MatrixMath.Transpose(stacked));
        var offset = 0;
        return Array.ConvertAll(deltas, delta =>
        {
            if (delta is null)
                return null;
            var own = new Matrix(r.Rows, delta.Rank);
            for (var k = 0; k < r.Rows; k++)
                r.Row(k).Slice(offset, delta.Rank).CopyTo(own.Row(k));
            offset += delta.Rank;
            var rows = kernels.TimesTransposed(delta.B, own);
            var size = TensorPrimitives.Norm<double>(delta.A.Values);
            for (var i = 0; i < rows.Rows; i++)
            {
                if (TensorPrimitives.Norm<double>(rows.Row(i)) <= Noise * size * TensorPrimitives.Norm<double>(delta.B.Row(i)))
                    rows.Row(i).Clear();
            }

            return rows;
        });
    }

    private static LowRankDelta? Transposed(LowRankDelta? delta) =>
        delta is null ? null : new(MatrixMath.Transpose(delta.A), MatrixMath.Transpose(delta.B));
}
