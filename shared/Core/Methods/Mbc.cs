using System.Collections.Immutable;
using Marketplace.Core.Algebra;

namespace Marketplace.Core.Methods;

/// <summary>One cluster of a library.</summary>
/// <param name="Members">Indices of its adapters, ascending.</param>
/// <param name="Medoid">The member most similar to the others: largest sum of cosines, the first of equals.</param>
/// <param name="Centroid">The mean of the members' rows of similarities, one entry per adapter of the library.</param>
public sealed record Cluster(ImmutableArray<int> Members, int Medoid, ImmutableArray<double> Centroid);

/// <summary>A library's clusters.</summary>
/// <param name="Labels">The cluster of each adapter, numbered by first appearance.</param>
/// <param name="Clusters">The clusters.</param>
/// <param name="Inertia">Σ squared distances to the centroids, in the space of similarity rows.</param>
/// <param name="Silhouette">Mean silhouette with 1 − cosine as the distance; null where it is undefined.</param>
public sealed record Clustering(ImmutableArray<int> Labels, ImmutableArray<Cluster> Clusters, double Inertia, double? Silhouette);

/// <summary>
/// Model-based clustering (arXiv 2405.11157): each adapter is described by its similarities to all adapters of the library, and
/// these rows are clustered by k-means. Give the adapters in ordinal order of their names: cluster numbers follow from it.
/// </summary>
public static class Mbc
{
    /// <summary>The seed of the random starts unless another is given.</summary>
    public const ulong DefaultSeed = 42;

    /// <summary>Clusters a library into k.</summary>
    /// <param name="cosines">Similarities of all pairs, shape (n, n); see <see cref="Similarities"/>.</param>
    /// <param name="k">Number of clusters, 1 … n.</param>
    /// <param name="seed">Seed of the random starts.</param>
    /// <param name="starts">Number of starts of k-means.</param>
    public static Clustering Run(Matrix cosines, int k, ulong seed = DefaultSeed, int starts = 10)
    {
        var partition = KMeans.Run(cosines, k, seed, starts);
        var clusters = Enumerable.Range(0, partition.Labels.Max() + 1).Select(c =>
        {
            ImmutableArray<int> members = [.. Enumerable.Range(0, cosines.Rows).Where(i => partition.Labels[i] == c)];
            return new Cluster(members, members.MaxBy(i => members.Sum(j => cosines[i, j])), [.. partition.Centroids.Row(c)]);
        });
        var silhouette = Silhouette.Mean(partition.Labels, (i, j) => 1 - cosines[i, j]);
        return new(partition.Labels, [.. clusters], partition.Inertia, silhouette);
    }

    /// <summary>Clusters a library into the number of clusters from 2 to √(2n) (but at least 3) that has the best silhouette, the smallest of equals.</summary>
    /// <remarks>A library of one or two adapters is one cluster; an empty one has no clusters and is refused as by <see cref="Run"/>.</remarks>
    /// <param name="cosines">Similarities of all pairs, shape (n, n).</param>
    /// <param name="seed">Seed of the random starts.</param>
    /// <param name="starts">Number of starts of k-means.</param>
    public static Clustering RunWithBestSilhouette(Matrix cosines, ulong seed = DefaultSeed, int starts = 10)
    {
        var n = cosines.Rows;
        if (n < 3)
            return Run(cosines, 1, seed, starts);
        var most = Math.Min(n - 1, Math.Max(3, (int)Math.Sqrt(2 * n)));
        return Enumerable.Range(2, most - 1).Select(k => Run(cosines, k, seed, starts)).MaxBy(c => c.Silhouette ?? -1)!;
    }
}
