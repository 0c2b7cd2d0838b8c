using CsCheck;
using Marketplace.Core;
using Marketplace.Core.Algebra;
using Marketplace.Core.Merges;
using Marketplace.Tests.Algebra;
using Xunit;

namespace Marketplace.Tests.Merges;

/// <summary>Methods whose coefficients follow from inner products, against recorded values, the formulas on dense vectors, and what must hold of them.</summary>
public sealed class SpanMethodTests
{
    private static readonly double[] T1 = [3, -1, .5, 2, -4, .1, 1.5, -2.5];
    private static readonly double[] T2 = [-2, -1.2, 2.2, -2.1, 1, .3, -1.1, -2.3];
    private static readonly double[] T3 = [1, 4, -.4, .2, -1.3, 5, .6, 3];

    /// <summary>Every method in every variant that takes any number of inputs from two on; those of exactly two get the first two.</summary>
    private static readonly (string Name, Func<int, MergeRecipe> Recipe, Func<double[][,], double[], double[,]> Oracle)[] Variants =
    [
        ("slerp", _ => Two("slerp").With("t", 0.3), (x, _) => DenseSpan.Whole(x, v => DenseSpan.Slerp(v[0], v[1], 0.3))),
        ("nuslerp", _ => Two("nuslerp"), (x, w) => DenseSpan.Whole(x, v => DenseSpan.Slerp(v[0], v[1], w[1] / (w[0] + w[1]), AllBut))),
        ("nuslerp row", _ => Two("nuslerp").With("per", RecipeValue.Of("row")),
            (x, w) => DenseSpan.ByRow(x, v => DenseSpan.Slerp(v[0], v[1], w[1] / (w[0] + w[1]), AllBut))),
        ("nuslerp column", _ => Two("nuslerp").With("per", RecipeValue.Of("column")),
            (x, w) => DenseSpan.ByRow(x, v => DenseSpan.Slerp(v[0], v[1], w[1] / (w[0] + w[1]), AllBut), columns: true)),
        ("multislerp", k => Many("multislerp", k), (x, w) => DenseSpan.Whole(x, v => DenseSpan.MultiSlerp(v, Shares(w)))),
        ("multislerp unnormalized", k => Many("multislerp", k).With("normalize_weights", RecipeValue.Of(false)),
            (x, w) => DenseSpan.Whole(x, v => DenseSpan.MultiSlerp(v, w))),
        ("karcher", k => Many("karcher", k), (x, w) => DenseSpan.Whole(x, v => DenseSpan.Karcher(v, Shares(w)))),
        ("karcher one step", k => Many("karcher", k).With("max_iter", 1), (x, w) => DenseSpan.Whole(x, v => DenseSpan.Karcher(v, Shares(w), 1))),
        ("model_stock", k => Many("model_stock", k), (x, _) => DenseSpan.Whole(x, v => DenseSpan.ModelStock(v).Result)),
        ("model_stock row", k => Many("model_stock", k).With("filter_wise", RecipeValue.Of(true)),
            (x, _) => DenseSpan.ByRow(x, v => DenseSpan.ModelStock(v).Result)),
    ];

    private const double AllBut = 1 - 1e-6; // nuslerp is linear for opposite vectors; for parallel ones both formulas agree

    public static TheoryData<string> Names => [.. Variants.Select(v => v.Name)];

    [Fact]
    public void Recorded_values_of_vectors()
    {
        Check([1.899533, -1.647364, 1.692985, .849814, -3.438234, .262533, .895435, -3.738091], MergeRecipe.Over("slerp", 1, 1).With("t", 0.3), T1, T2);
        Check([1.899533, -1.647364, 1.692985, .849814, -3.438234, .262533, .895435, -3.738091], MergeRecipe.Over("nuslerp", 1.4, 0.6), T1, T2);
        Check([1.889972, -.936063, 1.861264, .656231, -3.609485, 1.361166, .900469, -3.369185], MergeRecipe.Over("multislerp", 1, .5, .25), T1, T2, T3);
        Check([.739399, .639854, 2.577429, -.688937, -2.834078, 3.854143, .326246, -2.431574], MergeRecipe.Over("karcher", 1, 1, 1), T1, T2, T3);

        static void Check(double[] expected, MergeRecipe recipe, params double[][] vectors)
        {
            var columns = Merge(recipe, [.. vectors.Select(v => new LowRankDelta(new Matrix(v.Length, 1, v), new Matrix(1, 1, [1])))]);
            Dense.AssertClose(expected, MatrixValues(columns), 2e-6);
            var rows = Merge(recipe, [.. vectors.Select(v => new LowRankDelta(new Matrix(1, 1, [1]), new Matrix(1, v.Length, v)))]);
            Dense.AssertClose(expected, MatrixValues(rows), 2e-6);
        }
    }

    [Fact]
    public void Model_stock_takes_nothing_of_inputs_that_disagree()
    {
        var (cosine, t, _) = DenseSpan.ModelStock([T1, T2, T3]);
        Assert.Equal(-.250222, cosine, 1e-6);
        Assert.Equal(-1.502667, t, 1e-6); // what the formula says: it would turn the result round
        var merged = Merge(MergeRecipe.Over("model_stock", 1, 1, 1), [.. new[] { T1, T2, T3 }.Select(v => new LowRankDelta(new Matrix(8, 1, v), new Matrix(1, 1, [1])))]);
        Assert.All(MatrixValues(merged), x => Assert.Equal(0, x));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Factored_results_equal_the_formula_on_dense_matrices(string name) => Cases.Terms.Sample(terms =>
    {
        var (recipe, deltas, weights, oracle) = Case(name, terms);
        var expected = oracle([.. deltas.Select(Dense.Of)], weights);
        AssertSame(expected, Merge(recipe, deltas), Scale(deltas, weights));
    });

    [Theory]
    [MemberData(nameof(Names))]
    public void Adapters_that_agree_are_merged_as_the_formula_says(string name)
    {
        var (recipe, deltas, weights, oracle) = Case(name, [.. Enumerable.Range(0, 3).Select(e => (1d + e, ClosedForm(e)))]);
        Assert.True(Deltas.Inner(deltas[0], deltas[1]) > 0.8 * Deltas.Norm(deltas[0]) * Deltas.Norm(deltas[1])); // random ones are all but orthogonal
        var merged = Merge(recipe, deltas);
        Dense.AssertClose(oracle([.. deltas.Select(Dense.Of)], weights), merged, 1e-10);
        Assert.True(Deltas.Norm(merged) > 0.1);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Neither_gauge_nor_padding_nor_place_nor_size_matters(string name) => Cases.Terms.Sample(terms =>
    {
        var (recipe, deltas, weights, _) = Case(name, terms);
        var scale = Scale(deltas, weights);
        var expected = Dense.Of(Merge(recipe, deltas));
        AssertSame(expected, Merge(recipe, [.. deltas.Select((d, i) => Cases.Regauge(d, i))]), scale);
        AssertSame(expected, Merge(recipe, [.. deltas.Select((d, i) => Cases.Pad(d, i + 1))]), scale);
        AssertSame(Dense.Sum((-1e-4, expected)), Merge(recipe, [.. deltas.Select(d => Adapters.Scale(d, -1e-4))]), 1e-4 * scale);
        AssertSame(Dense.Sum((-2.5, expected)), Merge(recipe.With("lambda", -2.5), deltas), 2.5 * scale);

        var reversed = recipe with { Inputs = [.. recipe.Inputs.Reverse()] };
        if (name == "slerp")
            reversed = reversed.With("t", 0.7);
        AssertSame(expected, Merge(reversed, deltas), scale); // inputs name the adapters, so only their order changes
    });

    [Theory]
    [MemberData(nameof(Names))]
    public void Copies_give_the_adapter_back(string name) => Cases.Delta.Sample(delta =>
    {
        var recipe = Variants.Single(v => v.Name == name).Recipe(3) is var r && name == "multislerp unnormalized"
            ? Weighted(r, 0.2, 0.3, 0.5)
            : r;
        var expected = Dense.Of(delta);
        var result = Merge(recipe, [.. Enumerable.Range(0, recipe.Inputs.Count).Select(i => Cases.Regauge(delta, i))]);
        AssertSame(expected, result, Math.Max(1, Dense.Norm(expected)));
        Assert.True(result.Rank <= Math.Max(1, delta.Rank));
    });

    [Theory]
    [InlineData("multislerp")]
    [InlineData("karcher")]
    public void One_adapter_stays_what_it_is(string method) => Cases.Delta.Sample(delta =>
        AssertSame(Dense.Of(delta), Merge(MergeRecipe.Over(method, 3), delta), Math.Max(1, Dense.Norm(Dense.Of(delta)))));

    [Theory]
    [MemberData(nameof(Names))]
    public void A_missing_module_is_a_zero(string name)
    {
        var recipe = Variants.Single(v => v.Name == name).Recipe(3);
        var random = new Random(7);
        LowRankDelta q = Adapters.Random(random, 6, 5, 2), other = Adapters.Random(random, 3, 4, 2), zero = new(new Matrix(6, 3), Adapters.Random(random, 6, 5, 3).A);
        for (var holder = 0; holder < recipe.Inputs.Count; holder++)
        {
            var lacking = Run(recipe, [.. recipe.Inputs.Select((_, i) => i == holder ? Adapters.Of(("q", q), ("v", other)) : Adapters.Of(("v", other)))]);
            var zeros = Run(recipe, [.. recipe.Inputs.Select((_, i) => Adapters.Of(("q", i == holder ? q : zero), ("v", other)))]);
            AssertSame(Dense.Of(zeros[0].Delta), lacking[0].Delta, 1);
            Assert.Equal(recipe.Inputs.Count - 1, lacking[0].Report.MissingIn.Length);
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Zeros_merge_to_zeros(string name)
    {
        var recipe = Variants.Single(v => v.Name == name).Recipe(3);
        var random = new Random(3);
        var cancelling = Adapters.Random(random, 6, 5, 2); // B·A = 0 though neither factor is
        var zero = Deltas.WeightedSum([(1e3, cancelling), (-1e3, Cases.Regauge(cancelling, 1))]);
        foreach (var delta in new[] { Deltas.Zero(6, 5), zero })
        {
            var result = Merge(recipe, [.. recipe.Inputs.Select(_ => delta)]);
            Assert.InRange(Deltas.Norm(result), 0, 1e-9);
            Assert.True(double.IsFinite(Deltas.Norm(result)));
        }
    }

    [Fact]
    public void Opposite_inputs_meet_on_the_straight_line()
    {
        var delta = Adapters.Random(new Random(5), 6, 5, 2);
        var (x, opposite) = (Dense.Of(delta), Cases.Regauge(Adapters.Scale(delta, -2), 9));
        AssertSame(Dense.Sum((0.7 - (0.3 * 2), x)), Merge(MergeRecipe.Over("slerp", 1, 1).With("t", 0.3), delta, opposite), Dense.Norm(x));
        foreach (var per in new[] { "matrix", "row", "column" })
            AssertSame(Dense.Sum((0.7 - (0.3 * 2), x)), Merge(MergeRecipe.Over("nuslerp", 7, 3).With("per", RecipeValue.Of(per)), delta, opposite), Dense.Norm(x));
        foreach (var method in new[] { "multislerp", "karcher" })
        {
            AssertSame(Dense.Sum((0.5 - (0.5 * 2), x)), Merge(MergeRecipe.Over(method, 1, 1), delta, opposite), Dense.Norm(x));
            // With unequal weights the mean has a direction: that of the heavier input, at the mean length.
            AssertSame(Dense.Sum((0.75 + (0.25 * 2), x)), Merge(MergeRecipe.Over(method, 3, 1), delta, opposite), Dense.Norm(x));
        }

        Assert.Equal(0, Deltas.Norm(Merge(MergeRecipe.Over("model_stock", 1, 1), delta, opposite)));
    }

    [Fact]
    public void Slerp_goes_over_the_arc_and_not_through_it()
    {
        var random = new Random(11);
        LowRankDelta x = Adapters.Random(random, 9, 8, 2), y = Adapters.Random(random, 9, 8, 3);
        (x, y) = (Adapters.Scale(x, 1 / Deltas.Norm(x)), Adapters.Scale(y, 1 / Deltas.Norm(y)));
        foreach (var t in new[] { 0, 0.25, 0.5, 0.9, 1 })
            Assert.Equal(1, Deltas.Norm(Merge(MergeRecipe.Over("slerp", 1, 1).With("t", t), x, y)), 1e-12);
        AssertSame(Dense.Of(x), Merge(MergeRecipe.Over("slerp", 1, 1).With("t", 0), x, y), 1);
        AssertSame(Dense.Of(y), Merge(MergeRecipe.Over("slerp", 1, 1).With("t", 1), x, y), 1);
    }

    [Fact]
    public void T_may_change_over_the_layers()
    {
        var random = new Random(12);
        Adapter[] inputs = [.. Enumerable.Range(0, 2).Select(_ => Adapters.Of(
            [.. Enumerable.Range(0, 3).Select(layer => ($"layers.{layer}.q", Adapters.Random(random, 6, 5, 2)))]))];
        var merged = Run(MergeRecipe.Over("slerp", 1, 1).With("t", RecipeValue.OverLayers(0, 1)), inputs);
        AssertSame(Dense.Of(inputs[0].Delta("layers.0.q")!), merged[0].Delta, 1);
        AssertSame(DenseSpan.Whole([.. inputs.Select(a => Dense.Of(a.Delta("layers.1.q")!))], v => DenseSpan.Slerp(v[0], v[1], 0.5)), merged[1].Delta, 1);
        AssertSame(Dense.Of(inputs[1].Delta("layers.2.q")!), merged[2].Delta, 1);
    }

    [Fact]
    public void Karcher_ends_at_the_centre_of_mass()
    {
        var random = new Random(13);
        LowRankDelta[] deltas = [.. Enumerable.Range(0, 4).Select(_ => Adapters.Random(random, 7, 6, 3))];
        var merged = Merge(MergeRecipe.Over("karcher", 1, 2, 3, 4).With("max_iter", 200).With("tol", 1e-12), deltas);
        var centre = Adapters.Scale(merged, 1 / Deltas.Norm(merged));
        var pull = deltas.Select((d, e) =>
        {
            var unit = Adapters.Scale(d, 1 / Deltas.Norm(d));
            var cosine = Deltas.Inner(unit, centre);
            var along = Math.Acos(cosine) / Math.Sin(Math.Acos(cosine));
            return ((e + 1) * along, Dense.Sum((1, Dense.Of(unit)), (-cosine, Dense.Of(centre))));
        });
        Assert.InRange(Dense.Norm(Dense.Sum([.. pull])), 0, 1e-6);
        Assert.Equal(deltas.Select((d, e) => (e + 1) / 10d * Deltas.Norm(d)).Sum(), Deltas.Norm(merged), 1e-9);
    }

    [Fact]
    public void Rows_and_columns_keep_the_sum_of_the_ranks()
    {
        var random = new Random(14);
        LowRankDelta[] deltas = [Adapters.Random(random, 20, 16, 2), Adapters.Random(random, 20, 16, 3)];
        foreach (var per in new[] { "row", "column" })
            Assert.Equal(5, Merge(MergeRecipe.Over("nuslerp", 1, 1).With("per", RecipeValue.Of(per)), deltas).Rank);
        Assert.Equal(5, Merge(MergeRecipe.Over("model_stock", 1, 1).With("filter_wise", RecipeValue.Of(true)), deltas).Rank);
    }

    public static TheoryData<string, string> Refused => new()
    {
        { "slerp", MergeProblem.InputsCount }, { "nuslerp", MergeProblem.InputsCount }, { "model_stock", MergeProblem.InputsCount },
        { "slerp t", MergeProblem.ParameterInvalid }, { "nuslerp per", MergeProblem.ParameterInvalid }, { "karcher max_iter", MergeProblem.ParameterInvalid },
        { "karcher tol", MergeProblem.ParameterInvalid }, { "slerp weight", MergeProblem.WeightsUnused }, { "model_stock weight", MergeProblem.WeightsUnused },
        { "multislerp sum", MergeProblem.WeightsInvalid }, { "karcher sum", MergeProblem.WeightsInvalid }, { "karcher negative", MergeProblem.WeightsInvalid },
    };

    [Theory]
    [MemberData(nameof(Refused))]
    public void What_makes_no_sense_is_refused(string what, string code)
    {
        var recipe = what switch
        {
            "slerp t" => MergeRecipe.Over("slerp", 1, 1).With("t", 1.5),
            "nuslerp per" => MergeRecipe.Over("nuslerp", 1, 1).With("per", RecipeValue.Of("layer")),
            "karcher max_iter" => MergeRecipe.Over("karcher", 1, 1).With("max_iter", 0),
            "karcher tol" => MergeRecipe.Over("karcher", 1, 1).With("tol", 0),
            "slerp weight" => Weighted(MergeRecipe.Over("slerp", 1, 1), 1, 2),
            "model_stock weight" => Weighted(MergeRecipe.Over("model_stock", 1, 1), 1, 2),
            "multislerp sum" => MergeRecipe.Over("multislerp", 1, -1),
            "karcher sum" => MergeRecipe.Over("karcher", 0, 0),
            "karcher negative" => MergeRecipe.Over("karcher", 2, -1),
            _ => MergeRecipe.Over(what, 1),
        };
        Adapter[] inputs = [.. recipe.Inputs.Select((_, i) => Adapters.Of(("q", Adapters.Random(new Random(i), 4, 3, 2))))];
        Assert.False(MergePlan.TryCreate(recipe, inputs, out _, out var problems));
        Assert.Contains(problems, p => p.Code == code);
    }

    [Fact]
    public void Unnormalized_weights_need_no_sum()
    {
        var random = new Random(15);
        LowRankDelta[] deltas = [Adapters.Random(random, 5, 4, 2), Adapters.Random(random, 5, 4, 2)];
        var merged = Merge(MergeRecipe.Over("multislerp", 1, -1).With("normalize_weights", RecipeValue.Of(false)), deltas);
        AssertSame(DenseSpan.Whole([.. deltas.Select(Dense.Of)], v => DenseSpan.MultiSlerp(v, [1, -1])), merged, 1);
    }

    // Positive weights, in place of the generator's: those of either sign, sums near zero included, are cases of their own.
    private static (MergeRecipe Recipe, LowRankDelta[] Deltas, double[] Weights, Func<double[][,], double[], double[,]> Oracle) Case(
        string name, (double Weight, LowRankDelta Delta)[] terms)
    {
        var variant = Variants.Single(v => v.Name == name);
        var recipe = variant.Recipe(terms.Length);
        var used = terms[..recipe.Inputs.Count];
        double[] weights = [.. used.Select(t => 0.1 + Math.Abs(t.Weight))];
        return (MergeMethods.Find(recipe.Method)!.Weighted ? Weighted(recipe, weights) : recipe, [.. used.Select(t => t.Delta)], weights, variant.Oracle);
    }

    // The adapters of golden.json.
    private static LowRankDelta ClosedForm(int e)
    {
        var (b, a) = (new Matrix(6, 2), new Matrix(2, 5));
        for (var j = 0; j < 2; j++)
        {
            for (var i = 0; i < 6; i++)
                b[i, j] = Math.Sin((1.1 * (i + 1) * (j + 1)) + (0.5 * e));
            for (var c = 0; c < 5; c++)
                a[j, c] = Math.Cos((0.7 * (j + 1) * (c + 1)) + (0.3 * e));
        }

        return Adapters.Scale(new(b, a), Math.Pow(2, 1 - e));
    }

    private static MergeRecipe Two(string method) => MergeRecipe.Over(method, 1, 1);

    private static MergeRecipe Many(string method, int inputs) => MergeRecipe.Over(method, [.. Enumerable.Repeat(1d, inputs)]);

    private static MergeRecipe Weighted(MergeRecipe recipe, params double[] weights) =>
        recipe with { Inputs = [.. recipe.Inputs.Select((input, i) => input with { Weight = weights[i] })] };

    private static double[] Shares(double[] weights) => [.. weights.Select(w => w / weights.Sum())];

    private static LowRankDelta Merge(MergeRecipe recipe, params LowRankDelta[] deltas) =>
        Run(recipe, [.. deltas.Select(d => Adapters.Of(("q", d)))])[0].Delta;

    private static List<MergedModule> Run(MergeRecipe recipe, Adapter[] adapters)
    {
        var graph = MergeGraph.Create(recipe, name => name, out var problems);
        Assert.True(graph is not null, string.Join('\n', problems));
        Adapter[] leaves = [.. graph.Leaves.Select(l => adapters[int.Parse(l[1..])])];
        Assert.True(MergePlan.TryCreate(graph, leaves, recipe.Carried, out var plan, out problems), string.Join('\n', problems));
        return [.. Merging.Run(plan, leaves)];
    }

    private static double[] MatrixValues(LowRankDelta delta) => [.. Dense.Of(delta).Cast<double>()];

    private static double Scale(LowRankDelta[] deltas, double[] weights) =>
        deltas.Max(d => Dense.Norm(Dense.Of(d))) * Math.Max(1, weights.Sum());

    // Relative to the inputs: where directions nearly cancel, so do digits.
    private static void AssertSame(double[,] expected, LowRankDelta actual, double scale) =>
        Assert.InRange(Dense.Distance(expected, Dense.Of(actual)), 0, 1e-7 * scale);
}
