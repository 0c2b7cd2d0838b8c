using Marketplace.Core.Algebra;

namespace Marketplace.Core.Merges;

/// <summary>The plain reference, in float64: what the functions compute with, and what the kernels must equal.</summary>
public sealed class ReferenceKernels : IMergeKernels
{
    private ReferenceKernels()
    {
    }

    /// <summary>The one instance; it has no state.</summary>
    public static ReferenceKernels Instance { get; } = new();

    /// <inheritdoc/>
    public Matrix Times(Matrix a, Matrix b) => MatrixMath.Times(a, b);

    /// <inheritdoc/>
    public Matrix TimesTransposed(Matrix a, Matrix b) => MatrixMath.TimesTransposed(a, b);

    /// <inheritdoc/>
    public Matrix TransposedTimes(Matrix a, Matrix b) => MatrixMath.TransposedTimes(a, b);

    /// <inheritdoc/>
    public (Matrix Q, Matrix R) Qr(Matrix a)
    {
        var qr = new ThinQr(MatrixMath.Transpose(a));
        var signs = new Matrix(qr.Rank, qr.Rank);
        for (var k = 0; k < qr.Rank; k++)
        {
            signs[k, k] = qr.R[k, k] < 0 ? -1 : 1;
            if (signs[k, k] < 0)
                MatrixMath.Negate(qr.R.Row(k));
        }

        return (MatrixMath.Transpose(qr.Apply(signs)), qr.R);
    }

    /// <inheritdoc/>
    public (Matrix Ut, double[] S, Matrix Vt) Svd(Matrix a)
    {
        var (ut, s, vt) = JacobiSvd.Factor(a);
        for (var i = 0; i < vt.Rows; i++)
        {
            if (!MatrixMath.LargestIsNegative(vt.Row(i)))
                continue;
            MatrixMath.Negate(vt.Row(i));
            MatrixMath.Negate(ut.Row(i));
        }

        return (ut, s, vt);
    }

    /// <inheritdoc/>
    public (double[] Values, Matrix Vectors) SymmetricEigen(Matrix a) => JacobiEigen.Factor(a);

    /// <inheritdoc/>
    public Matrix Gram(IReadOnlyList<LowRankDelta> deltas)
    {
        var gram = new Matrix(deltas.Count, deltas.Count);
        for (var i = 0; i < deltas.Count; i++)
            for (var j = 0; j <= i; j++)
                gram[i, j] = gram[j, i] = Deltas.Inner(deltas[i], deltas[j]);
        return gram;
    }

    /// <inheritdoc/>
    public Recompression Recompress(LowRankDelta delta, RankPolicy? policy) =>
        policy is null ? new(delta, [], Deltas.Norm(delta), 0) : Recompression.Of(delta, policy);

    /// <inheritdoc/>
    public void CountMagnitudes(LowRankDelta delta, int? upper, long[] counts)
    {
        var (row, rounded) = (new double[delta.In], new float[delta.In]);
        for (var i = 0; i < delta.Out; i++)
        {
            Array.Clear(row);
            for (var k = 0; k < delta.Rank; k++)
                MatrixMath.AddScaled(delta.A.Row(k), delta.B[i, k], row);
            for (var j = 0; j < row.Length; j++)
                rounded[j] = (float)row[j];
            MergePrepass.Count(rounded, upper, counts);
        }
    }

    /// <inheritdoc/>
    public Recompression Truncate(Matrix dense, RankPolicy policy, string stream, CancellationToken cancellation) =>
        SubspaceSvd.Truncate(dense, policy, policy.Rank ?? Math.Min(dense.Rows, dense.Columns), stream, cancellation).Factors;

    /// <inheritdoc/>
    public Recompression Elementwise(ElementwiseMerge merge, IReadOnlyList<ElementwiseInput> inputs, RankPolicy policy, CancellationToken cancellation)
    {
        var merged = DenseElementwise.Run(merge, [.. inputs.Select(i => MatrixMath.Times(i.Delta.B, i.Delta.A))], inputs);
        cancellation.ThrowIfCancellationRequested();
        return Recompression.OfDense(merged, policy);
    }
}
