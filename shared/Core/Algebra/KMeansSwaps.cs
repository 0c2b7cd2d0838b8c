using System.Numerics.Tensors;

namespace Marketplace.Core.Algebra;

/// <summary>
/// Local search over centroids (Lattanzi and Sohler 2019). Where k is large, restarts hardly ever find all groups: some centroid serves two, another shares one. A point
/// drawn with probability proportional to its squared distance often lies in a group that goes short; if some centroid can be spared for it, they change places.
/// </summary>
internal static class KMeansSwaps
{
    /// <summary>Better centroids than a partition's, to go on from; null if none were found.</summary>
    /// <param name="points">Shape (n, dimensions).</param>
    /// <param name="partition">Where to start.</param>
    /// <param name="attempts">Points drawn.</param>
    /// <param name="random">Draws them.</param>
    public static Matrix? Improve(Matrix points, Partition partition, int attempts, Philox random)
    {
        var (n, k) = (points.Rows, partition.Centroids.Rows);
        if (k < 2)
            return null;
        var centroids = new Matrix(k, points.Columns, [.. partition.Centroids.Values]);
        var (first, second) = (new int[n], new int[n]);
        var (near, next, distance) = (new double[n], new double[n], new double[n]);
        KMeans.Each(points, k, Nearest);
        var swapped = false;
        var spared = new double[k];
        for (var attempt = 0; attempt < attempts; attempt++)
        {
            var candidate = KMeans.Draw(near, random);
            KMeans.Each(points, 1, i => distance[i] = KMeans.SquaredDistance(points.Row(i), points.Row(candidate)));
            var (before, after) = (TensorPrimitives.Sum<double>(near), 0d);
            Array.Clear(spared);
            for (var i = 0; i < n; i++)
            {
                var with = Math.Min(near[i], distance[i]);
                after += with;
                spared[first[i]] += Math.Min(next[i], distance[i]) - with; // what it costs to do without its centroid
            }

            var cheapest = TensorPrimitives.IndexOfMin<double>(spared);
            if (after + spared[cheapest] >= before * (1 - KMeans.Tie))
                continue;
            swapped = true;
            points.Row(candidate).CopyTo(centroids.Row(cheapest));
            KMeans.Each(points, 1, i =>
            {
                if (first[i] == cheapest || second[i] == cheapest)
                    Nearest(i);
                else if (distance[i] < near[i])
                    (second[i], next[i], first[i], near[i]) = (first[i], near[i], cheapest, distance[i]);
                else if (distance[i] < next[i])
                    (second[i], next[i]) = (cheapest, distance[i]);
            });
        }

        return swapped ? centroids : null;

        void Nearest(int i)
        {
            (near[i], next[i]) = (double.PositiveInfinity, double.PositiveInfinity);
            for (var c = 0; c < k; c++)
            {
                var d = KMeans.SquaredDistance(points.Row(i), centroids.Row(c));
                if (d < near[i])
                    (second[i], next[i], first[i], near[i]) = (first[i], near[i], c, d);
                else if (d < next[i])
                    (second[i], next[i]) = (c, d);
            }
        }
    }
}
