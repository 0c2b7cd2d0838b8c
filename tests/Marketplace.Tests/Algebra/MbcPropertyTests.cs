using CsCheck;
using Marketplace.Core;
using Marketplace.Core.Algebra;
using Marketplace.Core.Methods;
using Xunit;

namespace Marketplace.Tests.Algebra;

/// <summary>What must hold for every library.</summary>
public sealed class MbcPropertyTests
{
    [Fact]
    public void The_order_of_adapters_does_not_change_a_clear_partition() => Gen.Select(Gen.Int[6, 40], Gen.Int[2, 4], Gen.Int[0, 100_000]).Sample((n, k, seed) =>
    {
        var sketches = MbcEmbeddingTests.Planted(n, k, 16, 0.2, seed, out _);
        int[] order = [.. Enumerable.Range(0, n).OrderBy(i => (i * 7919 + seed) % n).ThenBy(i => i)];
        var shuffled = new Matrix(n, 16, [.. order.SelectMany(i => sketches.Row(i).ToArray())]);
        var (first, second) = (Mbc.Run(MbcEmbedding.OfSketches(sketches), k), Mbc.Run(MbcEmbedding.OfSketches(shuffled), k));
        Assert.Equal(1, AdjustedRand.Index([.. order.Select(i => first.Labels[i])], second.Labels));
        Assert.Equal(first.Inertia, second.Inertia, 1e-9 * Math.Max(1, first.Inertia));
    }, iter: 40);

    [Fact]
    public void Copies_are_in_one_cluster() => Gen.Select(Gen.Int[3, 12], Gen.Int[0, 100_000]).Sample((n, seed) =>
    {
        var once = Adapters.Fill(new Matrix(n, 8), new Random(seed));
        var twice = new Matrix(2 * n, 8, [.. once.Values, .. once.Values]);
        var labels = Mbc.Run(MbcEmbedding.OfSketches(twice), Math.Max(1, n / 2)).Labels;
        for (var i = 0; i < n; i++)
            Assert.Equal(labels[i], labels[i + n]);
    }, iter: 40);

    [Fact]
    public void One_cluster_holds_all_and_as_many_as_adapters_hold_one_each()
    {
        var library = MbcEmbedding.OfSketches(Adapters.Fill(new Matrix(9, 20), new Random(4)));
        var one = Mbc.Run(library, 1);
        Assert.Equal(9, Assert.Single(one.Clusters).Members.Length);
        Assert.Equal((null, null, null), (one.Silhouette, one.Clusters[0].Separation, one.Clusters[0].Nearest));
        var nine = Mbc.Run(library, 9);
        Assert.Equal(0, nine.Inertia, 1e-20);
        Assert.All(nine.Clusters, c => Assert.Equal(1, c.Cohesion));
        Assert.Null(nine.Silhouette);
    }

    [Fact]
    public void Adapters_without_a_direction_are_no_trouble()
    {
        var sketches = MbcEmbeddingTests.Planted(12, 2, 8, 0.1, 1, out _);
        sketches.Row(3).Clear();
        sketches.Row(4).Clear();
        var clustering = Mbc.Run(MbcEmbedding.OfSketches(sketches), 3);
        Assert.Equal(clustering.Labels[3], clustering.Labels[4]);
        Assert.True(double.IsFinite(clustering.Inertia));
        var nothing = Mbc.Run(MbcEmbedding.OfSketches(new Matrix(4, 8)), 2);
        Assert.Equal(0, nothing.Inertia);
    }

    [Fact]
    public async Task Threads_change_no_bit()
    {
        // Large enough that the work is shared out.
        var library = MbcEmbedding.OfSketches(MbcEmbeddingTests.Planted(3000, 12, 96, 0.8, 2, out _));
        var many = Mbc.Run(library, 12, starts: 2);
        Clustering? single = null;
        MbcEmbedding? alone = null;
        var scheduler = new ConcurrentExclusiveSchedulerPair(TaskScheduler.Default, 1).ExclusiveScheduler;
        await Task.Factory.StartNew(
            () =>
            {
                alone = MbcEmbedding.OfSketches(MbcEmbeddingTests.Planted(3000, 12, 96, 0.8, 2, out _));
                single = Mbc.Run(alone, 12, starts: 2);
            },
            TestContext.Current.CancellationToken, TaskCreationOptions.None, scheduler);
        Assert.Equal(library.Points.Values, alone!.Points.Values);
        Assert.Equal(many.Labels, single!.Labels);
        Assert.Equal(many.Inertia, single.Inertia);
    }

    [Fact]
    public void The_number_of_planted_clusters_is_found_in_a_library_too_large_to_try_all()
    {
        var sketches = MbcEmbeddingTests.Planted(1300, 37, 128, 0.7, 11, out var planted);
        var (best, curve) = Mbc.Choose(MbcEmbedding.OfSketches(sketches));
        Assert.Equal(37, best.Clusters.Length);
        Assert.Equal(1, AdjustedRand.Index(planted, best.Labels));
        Assert.True(curve.Length < 28);
        Assert.Equal(curve.Select(c => c.K).Order().Distinct(), curve.Select(c => c.K));
        Assert.Equal(best.Silhouette, curve.Single(c => c.K == 37).Silhouette);
        Assert.All(curve, c => Assert.True(c.Silhouette <= best.Silhouette));
    }

    [Fact]
    public void The_curve_of_a_small_library_has_every_number()
    {
        var sketches = MbcEmbeddingTests.Planted(50, 5, 16, 0.4, 3, out _);
        var (best, curve) = Mbc.Choose(MbcEmbedding.OfSketches(sketches));
        Assert.Equal(Enumerable.Range(2, 9), curve.Select(c => c.K)); // up to √100
        Assert.Equal(5, best.Clusters.Length);
        Assert.Equal([.. curve.OrderByDescending(c => c.Inertia).Select(c => c.K)], curve.Select(c => c.K));
        Assert.Equal(best.Inertia, curve.Single(c => c.K == 5).Inertia);
    }

    [Fact]
    public void Long_products_equal_plain_ones_at_every_size() => Gen.Select(Gen.Int[1, 20], Gen.Int[1, 90], Gen.Int[0, 100_000]).Sample((n, columns, seed) =>
    {
        var x = Adapters.Fill(new Matrix(n, columns), new Random(seed));
        var gram = new Matrix(n, n);
        BlockedProductProbe.AddGram(x, gram);
        Dense.AssertClose(MbcTestMath.Products(x).Values, gram.Values, 1e-12 * columns);
    }, iter: 60);

    // Through what is public: the Gram matrix of adapters whose factors are the rows.
    private static class BlockedProductProbe
    {
        public static void AddGram(Matrix x, Matrix gram)
        {
            Adapter[] adapters = [.. Enumerable.Range(0, x.Rows).Select(i => Adapters.Of(("q", new LowRankDelta(new Matrix(1, 1), new Matrix(1, x.Columns, x.Row(i).ToArray())))))];
            FlatFactors.Gram(adapters, null).Values.CopyTo(gram.Values, 0);
        }
    }
}
