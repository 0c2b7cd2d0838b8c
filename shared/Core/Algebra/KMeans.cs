using System.Buffers;
using System.Collections.Immutable;
using System.Numerics.Tensors;

namespace Marketplace.Core.Algebra;

/// <summary>A partition of points into k clusters.</summary>
/// <param name="Labels">The cluster of each point, numbered by first appearance.</param>
/// <param name="Centroids">The mean of each cluster, shape (k, dimensions).</param>
/// <param name="Inertia">Σ squared distances of the points to their centroids.</param>
public sealed record Partition(ImmutableArray<int> Labels, Matrix Centroids, double Inertia);

/// <summary>
/// K-means: greedy k-means++ seeding, then Lloyd's iteration until no label changes, from several starts; the lowest inertia wins,
/// the earlier start among equals. A cluster that runs empty takes over the point farthest from its centroid.
/// </summary>
public static class KMeans
{
    private const int MaxIterations = 300;

    internal const double Tie = 1e-10; // relative; closer sums of squares count as equal

    private const double Rounding = 1e-12; // of products, relative to the squares they stand for; a hundred times what is met

    private const int Batch = 256; // points that one task assigns

    private const long WorthThreads = 1_000_000; // multiplications

    /// <summary>Partitions the rows of <paramref name="points"/>.</summary>
    /// <param name="points">Shape (n, dimensions).</param>
    /// <param name="k">Number of clusters, 1 … n.</param>
    /// <param name="seed">Seed of the random starts.</param>
    /// <param name="starts">Number of starts.</param>
    /// <param name="stream">What the partition is for: uses of one seed for different things draw different numbers.</param>
    /// <param name="swaps">How often the best start is to be improved by exchanging a centroid for a point; see <see cref="KMeansSwaps"/>.</param>
    public static Partition Run(Matrix points, int k, ulong seed = 42, int starts = 10, string stream = "k-means", int swaps = 0)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(k, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(k, points.Rows);
        ArgumentOutOfRangeException.ThrowIfLessThan(starts, 1);
        var best = Enumerable.Range(0, starts)
            .Select(start => Lloyd(points, Seed(points, k, new Philox(seed, $"{stream} start {start}"))))
            .Aggregate((best, next) => IsBetter(next, best) ? next : best);
        if (swaps == 0 || KMeansSwaps.Improve(points, best, swaps, new Philox(seed, $"{stream} swaps")) is not { } centroids)
            return best;
        var improved = Lloyd(points, centroids);
        return IsBetter(improved, best) ? improved : best;
    }

    // Points that are orthogonal to each other, as singular vectors are, have many partitions of one and the same inertia: rounding must not choose among them.
    private static bool IsBetter(Partition next, Partition best) =>
        next.Inertia < best.Inertia * (1 - Tie)
        || (next.Inertia <= best.Inertia * (1 + Tie) && next.Labels.AsSpan().SequenceCompareTo(best.Labels.AsSpan()) < 0);

    // Each next centre is the best of a few candidates drawn with probability proportional to the squared distance.
    private static Matrix Seed(Matrix points, int k, Philox random)
    {
        var centroids = new Matrix(k, points.Columns);
        var nearest = Enumerable.Repeat(double.PositiveInfinity, points.Rows).ToArray();
        var (trial, best) = (new double[points.Rows], new double[points.Rows]);
        var candidates = 2 + (int)Math.Log(k);
        for (var c = 0; c < k; c++)
        {
            var (chosen, least) = (-1, 0d);
            for (var attempt = 0; attempt < (c == 0 ? 1 : candidates); attempt++)
            {
                var candidate = c == 0 ? random.NextIndex(points.Rows) : Draw(nearest, random);
                Each(points, 1, i => trial[i] = Math.Min(nearest[i], SquaredDistance(points.Row(i), points.Row(candidate))));
                var sum = TensorPrimitives.Sum<double>(trial);
                if (chosen >= 0 && sum >= least * (1 - Tie))
                    continue;
                (chosen, least) = (candidate, sum);
                (trial, best) = (best, trial);
            }

            (nearest, best) = (best, nearest);
            points.Row(chosen).CopyTo(centroids.Row(c));
        }
        return centroids;
    }

    internal static int Draw(double[] weights, Philox random)
    {
        var target = random.NextDouble() * weights.Sum();
        for (var i = 0; i < weights.Length; i++)
        {
            target -= weights[i];
            if (target < 0)
                return i;
        }
        return weights.Length - 1;
    }

    private static Partition Lloyd(Matrix points, Matrix centroids)
    {
        var labels = new int[points.Rows];
        var distances = new double[points.Rows];
        Assign(points, centroids, labels, distances);
        for (var iteration = 0; iteration < MaxIterations; iteration++)
        {
            Relocate(labels, distances, centroids.Rows);
            Average(points, labels, centroids);
            if (!Assign(points, centroids, labels, distances))
                break;
        }
        return Renumber(labels, centroids, distances.Sum());
    }

    // A product of matrices finds which centroids can be nearest; among those that rounding might exchange, the distance itself decides, and the first of equals.
    private static bool Assign(Matrix points, Matrix centroids, int[] labels, double[] distances)
    {
        var (k, columns) = (centroids.Rows, points.Columns);
        var halves = new double[k]; // |c|² ∕ 2
        for (var c = 0; c < k; c++)
            halves[c] = TensorPrimitives.SumOfSquares<double>(centroids.Row(c)) / 2;
        var largest = TensorPrimitives.Max<double>(halves);
        var changed = 0;
        var batches = (points.Rows + Batch - 1) / Batch;
        For(batches, (long)points.Rows * k * columns, batch =>
        {
            var first = batch * Batch;
            var rows = Math.Min(Batch, points.Rows - first);
            var products = ArrayPool<double>.Shared.Rent(rows * k);
            BlockedProduct.TimesTransposed(points.Values.AsSpan(first * columns, rows * columns), rows, centroids.Values, k, columns, products);
            for (var i = first; i < first + rows; i++)
            {
                var scores = products.AsSpan((i - first) * k, k); // ⟨x, c⟩ − |c|² ∕ 2: largest where the distance is smallest
                TensorPrimitives.Subtract(scores, halves, scores);
                var margin = Rounding * (TensorPrimitives.SumOfSquares<double>(points.Row(i)) + largest);
                var floor = TensorPrimitives.Max<double>(scores) - margin;
                var (best, distance) = (0, double.PositiveInfinity);
                for (var c = 0; c < k; c++)
                {
                    if (scores[c] < floor)
                        continue;
                    var d = SquaredDistance(points.Row(i), centroids.Row(c));
                    if (d < distance)
                        (best, distance) = (c, d);
                }

                if (labels[i] != best)
                    Volatile.Write(ref changed, 1);
                (labels[i], distances[i]) = (best, distance);
            }

            ArrayPool<double>.Shared.Return(products);
        });
        return changed != 0;
    }

    private static void Relocate(int[] labels, double[] distances, int k)
    {
        var sizes = new int[k];
        foreach (var label in labels)
            sizes[label]++;
        for (var c = 0; c < k; c++)
        {
            if (sizes[c] > 0)
                continue;
            var farthest = Enumerable.Range(0, labels.Length).Where(i => sizes[labels[i]] > 1).MaxBy(i => distances[i]);
            sizes[labels[farthest]]--;
            (labels[farthest], distances[farthest], sizes[c]) = (c, 0, 1);
        }
    }

    private static void Average(Matrix points, int[] labels, Matrix centroids)
    {
        Array.Clear(centroids.Values);
        var sizes = new int[centroids.Rows];
        for (var i = 0; i < labels.Length; i++)
        {
            MatrixMath.AddScaled(points.Row(i), 1, centroids.Row(labels[i]));
            sizes[labels[i]]++;
        }
        for (var c = 0; c < sizes.Length; c++)
            TensorPrimitives.Divide(centroids.Row(c), sizes[c], centroids.Row(c));
    }

    private static Partition Renumber(int[] labels, Matrix centroids, double inertia)
    {
        var order = labels.Distinct().ToList();
        order.AddRange(Enumerable.Range(0, centroids.Rows).Except(order)); // clusters left empty by duplicate points
        var renumbered = new Matrix(centroids.Rows, centroids.Columns);
        for (var c = 0; c < order.Count; c++)
            centroids.Row(order[c]).CopyTo(renumbered.Row(c));
        var numbers = new int[centroids.Rows];
        for (var c = 0; c < order.Count; c++)
            numbers[order[c]] = c;
        return new([.. labels.Select(l => numbers[l])], renumbered, inertia);
    }

    internal static double SquaredDistance(ReadOnlySpan<double> x, ReadOnlySpan<double> y)
    {
        var distance = TensorPrimitives.Distance(x, y);
        return distance * distance;
    }

    internal static void Each(Matrix points, int centroids, Action<int> body)
    {
        var batches = (points.Rows + Batch - 1) / Batch;
        For(batches, (long)points.Values.Length * centroids, batch =>
        {
            for (var i = batch * Batch; i < Math.Min(points.Rows, (batch + 1) * Batch); i++)
                body(i);
        });
    }

    // Points are independent of each other, so threads change no bit; a few are not worth waking one.
    private static void For(int batches, long work, Action<int> body)
    {
        if (work >= WorthThreads)
            Parallel.For(0, batches, body);
        else
            for (var batch = 0; batch < batches; batch++)
                body(batch);
    }
}
