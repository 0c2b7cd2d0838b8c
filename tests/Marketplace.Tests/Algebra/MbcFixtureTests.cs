using System.Text.Json;
using Marketplace.Core;
using Marketplace.Core.Algebra;
using Marketplace.Core.Merges;
using Marketplace.Core.Methods;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Algebra;

/// <summary>24 adapters around 4 planted centres: 1, some re-gauged; 2, also of other ranks and alphas; 3, none re-gauged.</summary>
public sealed class MbcFixtureTests
{
    public static readonly TheoryData<int, AdapterSimilarity, double, string, string> Recorded = new()
    {
        { 1, AdapterSimilarity.Delta, 0, "cos_delta", "delta" },
        { 2, AdapterSimilarity.Delta, 0, "cos_delta", "delta" },
        { 3, AdapterSimilarity.Delta, 0, "cos_delta", "delta" },
        { 1, AdapterSimilarity.FlatAb, 0.5, "cos_flat_sparse_q50", "flat_ab_sparse_q50" },
        { 1, AdapterSimilarity.FlatAb, 0.8, "cos_flat_sparse_q80", "flat_ab_sparse_q80" },
        { 3, AdapterSimilarity.FlatAb, 0.5, "cos_flat_sparse_q50", "flat_ab_sparse_q50" },
        { 3, AdapterSimilarity.FlatAb, 0.8, "cos_flat_sparse_q80", "flat_ab_sparse_q80" },
    };

    [Theory]
    [MemberData(nameof(Recorded))]
    public void Similarities_and_clusters_equal_the_recorded_ones(int variant, AdapterSimilarity similarity, double sparsity, string tensor, string results)
    {
        var (folder, expected) = ($"variant{variant}", Expected(variant));
        using var file = PeftFiles.Open("mbc", folder, "expected.safetensors");
        var library = Library(variant, expected);
        Assert.True(Similarities.TryCompute(library, similarity, out var cosines, out _, sparsity));
        var recorded = PeftFiles.Matrix(file, tensor);
        Dense.AssertClose(recorded.Values, cosines.Values, 1e-6);

        foreach (var result in expected.GetProperty("results").GetProperty(results).EnumerateObject().Where(r => r.Name[0] == 'k'))
        {
            var k = result.Value.GetProperty("k").GetInt32();
            var best = result.Value.GetProperty("inertia_best_of_200").GetDouble();
            var clustering = Mbc.Run(recorded, k, starts: 50);
            Assert.Equal(best, clustering.Inertia, 1e-9 * best);
            if (result.Value.GetProperty("inertia").GetDouble() > best * (1 + 1e-9))
                continue; // ten starts of scikit-learn did not find the optimum there
            Assert.Equal(1, AdjustedRand.Index(Labels(result.Value.GetProperty("labels")), clustering.Labels));
            Assert.Equal(Labels(result.Value.GetProperty("labels")), clustering.Labels); // both are numbered by first appearance
            Assert.Equal(
                result.Value.GetProperty("adjusted_rand_to_planted").GetDouble(),
                AdjustedRand.Index(Labels(expected.GetProperty("planted")), clustering.Labels), 1e-12);
            Assert.Equal(result.Value.GetProperty("silhouette").GetDouble(), Silhouette.Mean(clustering.Labels, (i, j) => RowDistance(recorded, i, j))!.Value, 1e-9);
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Delta_similarity_recovers_the_planted_groups_and_their_number(int variant)
    {
        var expected = Expected(variant);
        Assert.True(Similarities.TryCompute(Library(variant, expected), AdapterSimilarity.Delta, out var cosines, out _));
        var planted = Labels(expected.GetProperty("planted"));
        Assert.Equal(1, AdjustedRand.Index(planted, Mbc.Run(cosines, 4).Labels));
        Assert.Equal(1, AdjustedRand.Index(planted, Mbc.RunWithBestSilhouette(cosines).Labels));
    }

    [Fact]
    public void Re_gauged_adapters_mislead_flattened_factors_only()
    {
        using var file = PeftFiles.Open("mbc", "variant1", "expected.safetensors");
        var library = Library(1, Expected(1));
        Dense.AssertClose(PeftFiles.Matrix(file, "cos_flat").Values, Gram.Cosines(FlatFactors.Gram(library, null)).Values, 1e-6);
        Dense.AssertClose(PeftFiles.Matrix(file, "thresholds_q50").Values, [.. library.Select(a => FlatFactors.Threshold(a, 0.5))], 1e-7);
        Dense.AssertClose(PeftFiles.Matrix(file, "thresholds_q80").Values, [.. library.Select(a => FlatFactors.Threshold(a, 0.8))], 1e-7);
        var gram = Gram.Of(library);
        Dense.AssertClose(PeftFiles.Matrix(file, "delta_norms").Values, [.. Enumerable.Range(0, library.Length).Select(gram.Norm)], 1e-6);
    }

    [Fact]
    public void Different_ranks_can_only_be_compared_by_delta()
    {
        Assert.False(Similarities.TryCompute(Library(2, Expected(2)), AdapterSimilarity.FlatAb, out _, out var problems));
        Assert.All(problems, p => Assert.Equal(MergeProblem.FactorsNotComparable, p.Code));
    }

    private static JsonElement Expected(int variant) =>
        JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Fixtures.Root, "mbc", $"variant{variant}", "expected.json"))).RootElement;

    private static Adapter[] Library(int variant, JsonElement expected) =>
        [.. expected.GetProperty("order").EnumerateArray().Select(n => PeftFiles.Load("mbc", $"variant{variant}", "adapters", n.GetString()!))];

    private static int[] Labels(JsonElement labels) => labels.Deserialize<int[]>()!;

    private static double RowDistance(Matrix matrix, int i, int j) =>
        Math.Sqrt(Enumerable.Range(0, matrix.Columns).Sum(c => (matrix[i, c] - matrix[j, c]) * (matrix[i, c] - matrix[j, c])));
}
