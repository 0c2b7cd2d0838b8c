using System.Numerics.Tensors;
using Marketplace.Core.Algebra;

namespace Marketplace.Core.Methods;

/// <summary>
/// A library laid out for clustering. Published MBC describes each adapter by its row of S, the cosines with all n adapters. With S = E·Eᵀ and E (n, q) the squared
/// distance of two rows is (eᵢ − eⱼ)ᵀ(EᵀE)(eᵢ − eⱼ), so k-means on F = E·M with M·Mᵀ = EᵀE, in q dimensions, is k-means on the rows of S: same distances, same
/// inertia. S itself is never formed for a large library. E and F are determined up to a rotation.
/// </summary>
public sealed class MbcEmbedding
{
    /// <summary>Dimensions that published MBC keeps.</summary>
    public const int PublishedComponents = 64;

    private readonly Matrix? root;

    private MbcEmbedding(Matrix unit, Matrix points, double kept, Matrix? basis = null, Matrix? root = null) =>
        (Unit, Points, Kept, Basis, this.root) = (unit, points, kept, basis, root);

    /// <summary>E (n, q): rows of length 1, or of zeros for an adapter without a direction; eᵢ·eⱼ is the cosine.</summary>
    public Matrix Unit { get; }

    /// <summary>F (n, ·): what k-means partitions.</summary>
    public Matrix Points { get; }

    /// <summary>The share of Σ|x|² that the dimensions kept hold: 1 where all are kept.</summary>
    public double Kept { get; }

    /// <summary>V (q, d): the directions of sketch space that were kept; null where the library was not laid out from sketches.</summary>
    public Matrix? Basis { get; }

    /// <summary>M (q, q): takes a row of E to one of F; null where <see cref="Basis"/> is.</summary>
    public Matrix? Root => root;

    /// <summary>Number of adapters.</summary>
    public int Count => Unit.Rows;

    /// <summary>All dimensions, from cosines.</summary>
    /// <param name="cosines">S (n, n), symmetric with ones on its diagonal; F is S itself.</param>
    public static MbcEmbedding OfCosines(Matrix cosines) => new(Cholesky.Pivoted(cosines), cosines, 1);

    /// <summary>
    /// The published way: E = V·√Λ of the Gram matrix G = V·Λ·Vᵀ, only the largest <paramref name="components"/> kept, rows of E scaled to length 1. Up to that many
    /// adapters nothing is lost, and cosines are those of G.
    /// </summary>
    /// <param name="gram">G (n, n), inner products.</param>
    /// <param name="components">q.</param>
    public static MbcEmbedding OfGram(Matrix gram, int components = PublishedComponents)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(components, 1);
        if (gram.Rows <= components)
            return OfCosines(Gram.Cosines(gram));
        var (values, vectors) = TopEigen.Factor(gram, components);
        var rows = new Matrix(gram.Rows, values.Length);
        for (var i = 0; i < rows.Rows; i++)
            for (var q = 0; q < values.Length; q++)
                rows[i, q] = vectors[q, i] * Math.Sqrt(values[q]);
        var trace = Enumerable.Range(0, gram.Rows).Sum(i => gram[i, i]);
        return Of(rows, trace == 0 ? 1 : values.Sum() / trace, null);
    }

    /// <summary>From sketches: E holds their coordinates along the largest right singular vectors of X, scaled to length 1.</summary>
    /// <param name="sketches">X (n, d), one sketch per row; see <see cref="Analysis.AdapterSketch"/>. Scale rows to length 1 unless norms are to count, as they do in published MBC.</param>
    /// <param name="components">q; at most the rank of X is kept.</param>
    public static MbcEmbedding OfSketches(Matrix sketches, int components = PublishedComponents)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(components, 1);
        var (basis, kept) = Directions(sketches, components);
        return Of(BlockedProduct.TimesTransposed(sketches, basis), kept, basis);
    }

    /// <summary>The place of another sketch among the rows of <see cref="Points"/>.</summary>
    internal static double[] Place(ReadOnlySpan<double> sketch, Matrix basis, Matrix root)
    {
        var row = new Matrix(1, basis.Rows);
        for (var q = 0; q < basis.Rows; q++)
            row[0, q] = TensorPrimitives.Dot(sketch, basis.Row(q));
        Normalise(row);
        return MatrixMath.Times(row, root).Values;
    }

    /// <summary>Scales rows to length 1; rows of zeros stay.</summary>
    internal static void Normalise(Matrix rows)
    {
        for (var i = 0; i < rows.Rows; i++)
        {
            if (TensorPrimitives.Norm<double>(rows.Row(i)) is > 0 and var norm)
                TensorPrimitives.Divide(rows.Row(i), norm, rows.Row(i));
        }
    }

    private static MbcEmbedding Of(Matrix rows, double kept, Matrix? basis)
    {
        Normalise(rows);
        var columns = MatrixMath.Transpose(rows);
        var square = new Matrix(rows.Columns, rows.Columns);
        BlockedProduct.AddGram(columns.Values, rows.Rows, square);
        var root = Cholesky.Pivoted(square);
        return new(rows, BlockedProduct.TimesTransposed(rows, MatrixMath.Transpose(root)), kept, basis, root);
    }

    // Through the smaller of X·Xᵀ and Xᵀ·X, whose eigenvectors are the singular vectors of either side.
    private static (Matrix Basis, double Kept) Directions(Matrix x, int components)
    {
        var total = TensorPrimitives.SumOfSquares<double>(x.Values);
        Matrix basis;
        double[] values;
        if (x.Rows > x.Columns)
        {
            var square = new Matrix(x.Columns, x.Columns);
            BlockedProduct.AddGram(MatrixMath.Transpose(x).Values, x.Rows, square);
            (values, basis) = TopEigen.Factor(square, components);
        }
        else
        {
            var square = new Matrix(x.Rows, x.Rows);
            BlockedProduct.AddGram(x.Values, x.Columns, square);
            (values, var left) = TopEigen.Factor(square, components);
            basis = MatrixMath.Times(left, x);
            for (var q = 0; q < basis.Rows; q++)
            {
                if (values[q] > 0)
                    TensorPrimitives.Divide(basis.Row(q), Math.Sqrt(values[q]), basis.Row(q));
                if (MatrixMath.LargestIsNegative(basis.Row(q)))
                    MatrixMath.Negate(basis.Row(q));
            }
        }

        var rank = Math.Max(1, values.Count(v => v > 0));
        return (new Matrix(rank, x.Columns, basis.Values[..(rank * x.Columns)]), total == 0 ? 1 : Math.Min(1, values.Sum() / total));
    }
}
