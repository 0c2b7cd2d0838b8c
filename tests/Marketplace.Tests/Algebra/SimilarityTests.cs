using CsCheck;
using Marketplace.Core;
using Marketplace.Core.Algebra;
using Marketplace.Core.Merges;
using Marketplace.Core.Methods;
using Xunit;

namespace Marketplace.Tests.Algebra;

public sealed class SimilarityTests
{
    [Fact]
    public void Gram_matrix_equals_the_dense_one_bit_for_bit_however_many_threads_there_are() => Cases.Terms.Sample(terms =>
    {
        Adapter[] adapters = [.. terms.Select((t, i) => Adapters.Of(("q", t.Delta), ("v" + (i % 2), t.Delta)))];
        var gram = Gram.Of(adapters);
        for (var i = 0; i < adapters.Length; i++)
            for (var j = 0; j <= i; j++)
            {
                var shared = i % 2 == j % 2 ? 2 : 1; // modules that both have
                Assert.Equal(shared * Deltas.Inner(terms[i].Delta, terms[j].Delta), gram.Inner[i, j]);
                Assert.Equal(gram.Inner[i, j], gram.Inner[j, i]);
                Assert.Equal(shared * Dense.Inner(Dense.Of(terms[i].Delta), Dense.Of(terms[j].Delta)), gram.Inner[i, j],
                    1e-11 * (1 + gram.Inner[i, i] + gram.Inner[j, j]));
            }
    });

    [Fact]
    public void A_zero_adapter_has_cosine_zero_to_others_and_one_to_itself()
    {
        Adapter[] adapters = [Adapters.Of(("q", Deltas.Zero(4, 5))), Adapters.Of(("q", Adapters.Random(new Random(1), 4, 5, 2)))];
        Assert.Equal([1, 0, 0, 1], Gram.Of(adapters).Cosine.Values.Select(x => Math.Round(x, 14)));
    }

    [Fact]
    public void The_global_cosine_is_not_the_mean_of_the_modules_cosines()
    {
        var random = new Random(2);
        LowRankDelta big = Adapters.Scale(Adapters.Random(random, 4, 5, 2), 100), small = Adapters.Random(random, 4, 5, 2);
        Adapter[] adapters = [Adapters.Of(("a", big), ("b", small)), Adapters.Of(("a", big), ("b", Adapters.Scale(small, -1)))];
        var gram = Gram.Of(adapters);
        Assert.True(gram.Cosine[0, 1] > 0.99);
        Assert.Equal(0, gram.MeanModuleCosine[0, 1], 1e-12);
    }

    [Fact]
    public void Delta_similarity_does_not_see_the_gauge_and_flattened_factors_do()
    {
        var delta = Adapters.Random(new Random(5), 12, 10, 4);
        Adapter[] adapters = [Adapters.Of(("q", delta)), Adapters.Of(("q", Cases.Regauge(delta, 1)))];
        Assert.Equal(1, Cosine(adapters, AdapterSimilarity.Delta), 1e-10);
        Assert.True(Cosine(adapters, AdapterSimilarity.FlatAb) < 0.9);
    }

    [Fact]
    public void Flattened_factors_are_unscaled()
    {
        var delta = Adapters.Random(new Random(5), 12, 10, 4);
        Assert.Equal(1, Cosine([Adapters.Of(0.3, ("q", delta)), Adapters.Of(7, ("q", delta))], AdapterSimilarity.FlatAb), 1e-12);
    }

    [Theory]
    [InlineData(0, 1)]
    [InlineData(0.5, 3.5)]
    [InlineData(0.8, 5)]
    [InlineData(0.9, 6.5)]
    [InlineData(1, 8)]
    public void The_threshold_is_the_interpolated_quantile_of_magnitudes(double q, double expected)
    {
        var adapter = Adapters.Of(2, ("q", new LowRankDelta(new Matrix(2, 1, [-8, 1]), new Matrix(1, 4, [2, -5, 3, -4]))));
        Assert.Equal(expected, FlatFactors.Threshold(adapter, q), 1e-12); // magnitudes 1 2 3 4 5 8
    }

    [Fact]
    public void What_cannot_be_compared_is_named()
    {
        var random = new Random(1);
        var plain = Adapters.Of(("q", Adapters.Random(random, 4, 5, 2)));
        AssertProblem(AdapterSimilarity.FlatAb, MergeProblem.FactorsNotComparable, plain, Adapters.Of(("q", Adapters.Random(random, 4, 5, 3))));
        AssertProblem(AdapterSimilarity.FlatAb, MergeProblem.FactorsNotComparable, plain, Adapters.Of(("v", Adapters.Random(random, 4, 5, 2))));
        AssertProblem(AdapterSimilarity.FlatAb, MergeProblem.FactorsNotComparable, plain, Adapters.Of(0, ("q", Adapters.Random(random, 4, 5, 2))));
        AssertProblem(AdapterSimilarity.Delta, MergeProblem.ModuleShapeMismatch, plain, Adapters.Of(("q", Adapters.Random(random, 5, 5, 2))));
        AssertProblem(AdapterSimilarity.Delta, MergeProblem.DoraNotMergeable, plain,
            Adapters.Of([(new TargetModule("q", ModuleKind.Linear, 4, 5, 2, 1, HasMagnitude: true), Adapters.Random(random, 4, 5, 2))]));
        Assert.True(Similarities.TryCompute([plain, Adapters.Of(("q", Adapters.Random(random, 4, 5, 3)), ("v", Adapters.Random(random, 4, 5, 1)))],
            AdapterSimilarity.Delta, out _, out _));
    }

    [Fact]
    public void Clusters_have_members_medoids_and_centroids()
    {
        // Two groups of directions in the plane; adapter 1 is the middle of the first group.
        double[] angles = [0.0, 0.1, 0.25, 1.5, 1.55];
        Adapter[] adapters = [.. angles.Select(a => Adapters.Of(("q", new LowRankDelta(
            new Matrix(2, 1, [Math.Cos(a), Math.Sin(a)]), new Matrix(1, 1, [1])))))];
        Assert.True(Similarities.TryCompute(adapters, AdapterSimilarity.Delta, out var cosines, out _));
        var clustering = Mbc.Run(cosines, 2);
        Assert.Equal([0, 0, 0, 1, 1], clustering.Labels);
        Assert.Equal([0, 1, 2], clustering.Clusters[0].Members);
        Assert.Equal(1, clustering.Clusters[0].Medoid);
        Assert.Equal(3, clustering.Clusters[1].Medoid);
        Assert.Equal((cosines[3, 0] + cosines[4, 0]) / 2, clustering.Clusters[1].Centroid[0], 1e-15);
        Assert.Equal(Silhouette.Mean(clustering.Labels, (i, j) => 1 - Math.Cos(angles[i] - angles[j]))!.Value, clustering.Silhouette!.Value, 1e-12);
        Assert.Equal(2, Mbc.RunWithBestSilhouette(cosines).Clusters.Length);
        Assert.Single(Mbc.RunWithBestSilhouette(new Matrix(2, 2, [1, 0, 0, 1])).Clusters);
    }

    private static double Cosine(Adapter[] adapters, AdapterSimilarity similarity)
    {
        Assert.True(Similarities.TryCompute(adapters, similarity, out var cosines, out _));
        return cosines[0, 1];
    }

    private static void AssertProblem(AdapterSimilarity similarity, string code, params Adapter[] adapters)
    {
        Assert.False(Similarities.TryCompute(adapters, similarity, out var cosines, out var problems));
        Assert.Null(cosines);
        Assert.Equal((code, 1), (Assert.Single(problems).Code, problems[0].Input));
    }
}
