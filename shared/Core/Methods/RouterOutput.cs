using System.Numerics.Tensors;
using Marketplace.Core.Algebra;

namespace Marketplace.Core.Methods;

/// <summary>The change of a module's output for many tokens, by either combination; ΔW is never formed.</summary>
public static class RouterOutput
{
    /// <summary>Merge-after: row t is Σ cₑ·(xₜ·Aₑᵀ)·Bₑᵀ over the adapters that take the token, scalings inside B. Shape (T, out).</summary>
    /// <param name="tokens">Hidden states, shape (T, in).</param>
    /// <param name="routed">Who takes each of them.</param>
    /// <param name="deltas">ΔW of each expert, scaling in B; null where one lacks the module. At least one is there.</param>
    public static Matrix MergeAfter(Matrix tokens, RoutedTokens routed, IReadOnlyList<LowRankDelta?> deltas)
    {
        var y = new Matrix(tokens.Rows, deltas.First(d => d is not null)!.Out);
        Parallel.For(0, tokens.Rows, t =>
        {
            for (var i = t * routed.Width; i < (t + 1) * routed.Width; i++)
                Add(y.Row(t), routed.Coefficients[i], deltas[routed.Indices[i]]!.A, deltas[routed.Indices[i]]!.B, tokens.Row(t));
        });
        return y;
    }

    /// <summary>Merge-before: row t is s·(xₜ·Āᵀ)·B̄ᵀ with Ā = Σ cₑ·Aₑ and B̄ = Σ cₑ·Bₑ, of unscaled factors. Shape (T, out).</summary>
    /// <param name="tokens">Hidden states, shape (T, in).</param>
    /// <param name="routed">Who takes each of them.</param>
    /// <param name="factors">Unscaled factors of each expert; null where one lacks the module. At least one is there.</param>
    /// <param name="scaling">s, one for all, as the published code has it.</param>
    /// <exception cref="ArgumentException">The ranks differ.</exception>
    public static Matrix MergeBefore(Matrix tokens, RoutedTokens routed, IReadOnlyList<LowRankDelta?> factors, double scaling)
    {
        var shape = factors.First(d => d is not null)!;
        if (factors.Any(d => d is not null && d.Rank != shape.Rank))
            throw new ArgumentException("Factors are mixed entry by entry, which needs equal ranks.", nameof(factors));
        var y = new Matrix(tokens.Rows, shape.Out);
        Parallel.For(0, tokens.Rows, () => (A: new Matrix(shape.Rank, shape.In), B: new Matrix(shape.Out, shape.Rank)), (t, _, mean) =>
        {
            Array.Clear(mean.A.Values);
            Array.Clear(mean.B.Values);
            for (var i = t * routed.Width; i < (t + 1) * routed.Width; i++)
            {
                MatrixMath.AddScaled(factors[routed.Indices[i]]!.A.Values, routed.Coefficients[i], mean.A.Values);
                MatrixMath.AddScaled(factors[routed.Indices[i]]!.B.Values, routed.Coefficients[i], mean.B.Values);
            }

            Add(y.Row(t), scaling, mean.A, mean.B, tokens.Row(t));
            return mean;
        }, _ => { });
        return y;
    }

    // y += scale·B·(A·x).
    private static void Add(Span<double> y, double scale, Matrix a, Matrix b, ReadOnlySpan<double> x)
    {
        Span<double> z = a.Rows <= 256 ? stackalloc double[a.Rows] : new double[a.Rows];
        for (var j = 0; j < z.Length; j++)
            z[j] = TensorPrimitives.Dot(x, a.Row(j));
        for (var i = 0; i < y.Length; i++)
            y[i] += scale * TensorPrimitives.Dot<double>(b.Row(i), z);
    }
}
