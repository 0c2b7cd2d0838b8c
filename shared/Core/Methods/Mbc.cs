using System.Collections.Immutable;
using System.Numerics.Tensors;
using Marketplace.Core.Algebra;

namespace Marketplace.Core.Methods;

/// <summary>One cluster of a library.</summary>
/// <param name="Members">Indices of its adapters, ascending.</param>
/// <param name="Medoid">The member most similar to the others: largest sum of cosines, the first of equals.</param>
/// <param name="Centroid">The mean of the members' points: rows of similarities, or a rotation of them; see <see cref="MbcEmbedding"/>.</param>
/// <param name="Cohesion">The mean cosine of two of its members; 1 for a single one.</param>
/// <param name="Separation">The mean cosine of its members with those of the nearest other cluster; null where there is no other.</param>
/// <param name="Nearest">The index of that cluster.</param>
/// <param name="Silhouette">The mean silhouette of its members; null where silhouettes are undefined.</param>
public sealed record Cluster(
    ImmutableArray<int> Members, int Medoid, ImmutableArray<double> Centroid, double Cohesion = 1, double? Separation = null, int? Nearest = null, double? Silhouette = null);

/// <summary>A library's clusters.</summary>
/// <param name="Labels">The cluster of each adapter, numbered by first appearance.</param>
/// <param name="Clusters">The clusters.</param>
/// <param name="Inertia">Σ squared distances to the centroids, in the space of similarity rows.</param>
/// <param name="Silhouette">Mean silhouette with 1 − cosine as the distance; null where it is undefined.</param>
public sealed record Clustering(ImmutableArray<int> Labels, ImmutableArray<Cluster> Clusters, double Inertia, double? Silhouette);

/// <summary>How well one number of clusters fits.</summary>
/// <param name="K">Number of clusters.</param>
/// <param name="Inertia">See <see cref="Clustering.Inertia"/>.</param>
/// <param name="Silhouette">See <see cref="Clustering.Silhouette"/>.</param>
public sealed record CurvePoint(int K, double Inertia, double? Silhouette);

/// <summary>
/// Model-based clustering (arXiv 2405.11157): each adapter is described by its similarities to all adapters of the library, and
/// these rows are clustered by k-means. Give the adapters in ordinal order of their names: cluster numbers follow from it.
/// </summary>
public static class Mbc
{
    /// <summary>The seed of the random starts unless another is given.</summary>
    public const ulong DefaultSeed = 42;

    /// <summary>Starts of k-means unless another number is given, as published.</summary>
    public const int DefaultStarts = 10;

    /// <summary>Libraries up to this size have every number of clusters tried; larger ones some, ever farther apart, and then those between the best and its neighbours.</summary>
    public const int EveryKUpTo = 256;

    private const int CurveStarts = 2; // of the numbers that a large library is tried with
    private const int SwapsAtLeast = 32;
    private const int Refinements = 8;
    private const double Tie = 1e-9;

    /// <summary>Clusters a library into k.</summary>
    /// <param name="cosines">Similarities of all pairs, shape (n, n); see <see cref="Similarities"/>.</param>
    /// <param name="k">Number of clusters, 1 … n.</param>
    /// <param name="seed">Seed of the random starts.</param>
    /// <param name="starts">Number of starts of k-means.</param>
    public static Clustering Run(Matrix cosines, int k, ulong seed = DefaultSeed, int starts = DefaultStarts) =>
        Run(MbcEmbedding.OfCosines(cosines), k, seed, starts);

    /// <summary>Clusters a library into k.</summary>
    /// <param name="library">The library.</param>
    /// <param name="k">Number of clusters, 1 … n.</param>
    /// <param name="seed">Seed of the random starts.</param>
    /// <param name="starts">Number of starts of k-means.</param>
    public static Clustering Run(MbcEmbedding library, int k, ulong seed = DefaultSeed, int starts = DefaultStarts) =>
        Describe(library, Partition(library, k, seed, starts));

    /// <summary>Clusters a library into the number of clusters from 2 to √(2n) (but at least 3) that has the best silhouette, the smallest of equals.</summary>
    /// <remarks>A library of one or two adapters is one cluster; an empty one has no clusters and is refused as by <see cref="Run(Matrix, int, ulong, int)"/>.</remarks>
    /// <param name="cosines">Similarities of all pairs, shape (n, n).</param>
    /// <param name="seed">Seed of the random starts.</param>
    /// <param name="starts">Number of starts of k-means.</param>
    public static Clustering RunWithBestSilhouette(Matrix cosines, ulong seed = DefaultSeed, int starts = DefaultStarts) =>
        Choose(MbcEmbedding.OfCosines(cosines), seed, starts).Best;

    /// <summary>The same, with the curve of silhouette and inertia from which the number was chosen, by number of clusters.</summary>
    /// <param name="library">The library.</param>
    /// <param name="seed">Seed of the random starts.</param>
    /// <param name="starts">Starts of k-means for what is returned; a large library's other numbers are tried with 2.</param>
    /// <param name="tried">Told each number when it was tried, and how many will be at most.</param>
    public static (Clustering Best, ImmutableArray<CurvePoint> Curve) Choose(
        MbcEmbedding library, ulong seed = DefaultSeed, int starts = DefaultStarts, Action<int, int>? tried = null)
    {
        var n = library.Count;
        if (n < 3)
        {
            var only = Run(library, 1, seed, starts);
            return (only, [new(1, only.Inertia, only.Silhouette)]);
        }

        var most = Math.Min(n - 1, Math.Max(3, (int)Math.Sqrt(2 * n)));
        var found = new SortedDictionary<int, (double Inertia, double? Silhouette, Partition Partition)>();
        var every = n <= EveryKUpTo;
        int[] grid = every ? [.. Enumerable.Range(2, most - 1)] : Grid(most);
        foreach (var k in grid)
            Try(k);
        // The best silhouette of the grid lies between its neighbours; halving both gaps again and again finds the peak that a single one has.
        for (var refinement = 0; !every && refinement < Refinements; refinement++)
        {
            var tries = found.Keys.ToList();
            var best = tries.IndexOf(Best());
            var before = best > 0 ? tries[best] - ((tries[best] - tries[best - 1]) / 2) : tries[best];
            var after = best < tries.Count - 1 ? tries[best] + ((tries[best + 1] - tries[best]) / 2) : tries[best];
            if (before == tries[best] && after == tries[best])
                break;
            Try(before);
            Try(after);
        }

        var chosen = Best();
        var result = every ? Describe(library, found[chosen].Partition) : Run(library, chosen, seed, starts);
        found[chosen] = (result.Inertia, result.Silhouette, found[chosen].Partition);
        return (result, [.. found.Select(f => new CurvePoint(f.Key, f.Value.Inertia, f.Value.Silhouette))]);

        void Try(int k)
        {
            if (found.ContainsKey(k))
                return;
            var partition = Partition(library, k, seed, every ? starts : Math.Min(starts, CurveStarts));
            found[k] = (partition.Inertia, Silhouette.OfDirections(partition.Labels, library.Unit)?.Average(), partition);
            tried?.Invoke(found.Count, grid.Length + (every ? 0 : 2 * Refinements));
        }

        int Best() => found.MaxBy(f => f.Value.Silhouette ?? -1).Key;
    }

    // Ten starts find the optimum of a small library; with many clusters they need help.
    private static Partition Partition(MbcEmbedding library, int k, ulong seed, int starts) =>
        KMeans.Run(library.Points, k, seed, starts, swaps: library.Count <= EveryKUpTo ? 0 : SwapsAtLeast + (2 * k));

    /// <summary>2 … <paramref name="most"/>, each about √2 times the one before.</summary>
    private static int[] Grid(int most)
    {
        var grid = new SortedSet<int> { 2, 3 };
        for (double k = most; k > 3; k /= Math.Sqrt(2))
            grid.Add((int)Math.Round(k));
        return [.. grid];
    }

    private static Clustering Describe(MbcEmbedding library, Partition partition)
    {
        var unit = library.Unit;
        var k = partition.Labels.Max() + 1;
        var members = new List<int>[k];
        var totals = new Matrix(k, unit.Columns);
        for (var i = 0; i < unit.Rows; i++)
        {
            (members[partition.Labels[i]] ??= []).Add(i);
            MatrixMath.AddScaled(unit.Row(i), 1, totals.Row(partition.Labels[i]));
        }

        var between = BlockedProduct.TimesTransposed(totals, totals);
        var silhouettes = Silhouette.OfDirections(partition.Labels, unit);
        var clusters = ImmutableArray.CreateBuilder<Cluster>(k);
        for (var c = 0; c < k; c++)
        {
            var size = members[c].Count;
            var lengths = members[c].Sum(i => TensorPrimitives.SumOfSquares<double>(unit.Row(i)));
            var (nearest, separation) = (-1, double.NegativeInfinity);
            for (var other = 0; other < k; other++)
            {
                var mean = between[c, other] / ((double)size * members[other].Count);
                if (other != c && mean > separation)
                    (nearest, separation) = (other, mean);
            }

            clusters.Add(new(
                [.. members[c]], Medoid(unit, members[c], totals.Row(c)), [.. partition.Centroids.Row(c)],
                size == 1 ? 1 : Math.Clamp((between[c, c] - lengths) / ((double)size * (size - 1)), -1, 1),
                nearest < 0 ? null : separation, nearest < 0 ? null : nearest,
                silhouettes is null ? null : members[c].Average(i => silhouettes[i])));
        }

        return new(partition.Labels, clusters.MoveToImmutable(), partition.Inertia, silhouettes?.Average());
    }

    // Σ over members of the cosine with one of them is its product with their sum.
    private static int Medoid(Matrix unit, List<int> members, ReadOnlySpan<double> total)
    {
        var (medoid, most) = (members[0], double.NegativeInfinity);
        foreach (var i in members)
        {
            var sum = TensorPrimitives.Dot<double>(unit.Row(i), total);
            if (sum > most + (Tie * members.Count))
                (medoid, most) = (i, sum);
        }

        return medoid;
    }
}
