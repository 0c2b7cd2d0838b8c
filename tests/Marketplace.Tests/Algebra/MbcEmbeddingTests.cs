using System.Text.Json;
using CsCheck;
using Marketplace.Core;
using Marketplace.Core.Algebra;
using Marketplace.Core.Analysis;
using Marketplace.Core.Methods;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Algebra;

/// <summary>The layout of a library for clustering: k-means on F must be k-means on the rows of S.</summary>
public sealed class MbcEmbeddingTests
{
    private static readonly Gen<(int N, int Dimensions, int Seed)> Any = Gen.Select(Gen.Int[3, 40], Gen.Int[1, 12], Gen.Int[0, 100_000]);

    [Fact]
    public void Distances_of_points_are_those_of_rows_of_cosines() => Any.Sample((n, dimensions, seed) =>
    {
        var sketches = Planted(n, 3, dimensions, 0.3, seed, out _);
        foreach (var library in new[] { MbcEmbedding.OfSketches(sketches, 64), MbcEmbedding.OfSketches(sketches, 2), MbcEmbedding.OfGram(Products(sketches), 2) })
        {
            var s = Products(library.Unit);
            for (var i = 0; i < n; i++)
                for (var j = 0; j < i; j++)
                    Assert.Equal(Distance(s, i, j), Distance(library.Points, i, j), 1e-9 * n);
        }
    }, iter: 60);

    [Fact]
    public void Partitions_and_inertia_are_those_of_rows_of_cosines() => Gen.Select(Gen.Int[8, 60], Gen.Int[2, 5], Gen.Int[0, 100_000]).Sample((n, k, seed) =>
    {
        var sketches = Planted(n, k, 10, 0.15, seed, out _);
        var library = MbcEmbedding.OfSketches(sketches, 64);
        var (short_, long_) = (Mbc.Run(library, k), KMeans.Run(Products(library.Unit), k, Mbc.DefaultSeed, Mbc.DefaultStarts));
        Assert.Equal(long_.Labels, short_.Labels);
        Assert.Equal(long_.Inertia, short_.Inertia, 1e-9 * Math.Max(1, long_.Inertia));
    }, iter: 60);

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void The_fixtures_recorded_inertia_is_reached_in_the_short_space(int variant)
    {
        using var file = PeftFiles.Open("mbc", $"variant{variant}", "expected.safetensors");
        var expected = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Fixtures.Root, "mbc", $"variant{variant}", "expected.json"))).RootElement;
        var cosines = PeftFiles.Matrix(file, "cos_delta");
        var planted = expected.GetProperty("planted").Deserialize<int[]>()!;
        // As sketches of unit length whose products are these cosines: the rows of a square root.
        var library = MbcEmbedding.OfSketches(MbcEmbedding.OfCosines(cosines).Unit, 64);
        var result = expected.GetProperty("results").GetProperty("delta").EnumerateObject().First(r => r.Name[0] == 'k' && r.Value.GetProperty("k").GetInt32() == 4).Value;
        var clustering = Mbc.Run(library, 4, starts: 50);
        Assert.Equal(1, AdjustedRand.Index(planted, clustering.Labels));
        Assert.Equal(result.GetProperty("inertia_best_of_200").GetDouble(), clustering.Inertia, 1e-6); // the recorded cosines are float32
        Assert.Equal(Mbc.Run(cosines, 4, starts: 50).Inertia, clustering.Inertia, 1e-6);
        Assert.Equal(4, Mbc.Choose(library).Best.Clusters.Length);
    }

    [Theory]
    [InlineData(150, 100)]
    [InlineData(260, 220)] // too large to be factored whole, on either side
    public void Fewer_components_than_adapters_are_the_truncated_singular_value_decomposition(int n, int dimensions)
    {
        var x = Planted(n, 6, dimensions, 0.5, 7, out _);
        var (fromGram, fromSketches) = (MbcEmbedding.OfGram(Products(x), 6), MbcEmbedding.OfSketches(x, 6));
        Assert.Equal((6, 6), (fromGram.Unit.Columns, fromSketches.Unit.Columns));
        var svd = LowRankSvd.Of(new LowRankDelta(x, Identity(dimensions)));
        var rows = new Matrix(n, 6);
        for (var i = 0; i < n; i++)
            for (var q = 0; q < 6; q++)
                rows[i, q] = svd.Ut[q, i] * svd.S[q];
        var expected = Gram.Cosines(Products(rows)).Values;
        Dense.AssertClose(expected, Gram.Cosines(Products(fromGram.Unit)).Values, 1e-7);
        Dense.AssertClose(expected, Gram.Cosines(Products(fromSketches.Unit)).Values, 1e-7);
        var energy = svd.S.Sum(s => s * s);
        Assert.Equal(svd.S.Take(6).Sum(s => s * s) / energy, fromGram.Kept, 1e-6);
        Assert.Equal(fromGram.Kept, fromSketches.Kept, 1e-6);
    }

    [Fact]
    public void Silhouettes_from_sums_equal_those_from_all_pairs() => Any.Sample((n, dimensions, seed) =>
    {
        var library = MbcEmbedding.OfSketches(Planted(n, 2, dimensions, 0.5, seed, out _), 64);
        var labels = KMeans.Run(library.Points, 2).Labels;
        var s = Products(library.Unit);
        var expected = Silhouette.Mean(labels, (i, j) => 1 - s[i, j]);
        Assert.Equal(expected is null, Silhouette.OfDirections(labels, library.Unit) is null);
        if (expected is { } mean)
            Assert.Equal(mean, Silhouette.OfDirections(labels, library.Unit)!.Average(), 1e-6);
    }, iter: 60);

    [Fact]
    public void Quality_of_clusters_is_what_their_pairs_say()
    {
        var library = MbcEmbedding.OfSketches(Planted(30, 3, 12, 0.4, 5, out _), 64);
        var s = Products(library.Unit);
        var clustering = Mbc.Run(library, 3);
        foreach (var cluster in clustering.Clusters)
        {
            var pairs = cluster.Members.SelectMany(i => cluster.Members.Where(j => j != i).Select(j => s[i, j]));
            Assert.Equal(pairs.Average(), cluster.Cohesion, 1e-9);
            var others = clustering.Clusters.Where(c => c != cluster).Select(c => cluster.Members.SelectMany(i => c.Members.Select(j => s[i, j])).Average()).ToList();
            Assert.Equal(others.Max(), cluster.Separation!.Value, 1e-9);
            Assert.Equal(cluster.Members.MaxBy(i => cluster.Members.Sum(j => s[i, j])), cluster.Medoid);
        }

        Assert.Equal(clustering.Silhouette!.Value, clustering.Clusters.Sum(c => c.Silhouette!.Value * c.Members.Length) / 30, 1e-9);
    }

    [Fact]
    public void A_map_shows_the_two_largest_principal_components()
    {
        // Four directions: two pairs far apart along one axis, and a little apart along another.
        double[][] points = [[1, 0.1, 0], [1, -0.1, 0], [-1, 0.1, 0], [-1, -0.1, 0]];
        var map = MbcMap.Of(MbcEmbedding.OfSketches(new Matrix(4, 3, [.. points.SelectMany(p => p)]), 64));
        var norm = Math.Sqrt(1.01);
        Assert.Equal([1 / norm, 1 / norm, 1 / norm, 1 / norm], map.X.Select(Math.Abs).Select(x => Math.Round(x, 12)).Select(x => x), (a, b) => Math.Abs(a - b) < 1e-9);
        Assert.All(map.Y, y => Assert.Equal(0.1 / norm, Math.Abs(y), 1e-9));
        Assert.Equal(map.X[0], map.X[1], 1e-9);
        Assert.Equal(-map.X[0], map.X[2], 1e-9);
        Assert.Equal(1 / 1.01, map.Explained.First, 1e-9);
        Assert.Equal(0.01 / 1.01, map.Explained.Second, 1e-9);
        var alike = MbcMap.Of(MbcEmbedding.OfSketches(new Matrix(3, 2, [1, 0, 1, 0, 1, 0]), 64));
        Assert.All(alike.X.Concat(alike.Y), x => Assert.Equal(0, x, 1e-12));
        Assert.Equal((0, 0), alike.Explained);
    }

    [Fact]
    public void A_placement_finds_the_cluster_of_members_and_of_newcomers_and_survives_storage()
    {
        var sketches = Planted(120, 6, AdapterSketch.Size, 0.6, 3, out var planted);
        var library = MbcEmbedding.OfSketches(sketches, 64);
        var clustering = Mbc.Run(library, 6);
        Assert.Equal(1, AdjustedRand.Index(planted, clustering.Labels));
        var fitted = MbcPlacement.Fit(sketches, library, clustering.Labels);
        var placement = MbcPlacement.Parse(fitted.ToBytes());
        Assert.Equal(6, placement.Clusters);
        for (var i = 0; i < 120; i++)
        {
            var placed = placement.Place(sketches.Row(i));
            Assert.Equal(clustering.Labels[i], placed.Cluster);
            Assert.False(placed.IsOutlier);
            Assert.Equal(fitted.Place(sketches.Row(i)).Cosine, placed.Cosine, 1e-5);
        }

        // The same centres, other noise.
        var more = Planted(240, 6, AdapterSketch.Size, 0.6, 3, out var labels);
        for (var i = 120; i < 240; i++)
        {
            var placed = placement.Place(more.Row(i));
            Assert.Equal(clustering.Labels[Array.IndexOf(labels, labels[i])], placed.Cluster);
            Assert.False(placed.IsOutlier);
        }

        var stranger = Adapters.Fill(new Matrix(1, AdapterSketch.Size), new Random(99));
        Assert.True(placement.Place(stranger.Row(0)).IsOutlier);
        Assert.InRange(placement.Place(stranger.Row(0)).Cosine, -0.2, 0.2);
        Assert.True(placement.Place(new double[AdapterSketch.Size]).IsOutlier);
    }

    internal static Matrix Planted(int n, int k, int dimensions, double noise, int seed, out int[] labels)
    {
        var centres = Adapters.Fill(new Matrix(k, dimensions), new Random(seed));
        MbcTestMath.Normalise(centres);
        var (points, random) = (new Matrix(n, dimensions), new Random(seed + 1));
        labels = new int[n];
        for (var i = 0; i < n; i++)
        {
            labels[i] = i % k;
            for (var d = 0; d < dimensions; d++)
                points[i, d] = centres[i % k, d] + (noise / Math.Sqrt(dimensions) * Adapters.Normal(random));
        }

        MbcTestMath.Normalise(points);
        return points;
    }

    private static Matrix Products(Matrix x) => MbcTestMath.Products(x);

    private static Matrix Identity(int n)
    {
        var identity = new Matrix(n, n);
        for (var i = 0; i < n; i++)
            identity[i, i] = 1;
        return identity;
    }

    private static double Distance(Matrix m, int i, int j) => Math.Sqrt(Enumerable.Range(0, m.Columns).Sum(c => (m[i, c] - m[j, c]) * (m[i, c] - m[j, c])));
}

/// <summary>Plain products, to compare with.</summary>
internal static class MbcTestMath
{
    public static Matrix Products(Matrix x)
    {
        var products = new Matrix(x.Rows, x.Rows);
        for (var i = 0; i < x.Rows; i++)
            for (var j = 0; j < x.Rows; j++)
                for (var c = 0; c < x.Columns; c++)
                    products[i, j] += x[i, c] * x[j, c];
        return products;
    }

    public static void Normalise(Matrix rows)
    {
        for (var i = 0; i < rows.Rows; i++)
        {
            var norm = Math.Sqrt(rows.Row(i).ToArray().Sum(x => x * x));
            for (var c = 0; c < rows.Columns; c++)
                rows[i, c] /= norm;
        }
    }
}
