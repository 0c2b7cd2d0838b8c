namespace Marketplace.Core.Algebra;

/// <summary>
/// A delta rewritten with as few ranks as a <see cref="RankPolicy"/> asks for: the best approximation of that rank (Eckart–Young),
/// split evenly, B = U√S and A = √S·Vt, which is the safest split for half precision.
/// </summary>
/// <param name="Delta">The result; a delta that vanishes becomes rank-1 zeros, since servers need a rank of at least 1.</param>
/// <param name="S">All singular values before anything was discarded.</param>
/// <param name="Norm">|ΔW| before.</param>
/// <param name="DiscardedNorm">|ΔW − result| = √Σ S² over the discarded values.</param>
public sealed record Recompression(LowRankDelta Delta, IReadOnlyList<double> S, double Norm, double DiscardedNorm)
{
    /// <summary>Recompresses B·A.</summary>
    /// <exception cref="NotFiniteNumberException">A factor holds NaN or infinity.</exception>
    public static Recompression Of(LowRankDelta delta, RankPolicy policy)
    {
        var svd = LowRankSvd.Of(delta);
        var kept = policy.Keep(svd.S, svd.Noise);
        return new(Split(svd, kept, delta.Out, delta.In), svd.S, Root(svd.S), Root(svd.S.Skip(kept)));
    }

    /// <summary>Factors a dense matrix, by its whole singular value decomposition: for small ones, and as the reference for large ones.</summary>
    /// <exception cref="NotFiniteNumberException">An entry is NaN or infinite.</exception>
    public static Recompression OfDense(Matrix dense, RankPolicy policy)
    {
        var tall = dense.Columns <= dense.Rows;
        var identity = new Matrix(Math.Min(dense.Rows, dense.Columns), Math.Min(dense.Rows, dense.Columns));
        for (var i = 0; i < identity.Rows; i++)
            identity[i, i] = 1;
        return Of(tall ? new(dense, identity) : new(identity, dense), policy);
    }

    /// <summary>The largest triples of a decomposition, the singular values split evenly.</summary>
    internal static LowRankDelta Split(LowRankSvd svd, int kept, int rows, int columns)
    {
        if (kept == 0)
            return Deltas.Zero(rows, columns);
        var (b, a) = (new Matrix(rows, kept), new Matrix(kept, columns));
        for (var k = 0; k < kept; k++)
        {
            var root = Math.Sqrt(svd.S[k]);
            for (var i = 0; i < rows; i++)
                b[i, k] = svd.Ut[k, i] * root;
            MatrixMath.AddScaled(svd.Vt.Row(k), root, a.Row(k));
        }
        return new(b, a);
    }

    private static double Root(IEnumerable<double> s) => Math.Sqrt(s.Reverse().Sum(x => x * x)); // smallest first
}
