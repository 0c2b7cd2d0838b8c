using System.Numerics.Tensors;

namespace Marketplace.Core.Algebra;

/// <summary>
/// How well points sit in their clusters: the mean of (b − a) ∕ max(a, b), where a is a point's mean distance to the rest of its
/// cluster and b the smallest mean distance to another one (Rousseeuw 1987). 1 is perfect; a point alone in its cluster counts 0.
/// </summary>
public static class Silhouette
{
    /// <summary>The mean over all points; null unless there are at least 2 clusters and more points than clusters.</summary>
    /// <param name="labels">The cluster of each point.</param>
    /// <param name="distance">The distance between two points, by index.</param>
    public static double? Mean(IReadOnlyList<int> labels, Func<int, int, double> distance)
    {
        var sizes = Sizes(labels);
        if (!IsDefined(sizes, labels.Count))
            return null;
        var values = new double[labels.Count];
        var sums = new double[sizes.Length];
        for (var i = 0; i < values.Length; i++)
        {
            Array.Clear(sums);
            for (var j = 0; j < values.Length; j++)
            {
                if (j != i)
                    sums[labels[j]] += distance(i, j);
            }

            values[i] = Of(labels[i], sizes, sums);
        }

        return values.Average();
    }

    /// <summary>
    /// The silhouette of each point with 1 − cosine as the distance; null where <see cref="Mean(IReadOnlyList{int}, Func{int, int, double})"/> is null. The mean distance of a point to a cluster is
    /// 1 − ⟨e, mean of the cluster⟩, so all pairs count, without a pair being visited: O(n·k·dimensions).
    /// </summary>
    /// <param name="labels">The cluster of each point, from 0.</param>
    /// <param name="unit">Points of length 1 or 0, shape (n, dimensions).</param>
    public static double[]? OfDirections(IReadOnlyList<int> labels, Matrix unit)
    {
        var sizes = Sizes(labels);
        if (!IsDefined(sizes, labels.Count))
            return null;
        var totals = new Matrix(sizes.Length, unit.Columns);
        for (var i = 0; i < labels.Count; i++)
            MatrixMath.AddScaled(unit.Row(i), 1, totals.Row(labels[i]));
        var products = BlockedProduct.TimesTransposed(unit, totals);
        var values = new double[labels.Count];
        var sums = new double[sizes.Length];
        for (var i = 0; i < values.Length; i++)
        {
            for (var c = 0; c < sums.Length; c++)
                sums[c] = Math.Max(0, sizes[c] - products[i, c]);
            sums[labels[i]] = Math.Max(0, sizes[labels[i]] - 1 - (products[i, labels[i]] - TensorPrimitives.SumOfSquares<double>(unit.Row(i))));
            values[i] = Of(labels[i], sizes, sums);
        }

        return values;
    }

    private static int[] Sizes(IReadOnlyList<int> labels)
    {
        var sizes = new int[labels.Count == 0 ? 0 : labels.Max() + 1];
        foreach (var label in labels)
            sizes[label]++;
        return sizes;
    }

    private static bool IsDefined(int[] sizes, int points) => sizes.Count(s => s > 0) is >= 2 and var clusters && clusters < points;

    private static double Of(int own, int[] sizes, double[] sums)
    {
        if (sizes[own] == 1)
            return 0;
        var other = double.PositiveInfinity;
        for (var c = 0; c < sums.Length; c++)
        {
            if (c != own && sizes[c] > 0)
                other = Math.Min(other, sums[c] / sizes[c]);
        }

        var mean = sums[own] / (sizes[own] - 1);
        var larger = Math.Max(mean, other);
        return larger == 0 ? 0 : (other - mean) / larger;
    }
}
