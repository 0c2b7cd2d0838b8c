using CsCheck;
using Marketplace.Core;
using Marketplace.Core.Algebra;
using Xunit;

namespace Marketplace.Tests.Algebra;

public sealed class KMeansTests
{
    [Fact]
    public void The_optimum_of_small_grouped_sets_is_found() => Gen.Select(Gen.Int[5, 8], Gen.Int[1, 3], Gen.Int[0, 100_000]).Sample((n, k, seed) =>
    {
        var points = Adapters.Fill(new Matrix(n, 2), new Random(seed));
        for (var i = 0; i < n; i++)
            points[i, 0] += 8 * (i % k);
        var best = Partitions(n, k).Min(labels => Inertia(points, labels));
        Assert.Equal(best, KMeans.Run(points, k).Inertia, 1e-9 * Math.Max(1, best));
    }, iter: 50);

    [Fact]
    public void Every_point_is_nearest_to_the_mean_of_its_own_cluster() => Gen.Select(Gen.Int[4, 30], Gen.Int[1, 4], Gen.Int[0, 100_000]).Sample((n, k, seed) =>
    {
        var points = Adapters.Fill(new Matrix(n, 3), new Random(seed));
        var partition = KMeans.Run(points, k, starts: 2);
        Assert.Equal(Inertia(points, partition.Labels), partition.Inertia, 1e-9 * n);
        var distances = Enumerable.Range(0, n).Select(i => Enumerable.Range(0, k).Select(c =>
            Enumerable.Range(0, 3).Sum(d => (points[i, d] - partition.Centroids[c, d]) * (points[i, d] - partition.Centroids[c, d]))).ToList());
        Assert.All(distances.Zip(partition.Labels), p => Assert.True(p.First[p.Second] <= p.First.Min() + 1e-12));
    });

    [Fact]
    public void Separated_groups_are_recovered_with_clusters_numbered_by_first_appearance()
    {
        var random = new Random(3);
        var planted = Enumerable.Range(0, 40).Select(i => (i * 7 % 4 + 1) % 4).ToArray();
        var points = Adapters.Fill(new Matrix(40, 3), random);
        for (var i = 0; i < 40; i++)
            points[i, planted[i] % 3] += planted[i] < 3 ? 30 : -30;
        var labels = KMeans.Run(points, 4).Labels;
        Assert.Equal(1, AdjustedRand.Index(planted, labels));
        Assert.Equal([0, 1, 2, 3], labels.Distinct());
    }

    [Fact]
    public void The_same_seed_gives_the_same_bits()
    {
        var points = Adapters.Fill(new Matrix(60, 5), new Random(9));
        var (first, second) = (KMeans.Run(points, 6, 5), KMeans.Run(points, 6, 5));
        Assert.Equal(first.Labels, second.Labels);
        Assert.Equal(first.Centroids.Values, second.Centroids.Values);
        Assert.Equal(first.Inertia, second.Inertia);
    }

    [Fact]
    public void As_many_clusters_as_points_leave_no_distance()
    {
        var points = Adapters.Fill(new Matrix(6, 2), new Random(1));
        var partition = KMeans.Run(points, 6);
        Assert.Equal(0, partition.Inertia, 1e-20);
        Assert.Equal([0, 1, 2, 3, 4, 5], partition.Labels);
    }

    [Fact]
    public void Equal_points_are_no_trouble()
    {
        var partition = KMeans.Run(new Matrix(5, 2), 3);
        Assert.Equal(0, partition.Inertia);
        Assert.Equal(0, partition.Labels[0]);
        Assert.All(partition.Centroids.Values, x => Assert.Equal(0, x));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(4)]
    public void There_must_be_one_to_n_clusters(int k) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => KMeans.Run(new Matrix(3, 2), k));

    [Fact]
    public void Silhouette_of_a_worked_example()
    {
        double[] x = [0, 1, 10, 12];
        // a = 1, 1, 2, 2; b = 11, 10, 9.5, 11.5
        var expected = ((10 / 11d) + (9 / 10d) + (7.5 / 9.5) + (9.5 / 11.5)) / 4;
        Assert.Equal(expected, Silhouette.Mean([0, 0, 1, 1], (i, j) => Math.Abs(x[i] - x[j]))!.Value, 1e-15);
        Assert.Equal(((9 / 10d) + (8 / 9d)) / 3, Silhouette.Mean([0, 0, 1], (i, j) => Math.Abs(x[i] - x[j]))!.Value, 1e-15);
    }

    [Fact]
    public void Silhouette_is_undefined_for_one_cluster_or_only_single_points()
    {
        Assert.Null(Silhouette.Mean([0, 0, 0], (_, _) => 1));
        Assert.Null(Silhouette.Mean([0, 1, 2], (_, _) => 1));
    }

    private static IEnumerable<int[]> Partitions(int n, int k) =>
        Enumerable.Range(0, (int)Math.Pow(k, n)).Select(code => Enumerable.Range(0, n).Select(i => code / (int)Math.Pow(k, i) % k).ToArray());

    private static double Inertia(Matrix points, IReadOnlyList<int> labels) => labels.Distinct().Sum(c =>
    {
        var members = Enumerable.Range(0, labels.Count).Where(i => labels[i] == c).ToList();
        return Enumerable.Range(0, points.Columns).Sum(d =>
        {
            var mean = members.Average(i => points[i, d]);
            return members.Sum(i => (points[i, d] - mean) * (points[i, d] - mean));
        });
    });

    [Fact]
    public void Rounding_does_not_choose_among_partitions_of_equal_inertia()
    {
        // Orthogonal points: a cluster of two takes half of both squares, whichever two they are, so pairings tie.
        for (var seed = 0; seed < 20; seed++)
        {
            var random = new Random(seed);
            var (exact, noisy) = (new Matrix(8, 8), new Matrix(8, 8));
            for (var i = 0; i < 8; i++)
            {
                exact[i, i] = 1 + i;
                for (var j = 0; j < 8; j++)
                    noisy[i, j] = exact[i, j] + (1e-15 * (random.NextDouble() - 0.5));
            }

            Assert.Equal(KMeans.Run(exact, 4, (ulong)seed).Labels, KMeans.Run(noisy, 4, (ulong)seed).Labels);
        }
    }
}
