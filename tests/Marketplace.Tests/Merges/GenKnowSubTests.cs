using System.Text.Json;
using CsCheck;
using Marketplace.Core;
using Marketplace.Core.Algebra;
using Marketplace.Core.Merges;
using Marketplace.Core.Methods;
using Marketplace.Tests.Algebra;
using Marketplace.Tests.Support;
using MathNet.Numerics.LinearAlgebra;
using Xunit;
using Matrix = Marketplace.Core.Matrix;

namespace Marketplace.Tests.Merges;

/// <summary>The three ways to subtract general knowledge, and the report of how much there was, against dense arithmetic and recorded numbers.</summary>
public sealed class GenKnowSubTests
{
    private const string Exact = LinearMethods.GenKnowSub;
    private const string Project = GenKnowSubMethods.Project;
    private const string Factorwise = GenKnowSubMethods.Factorwise;
    private const double Tolerance = 1e-9;

    public static TheoryData<string> Sides => ["input", "output", "both"];

    [Fact]
    public void Golden_numbers_of_the_exact_and_the_factor_wise_subtraction()
    {
        using var golden = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Fixtures.Root, "golden.json")));
        Adapter[] inputs = [Adapters.Of(2, ("q", Golden(0))), Adapters.Of(1, ("q", Golden(1)))];
        foreach (var (method, name) in new[] { (Exact, "gks_exact_row0"), (Factorwise, "gks_factorwise_row0_scale_s0") })
        {
            double[] expected = [.. golden.RootElement.GetProperty(name).EnumerateArray().Select(x => x.GetDouble())];
            Dense.AssertClose(expected, Dense.Row(Dense.Of(Run(MergeRecipe.Over(method, 1, 1), inputs).Delta), 0), 2e-8);
        }
    }

    [Theory]
    [InlineData("gapped")]
    [InlineData("flat")]
    public void Factor_wise_residuals_have_the_recorded_spectra_and_prototypes(string family)
    {
        using var file = PeftFiles.Open("arrow", family, "gks_factorwise.prototypes_exact.safetensors");
        Adapter[] general = [.. Enumerable.Range(0, 2).Select(i => PeftFiles.Load("arrow", family, "adapters", $"general_{i}"))];
        var compared = 0;
        for (var task = 0; task < 5; task++)
        {
            Adapter[] inputs = [PeftFiles.Load("arrow", family, "adapters", $"task_{task}"), .. general];
            foreach (var merged in RunAll(MergeRecipe.Over(Factorwise, 1, 1, 1), inputs))
            {
                var s = PeftFiles.Matrix(file, "singular_values." + merged.Module.Name).Row(task).ToArray();
                var prototype = Prototype.Of(merged.Module.Name, merged.Delta);
                Assert.Equal(s[0], prototype.S1, 1e-6 * s[0]);
                Assert.Equal(s[1], prototype.S2, 1e-6 * s[0]);
                Assert.Equal(inputs[0].Find(merged.Module.Name)!.Rank, merged.Delta.Rank);
                if (s[0] - s[1] < 1e-4 * s[0])
                    continue;
                var v = PeftFiles.Matrix(file, "prototypes." + merged.Module.Name).Row(task).ToArray();
                Assert.True(Math.Abs(v.Zip(prototype.Direction, (x, y) => x * y).Sum()) > 1 - 1e-6);
                compared++;
            }
        }

        Assert.True(compared > 30);
    }

    [Fact]
    public void What_was_subtracted_exactly_can_be_added_back() => Cases.Terms.Sample(terms =>
    {
        var deltas = terms.Select(t => t.Delta).ToArray();
        double[] weights = [1, .. terms.Skip(1).Select(t => 0.5 + Math.Abs(t.Weight))];
        var residual = Run(MergeRecipe.Over(Exact, weights).With("beta", 0.7), deltas).Delta;
        var mean = Deltas.WeightedSum([.. deltas.Zip(weights).Skip(1).Select(t => (t.Second / weights.Skip(1).Sum(), t.First))]);
        Close(Dense.Of(deltas[0]), Dense.Of(Deltas.WeightedSum([(1, residual), (0.7, mean)])), Dense.Norm(Dense.Of(deltas[0])) + Deltas.Norm(mean));
    });

    [Fact]
    public void The_exact_subtraction_is_linear_in_beta()
    {
        var deltas = Library(4, 2, 3, 2);
        double[,] At(double beta) => Dense.Of(Run(MergeRecipe.Over(Exact, 1, 2, 1).With("beta", beta), deltas).Delta);
        Close(Dense.Sum((0.25, At(0)), (0.75, At(1))), At(0.75), 1);
        Close(Dense.Of(deltas[0]), At(0), 1);
    }

    [Theory]
    [MemberData(nameof(Sides))]
    public void A_projection_is_what_dense_projectors_give(string side)
    {
        var deltas = Library(3, 2, 4, 1);
        var (p, q) = (Projector([.. deltas.Skip(1).Select(d => Dense.Of(d))]), Projector([.. deltas.Skip(1).Select(d => Transposed(Dense.Of(d)))]));
        foreach (var beta in new[] { 0, 0.4, 1 })
        {
            var target = Matrix<double>.Build.DenseOfArray(Dense.Of(deltas[0]));
            if (side is "output" or "both")
                target -= beta * (q * target);
            if (side is "input" or "both")
                target -= beta * (target * p);
            Close(target.ToArray(), Dense.Of(Run(Projection(side, 2).With("beta", beta), deltas).Delta), 1);
        }
    }

    [Theory]
    [MemberData(nameof(Sides))]
    public void A_projection_leaves_nothing_of_the_general_span_and_done_twice_changes_nothing(string side) => Cases.Terms.Sample(terms =>
    {
        var deltas = terms.Select(t => t.Delta).ToArray();
        var scale = Dense.Norm(Dense.Of(deltas[0]));
        var merged = Run(Projection(side, deltas.Length - 1), deltas);
        var once = Dense.Of(merged.Delta);
        Close(once, Dense.Of(Run(Projection(side, deltas.Length - 1), [merged.Delta, .. deltas[1..]]).Delta), scale);
        Assert.InRange(merged.Delta.Rank, 1, Math.Max(1, deltas[0].Rank));
        foreach (var general in deltas.Skip(1).Select(d => Matrix<double>.Build.DenseOfArray(Dense.Of(d))))
        {
            var residual = Matrix<double>.Build.DenseOfArray(once);
            if (side is "input" or "both")
                Assert.InRange((residual * general.Transpose()).FrobeniusNorm(), 0, Tolerance * (1 + (scale * general.FrobeniusNorm())));
            if (side is "output" or "both")
                Assert.InRange((general.Transpose() * residual).FrobeniusNorm(), 0, Tolerance * (1 + (scale * general.FrobeniusNorm())));
        }
    }, iter: 40);

    [Theory]
    [MemberData(nameof(Sides))]
    public void A_projection_goes_by_what_the_general_adapters_span_and_neither_by_factors_nor_by_weights(string side)
    {
        var deltas = Library(3, 2, 2, 5);
        var expected = Dense.Of(Run(Projection(side, 2), deltas).Delta);
        // A repeated row in A and a column of B that vanishes: rank 5 on paper, 3 in fact.
        var deficient = Cases.Pad(Cases.Regauge(deltas[1], 9), 3);
        for (var j = 0; j < deficient.In; j++)
            deficient.A[deficient.Rank - 2, j] = 7 * j;
        Close(expected, Dense.Of(Run(Projection(side, 2), deltas[0], deficient, deltas[2]).Delta), 1);
        Close(expected, Dense.Of(Run(MergeRecipe.Over(Project, 1, 5, 0.01).With("side", RecipeValue.Of(side)), deltas).Delta), 1);
        // Copies add nothing to a span, and a weight of zero takes an adapter out of it.
        Close(expected, Dense.Of(Run(Projection(side, 3), [.. deltas, Adapters.Scale(deltas[1], -3)]).Delta), 1);
        var alone = Dense.Of(Run(Projection(side, 1), deltas[..2]).Delta);
        Close(alone, Dense.Of(Run(MergeRecipe.Over(Project, 1, 1, 0).With("side", RecipeValue.Of(side)), deltas).Delta), 1);
        Assert.True(Dense.Distance(expected, alone) > 0.1);
    }

    [Fact]
    public void A_general_adapter_that_changes_nothing_takes_nothing_away()
    {
        var deltas = Library(1, 2, 2);
        var fresh = deltas[1] with { B = new Matrix(deltas[1].Out, 2) }; // as it is before training: A drawn at random, B = 0
        foreach (var recipe in new[] { MergeRecipe.Over(Exact, 1, 1), Projection("input", 1), Projection("both", 1) })
        {
            var merged = Run(recipe, deltas[0], fresh);
            Close(Dense.Of(deltas[0]), Dense.Of(merged.Delta), 1);
            Assert.Equal((0, 0, 0), (merged.Report.General!.Share, merged.Report.General.InputShare, merged.Report.General.Mean));
        }
    }

    [Fact]
    public void A_target_that_is_all_general_vanishes()
    {
        var deltas = Library(5, 3, 3);
        // Other coefficients of the same directions.
        var mixed = Cases.Regauge(deltas[1], 11);
        var inside = new LowRankDelta(mixed.B, deltas[1].A);
        foreach (var side in new[] { "input", "output", "both" })
        {
            var merged = Run(Projection(side, 1), inside, deltas[1]);
            Assert.All(merged.Delta.B.Values.Concat(merged.Delta.A.Values), x => Assert.Equal(0, x));
            Assert.Equal(1, merged.Report.General!.EnergyRemoved, 1e-12);
            Assert.Equal(1, merged.Report.General.Share, 1e-12);
        }

        var copy = Run(MergeRecipe.Over(Exact, 1, 1), deltas[1], deltas[1]).Report.General!;
        Assert.Equal(1, copy.Cosine, 1e-12);
        Assert.Equal(0, copy.Residual, 1e-12 * copy.Target);
    }

    [Fact]
    public void The_report_says_what_dense_arithmetic_says()
    {
        var deltas = Library(8, 3, 2, 2);
        double[] weights = [1, 3, 1];
        var mean = Dense.Sum((0.75, Dense.Of(deltas[1])), (0.25, Dense.Of(deltas[2])));
        var target = Matrix<double>.Build.DenseOfArray(Dense.Of(deltas[0]));
        var (p, q) = (Projector(Dense.Of(deltas[1]), Dense.Of(deltas[2])), Projector(Transposed(Dense.Of(deltas[1])), Transposed(Dense.Of(deltas[2]))));
        var energy = target.FrobeniusNorm() * target.FrobeniusNorm();
        foreach (var recipe in new[] { MergeRecipe.Over(Exact, weights), MergeRecipe.Over(Project, weights), MergeRecipe.Over(Factorwise, weights) })
        {
            var ranked = recipe.Method == Factorwise ? [deltas[0], Cases.Pad(deltas[1], 1), Cases.Pad(deltas[2], 1)] : deltas;
            var merged = Run(recipe, ranked);
            var general = merged.Report.General!;
            var residual = Dense.Of(merged.Delta);
            Assert.Equal(target.FrobeniusNorm(), general.Target, Tolerance);
            Assert.Equal(Dense.Norm(mean), general.Mean, Tolerance);
            Assert.Equal(Dense.Distance(target.ToArray(), residual), general.Removed, Tolerance);
            Assert.Equal(Dense.Norm(residual), general.Residual, Tolerance);
            Assert.Equal(1 - (Dense.Inner(residual, residual) / energy), general.EnergyRemoved, Tolerance);
            Assert.Equal(Dense.Inner(target.ToArray(), mean) / (target.FrobeniusNorm() * Dense.Norm(mean)), general.Cosine, Tolerance);
            Assert.Equal(Square((q * target * p).FrobeniusNorm()) / energy, general.Share, Tolerance);
            Assert.Equal(Square((target * p).FrobeniusNorm()) / energy, general.InputShare, Tolerance);
            Assert.Equal(Square((q * target).FrobeniusNorm()) / energy, general.OutputShare, Tolerance);
            if (recipe.Method == Project)
                Assert.Equal(general.InputShare, general.EnergyRemoved, Tolerance);
        }
    }

    [Fact]
    public void An_exact_subtraction_of_what_is_not_there_adds_energy_and_says_so()
    {
        var deltas = Library(2, 2, 2);
        var merged = Run(MergeRecipe.Over(Exact, 1, 1), deltas[0], Adapters.Scale(deltas[1], 10));
        Assert.True(merged.Report.General!.EnergyRemoved < -1);
        Assert.InRange(merged.Report.General.Share, 0, 1);
    }

    [Fact]
    public void Totals_add_up_before_they_are_divided()
    {
        var (q, v) = (Library(2, 2, 2), Library(6, 3, 3));
        Adapter[] inputs = [Adapters.Of(("q", q[0]), ("v", v[0])), Adapters.Of(("q", q[1]), ("v", v[1]), ("w", q[1]))];
        Assert.True(MergePlan.TryCreate(MergeRecipe.Over(Project, 1, 1), inputs, out var plan, out _));
        var report = new MergeReport([.. Merging.Run(plan, inputs).Select(m => m.Report)], plan.NotMerged);
        var modules = report.Modules.Select(m => m.General!).ToList();
        var energy = modules.Sum(m => m.Target * m.Target);
        Assert.Equal(modules.Sum(m => m.InputShare * m.Target * m.Target) / energy, report.General!.InputShare, 1e-12);
        Assert.Equal(1 - (modules.Sum(m => m.Residual * m.Residual) / energy), report.General.EnergyRemoved, 1e-12);
        Assert.Equal((0, 0, 0), (modules[2].Target, modules[2].Share, modules[2].EnergyRemoved)); // only the general adapter has it
        Assert.Null(new MergeReport([.. Merging.Run(Plan(MergeRecipe.Over("linear", 1, 1), inputs), inputs).Select(m => m.Report)], []).General);
    }

    [Fact]
    public void The_factor_wise_subtraction_is_another_one_in_other_factors_and_needs_equal_ranks_and_modules()
    {
        var deltas = Library(7, 2, 2);
        var (first, second) = (Run(MergeRecipe.Over(Factorwise, 1, 1), deltas), Run(MergeRecipe.Over(Factorwise, 1, 1), deltas[0], Cases.Regauge(deltas[1], 3)));
        Assert.True(Dense.Distance(Dense.Of(first.Delta), Dense.Of(second.Delta)) > 0.1);
        Refused([Adapters.Of(("q", deltas[0])), Adapters.Of(("q", Cases.Pad(deltas[1], 1)))]);
        Refused([Adapters.Of(("q", deltas[0])), Adapters.Of(("v", deltas[1]))]);

        static void Refused(Adapter[] inputs)
        {
            Assert.False(MergePlan.TryCreate(MergeRecipe.Over(Factorwise, 1, 1), inputs, out _, out var problems));
            Assert.Equal(MergeProblem.FactorsNotComparable, Assert.Single(problems).Code);
        }
    }

    [Fact]
    public void Weights_that_add_up_to_nothing_are_refused_where_they_divide()
    {
        Adapter[] inputs = [.. Library(1, 2, 2, 2).Select(d => Adapters.Of(("q", d)))];
        foreach (var method in new[] { Exact, Factorwise })
        {
            Assert.False(MergePlan.TryCreate(MergeRecipe.Over(method, 1, 1, -1), inputs, out _, out var problems));
            Assert.Equal(MergeProblem.WeightsInvalid, Assert.Single(problems).Code);
        }

        Assert.True(MergePlan.TryCreate(MergeRecipe.Over(Project, 1, 1, -1), inputs, out _, out _));
    }

    private static MergeRecipe Projection(string side, int general) =>
        MergeRecipe.Over(Project, [.. Enumerable.Repeat(1d, general + 1)]).With("side", RecipeValue.Of(side));

    private static LowRankDelta[] Library(int seed, params int[] ranks)
    {
        var random = new Random(seed);
        return [.. ranks.Select(r => Adapters.Random(random, 17, 14, r))];
    }

    // Onto what the rows of the matrices span, by another library's SVD.
    private static Matrix<double> Projector(params double[][,] matrices)
    {
        var stacked = matrices.Select(m => Matrix<double>.Build.DenseOfArray(m)).Aggregate((x, y) => x.Stack(y));
        var svd = stacked.Svd();
        var basis = svd.VT.SubMatrix(0, svd.S.Count(s => s > 1e-9 * svd.S[0]), 0, stacked.ColumnCount);
        return basis.TransposeThisAndMultiply(basis);
    }

    private static double[,] Transposed(double[,] x) => Matrix<double>.Build.DenseOfArray(x).Transpose().ToArray();

    private static LowRankDelta Golden(int e)
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

    private static MergedModule Run(MergeRecipe recipe, params LowRankDelta[] deltas) => Run(recipe, [.. deltas.Select(d => Adapters.Of(("q", d)))]);

    private static MergedModule Run(MergeRecipe recipe, Adapter[] inputs) => RunAll(recipe, inputs).Single();

    private static List<MergedModule> RunAll(MergeRecipe recipe, Adapter[] inputs) => [.. Merging.Run(Plan(recipe, inputs), inputs)];

    private static MergePlan Plan(MergeRecipe recipe, Adapter[] inputs)
    {
        Assert.True(MergePlan.TryCreate(recipe, inputs, out var plan, out var problems), string.Join('\n', problems));
        return plan;
    }

    private static void Close(double[,] expected, double[,] actual, double scale) =>
        Assert.InRange(Dense.Distance(expected, actual), 0, Tolerance * (1 + scale + Dense.Norm(expected)));

    private static double Square(double x) => x * x;
}
