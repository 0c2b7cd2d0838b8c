using System.Collections.Immutable;
using Marketplace.Core.Algebra;

namespace Marketplace.Core.Methods;

/// <summary>
/// A library in two dimensions: the principal components of E (classical scaling of the cosines), so that distances in the picture are those part of √(2 − 2·cosine)
/// that two axes can show.
/// </summary>
/// <param name="X">First coordinate of each adapter.</param>
/// <param name="Y">Second coordinate.</param>
/// <param name="Explained">The shares of Σ|e − mean|² that the two axes show.</param>
public sealed record MbcMap(ImmutableArray<double> X, ImmutableArray<double> Y, (double First, double Second) Explained)
{
    /// <summary>Draws up the map of a library. The sign of each axis is such that its largest loading is positive.</summary>
    public static MbcMap Of(MbcEmbedding library)
    {
        var unit = library.Unit;
        var mean = new double[unit.Columns];
        for (var i = 0; i < unit.Rows; i++)
            MatrixMath.AddScaled(unit.Row(i), 1.0 / unit.Rows, mean);
        var centred = new Matrix(unit.Rows, unit.Columns);
        for (var i = 0; i < unit.Rows; i++)
        {
            unit.Row(i).CopyTo(centred.Row(i));
            MatrixMath.AddScaled(mean, -1, centred.Row(i));
        }

        var covariance = new Matrix(unit.Columns, unit.Columns);
        BlockedProduct.AddGram(MatrixMath.Transpose(centred).Values, unit.Rows, covariance);
        var (values, axes) = TopEigen.Factor(covariance, 2);
        var total = Enumerable.Range(0, covariance.Rows).Sum(i => covariance[i, i]);
        var places = BlockedProduct.TimesTransposed(centred, axes);
        return new(
            [.. Enumerable.Range(0, unit.Rows).Select(i => places[i, 0])],
            [.. Enumerable.Range(0, unit.Rows).Select(i => axes.Rows > 1 ? places[i, 1] : 0)],
            total <= 1e-12 * unit.Rows ? (0, 0) : (values[0] / total, values.Length > 1 ? values[1] / total : 0));
    }
}
