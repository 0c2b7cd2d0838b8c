using System.Text.Json;
using Marketplace.Core;
using Marketplace.Core.Algebra;
using Marketplace.Core.Merges;
using Marketplace.Core.Methods;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Algebra;

/// <summary>Three adapters in closed form (6×5, rank 2, scales 2, 1, ½) against values computed with numpy and scikit-learn.</summary>
public sealed class GoldenTests
{
    private const double Tolerance = 2e-8; // the values are recorded with 8 decimals

    private static readonly JsonElement Golden = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Fixtures.Root, "golden.json"))).RootElement;
    private static readonly double[] Scales = [2, 1, 0.5];
    private static readonly LowRankDelta[] Raw = [Factors(0), Factors(1), Factors(2)];
    private static readonly LowRankDelta[] Folded = [.. Raw.Select((d, e) => Adapters.Scale(d, Scales[e]))];
    private static readonly Adapter[] Library = [.. Raw.Select((d, e) => Adapters.Of(Scales[e], ("q_proj", d)))];
    private static readonly double[] X = Numbers("x");

    [Fact]
    public void Singular_values_and_norms()
    {
        for (var e = 0; e < 3; e++)
        {
            Dense.AssertClose(Numbers(Golden.GetProperty("sv")[e]), LowRankSvd.Of(Folded[e]).S, Tolerance);
            Assert.Equal(Numbers("fro")[e], Deltas.Norm(Folded[e]), Tolerance);
        }
    }

    [Fact]
    public void Gram_matrix_and_cosines()
    {
        var gram = Gram.Of(Library);
        Dense.AssertClose(Table("gram"), gram.Inner.Values, Tolerance);
        Dense.AssertClose(Table("cos_dW"), gram.Cosine.Values, Tolerance);
        Dense.AssertClose(Table("cos_dW"), gram.MeanModuleCosine.Values, Tolerance);
    }

    [Fact]
    public void Cosines_of_the_flattened_unscaled_factors() =>
        Dense.AssertClose(Table("cos_flat_A_then_B_unscaled"), Gram.Cosines(FlatFactors.Gram(Library, null)).Values, Tolerance);

    [Fact]
    public void Exact_merge_and_its_truncation()
    {
        var sum = Deltas.WeightedSum([.. Numbers("merge_w").Zip(Folded)]);
        Dense.AssertClose(Numbers("merge_row0"), Dense.Row(Dense.Of(sum), 0), Tolerance);
        Assert.Equal(Golden.GetProperty("merge_fro").GetDouble(), Deltas.Norm(sum), 1e-13);
        Dense.AssertClose(Numbers("merge_sv"), LowRankSvd.Of(sum).S, Tolerance);

        var truncated = Recompression.Of(sum, new RankPolicy(2));
        Dense.AssertClose(Numbers("merge_rank2_row0"), Dense.Row(Dense.Of(truncated.Delta), 0), Tolerance);
        Assert.Equal(Golden.GetProperty("merge_rank2_resid").GetDouble(), truncated.DiscardedNorm, 1e-13);
        Assert.Equal(4, Recompression.Of(sum, RankPolicy.Lossless).Delta.Rank); // six ranks went in; the stack has exact rank 4
    }

    [Fact]
    public void A_merge_is_neither_of_factors_nor_scaled_twice()
    {
        Assert.True(MergePlan.TryCreate(new WeightedSum("linear", Numbers("merge_w"), Normalize: false).Over(3), Library, out var plan, out _));
        var row = Dense.Row(Dense.Of(Merging.Run(plan, Library).Single().Delta), 0);
        Dense.AssertClose(Numbers("merge_row0"), row, Tolerance);
        Assert.True(Math.Abs(row[0] - Numbers("peft_linear_row0")[0]) > 0.5);
        Assert.True(Math.Abs(row[0] - Numbers("double_scaled_row0")[0]) > 0.5);
    }

    [Fact]
    public void Recorded_wrong_results_are_what_factor_wise_and_twice_scaled_merges_give()
    {
        var weights = Numbers("merge_w");
        var (a, b) = (new Matrix(2, 5), new Matrix(6, 2));
        for (var e = 0; e < 3; e++)
        {
            var root = Math.Sqrt(Math.Abs(weights[e] * Scales[e]));
            for (var i = 0; i < a.Values.Length; i++)
                a.Values[i] += Math.Sign(weights[e]) * root * Raw[e].A.Values[i];
            for (var i = 0; i < b.Values.Length; i++)
                b.Values[i] += root * Raw[e].B.Values[i];
        }
        var factorWise = Dense.Product(b, a);
        var exact = Dense.Of(Deltas.WeightedSum([.. weights.Zip(Folded)]));
        Dense.AssertClose(Numbers("peft_linear_row0"), Dense.Row(factorWise, 0), Tolerance);
        Assert.Equal(Golden.GetProperty("peft_linear_relerr").GetDouble(), Dense.Distance(factorWise, exact) / Dense.Norm(exact), 1e-12);
        var twice = Deltas.WeightedSum([.. weights.Zip(Scales, (w, s) => w * s).Zip(Folded)]);
        Dense.AssertClose(Numbers("double_scaled_row0"), Dense.Row(Dense.Of(twice), 0), Tolerance);
    }

    [Fact]
    public void Arrow_prototypes_routing_and_output()
    {
        var prototypes = Library.Select(a => Prototype.Of(a).Single()).ToList();
        for (var e = 0; e < 3; e++)
        {
            Dense.AssertClose(Numbers(Golden.GetProperty("arrow_protos")[e]), prototypes[e].Direction, Tolerance);
            Assert.Equal(Numbers("arrow_abs_logits")[e], Math.Abs(X.Zip(prototypes[e].Direction, (x, v) => x * v).Sum()), Tolerance);
        }
        var weights = Router.Weights(X, prototypes, 2);
        Dense.AssertClose(Numbers("arrow_top2_coef"), weights, Tolerance);
        Dense.AssertClose(Numbers("arrow_delta_y_merge_after"), Router.Apply(X, Folded, weights), 5e-8);
    }

    [Fact]
    public void Subtraction_is_exact_and_not_of_factors()
    {
        Assert.True(MergePlan.TryCreate(WeightedSum.Subtraction([1]), Library[..2], out var plan, out _));
        var row = Dense.Row(Dense.Of(Merging.Run(plan, [Library[0], Library[1]]).Single().Delta), 0);
        Dense.AssertClose(Numbers("gks_exact_row0"), row, Tolerance);
        Assert.True(Math.Abs(row[0] - Numbers("gks_factorwise_row0_scale_s0")[0]) > 0.5);
    }

    private static LowRankDelta Factors(int e)
    {
        var (b, a) = (new Matrix(6, 2), new Matrix(2, 5));
        for (var j = 0; j < 2; j++)
        {
            for (var i = 0; i < 6; i++)
                b[i, j] = Math.Sin((1.1 * (i + 1) * (j + 1)) + (0.5 * e));
            for (var c = 0; c < 5; c++)
                a[j, c] = Math.Cos((0.7 * (j + 1) * (c + 1)) + (0.3 * e));
        }
        return new(b, a);
    }

    private static double[] Numbers(string name) => Numbers(Golden.GetProperty(name));

    private static double[] Numbers(JsonElement array) => [.. array.EnumerateArray().Select(x => x.GetDouble())];

    private static double[] Table(string name) => [.. Golden.GetProperty(name).EnumerateArray().SelectMany(Numbers)];
}
