using System.Text.Json;
using Marketplace.Core;
using Marketplace.Core.Algebra;
using Marketplace.Core.Composition;
using Marketplace.Kernels.Composition;
using Marketplace.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace Marketplace.Kernels.Tests.Composition;

/// <summary>Formulas and gradients in float64, on adapters in closed form.</summary>
public class ModuleTermsTests
{
    private static readonly JsonElement Golden = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Fixtures.Root, "golden.json"))).RootElement;

    [Fact]
    public void The_gradient_of_a_coefficient_is_the_recorded_one()
    {
        using var scope = NewDisposeScope();
        using var composed = Compose(GoldenComposition.Terms(CompositionSettings.Of("atlas")));
        GoldenComposition.Dense(composed).sum().backward();
        Assert.Equal(Golden.GetProperty("fan_atlas_grad_dc0_for_G_ones").GetDouble(), composed.Tables.Values.Single().grad![0, 0].ToDouble(), 1e-13);
    }

    [Fact]
    public void Pooled_axes_have_the_recorded_singular_values()
    {
        var terms = GoldenComposition.Terms(CompositionSettings.Of("axis", null, ("axes", 3), ("trained", 1)));
        var expected = Golden.GetProperty("axis_K3_sv").EnumerateArray().Select(e => e.GetDouble()).ToArray();
        Assert.Equal(expected.Length, terms.Start.Values.Length);
        Assert.All(expected.Zip(terms.Start.Values), pair => Assert.Equal(pair.First, pair.Second, 2e-8));
    }

    [Fact]
    public void With_all_axes_and_nothing_learned_axis_is_the_plain_sum()
    {
        var sum = Deltas.WeightedSum([.. GoldenComposition.Deltas.Select(d => (1.0, d))]);
        foreach (var trained in new[] { 0.3, 1 })
        {
            var terms = GoldenComposition.Terms(CompositionSettings.Of("axis", null, ("trained", trained)));
            Assert.InRange(Deltas.Distance(sum, terms.Sum(terms.Start)), 0, 1e-12 * Deltas.Norm(sum));
        }
    }

    [Theory]
    [InlineData("none")]
    [InlineData("rows")]
    [InlineData("ranks")]
    public void Coefficients_of_one_are_the_sum_however_they_are_cut(string partition)
    {
        var terms = GoldenComposition.Terms(CompositionSettings.Of("atlas", null, ("partition", Core.Merges.RecipeValue.Of(partition)), ("blocks", 2)));
        Assert.All(terms.Start.Values, c => Assert.Equal(0, c));
        var ones = new Matrix(terms.Start.Rows, terms.Start.Columns, [.. terms.Start.Values.Select(_ => 1.0)]);
        var sum = Deltas.WeightedSum([.. GoldenComposition.Deltas.Select(d => (1.0, d))]);
        Assert.InRange(Deltas.Distance(sum, terms.Sum(ones)), 0, 1e-12 * Deltas.Norm(sum));
        Assert.Equal(partition == "none" ? 3 : 6, terms.Start.Values.Length);
    }

    [Fact]
    public void Blocks_of_ranks_are_singular_axes_and_blocks_of_rows_are_rows()
    {
        var ranks = GoldenComposition.Terms(CompositionSettings.Of("atlas", null, ("partition", Core.Merges.RecipeValue.Of("ranks")), ("blocks", 2)));
        var first = ranks.Sum(new(6, 1, [0, 0, 1, 0, 0, 0])); // the strongest axis of the second source
        Assert.Equal(LowRankSvd.Of(GoldenComposition.Deltas[1]).S[0], Deltas.Norm(first), 1e-12);
        Assert.Equal(1, Recompression.Of(first, RankPolicy.Lossless).Delta.Rank);

        var rows = GoldenComposition.Terms(CompositionSettings.Of("atlas", null, ("partition", Core.Merges.RecipeValue.Of("rows")), ("blocks", 2)));
        var dense = GoldenComposition.Dense(rows.Sum(new(3, 2, [0, 0, 0, 2, 0, 0])));
        var expected = GoldenComposition.Dense(GoldenComposition.Deltas[1]);
        Assert.Equal(0, dense.narrow(0, 0, 3).abs().max().ToDouble());
        Assert.Equal(0, (dense.narrow(0, 3, 3) - (expected.narrow(0, 3, 3) * 2)).abs().max().ToDouble(), 1e-13);
    }

    [Fact]
    public void Omega_scales_the_rows_of_each_source()
    {
        var terms = GoldenComposition.Terms(CompositionSettings.Of("scalearn"));
        Assert.Equal((3, 6), (terms.Start.Rows, terms.Start.Columns));
        Assert.All(terms.Start.Values, w => Assert.InRange(w, (2 / 3.0) - 0.006, (2 / 3.0) + 0.006));
        Assert.True(terms.Start.Values.Distinct().Count() == 18);

        var alone = new Matrix(3, 6);
        Array.Fill(alone.Values, 1, 6, 6);
        Assert.InRange(Deltas.Distance(GoldenComposition.Deltas[1], terms.Sum(alone)), 0, 1e-13);

        double[] omega = [0.5, -1, 2, 0, 3, 0.1];
        omega.CopyTo(alone.Row(1));
        var expected = from_array(omega).unsqueeze(1).mul(GoldenComposition.Dense(GoldenComposition.Deltas[1]));
        Assert.Equal(0, (GoldenComposition.Dense(terms.Sum(alone)) - expected).abs().max().ToDouble(), 1e-13);
    }

    public static TheoryData<string, string, string> Forms => new()
    {
        { "atlas", "partition", "none" }, { "atlas", "partition", "rows" }, { "atlas", "partition", "ranks" }, { "scalearn", "granularity", "shared" }, { "axis", "objective", "answer" },
    };

    [Theory]
    [MemberData(nameof(Forms))]
    public void Gradients_are_central_differences_of_a_quadratic_loss(string method, string parameter, string value)
    {
        using var scope = NewDisposeScope();
        var settings = CompositionSettings.Of(method, null, (parameter, Core.Merges.RecipeValue.Of(value)));
        var terms = GoldenComposition.Terms(settings);
        using var composed = Compose(terms);
        var (x, goal) = (Wave(4, 5), Wave(4, 6));
        double[] point = [.. Enumerable.Range(0, terms.Start.Values.Length).Select(i => Math.Sin(i + 1))];
        composed.Upload(Tables(point));
        using var loss = Loss();
        loss.backward();
        var gradient = composed.Tables.Values.Single().grad!.view(-1).data<double>().ToArray();
        const double Step = 1e-4; // a quadratic has no third derivative: only rounding is left
        for (var i = 0; i < point.Length; i++)
            Assert.Equal((At(i, Step) - At(i, -Step)) / (2 * Step), gradient[i], 1e-8);

        double At(int index, double step)
        {
            double[] moved = [.. point];
            moved[index] += step;
            composed.Upload(Tables(moved));
            return Loss().ToDouble();
        }

        // The layer as the model applies it.
        Tensor Loss()
        {
            var y = composed.Factors()[GoldenComposition.Module].Apply(x) - goal;
            return (y * y).sum();
        }

        Dictionary<string, Matrix> Tables(double[] values) => new() { [terms.Group] = new(terms.Start.Rows, terms.Start.Columns, values) };
    }

    [Fact]
    public void The_planted_coefficients_of_a_quadratic_loss_are_found()
    {
        using var scope = NewDisposeScope();
        var terms = GoldenComposition.Terms(CompositionSettings.Of("atlas"));
        using var composed = Compose(terms);
        // A target with a part that no coefficients reach: the best are c = G⁻¹h.
        var target = GoldenComposition.Dense(Deltas.WeightedSum([.. GoldenComposition.Deltas.Zip([0.7, -0.4, 1.3]).Select(p => (p.Second, p.First))])) + Wave(6, 5);
        var flat = stack([.. GoldenComposition.Deltas.Select(d => GoldenComposition.Dense(d).view(-1))], 0);
        var closed = linalg.solve(flat.matmul(flat.t()), flat.matmul(target.view(-1))).data<double>().ToArray();

        using var optimizer = new AdamW(composed.Tables.Values, 0);
        const int Steps = 1500;
        for (var step = 0; step < Steps; step++)
        {
            using var inner = NewDisposeScope();
            var difference = GoldenComposition.Dense(composed) - target;
            (difference * difference).sum().backward();
            var table = composed.Tables.Values.Single();
            optimizer.Step([table.grad!], 0.1 * (Steps - step) / Steps);
            table.grad!.zero_();
        }

        var found = composed.Download().Values.Single().Values;
        Assert.All(closed.Zip(found), pair => Assert.Equal(pair.First, pair.Second, 1e-4));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(0.5)]
    public void AdamW_takes_the_steps_that_libtorch_takes(double clip)
    {
        using var scope = NewDisposeScope();
        using var own = Wave(3, 4).clone().requires_grad_();
        using var theirs = new TorchSharp.Modules.Parameter(own.detach().clone());
        using var optimizer = new AdamW([own], 0.1);
        using var reference = optim.AdamW([theirs], lr: 0.05, weight_decay: 0.1);
        for (var step = 0; step < 40; step++)
        {
            foreach (var value in new[] { own, theirs })
                ((value * value * value).sum() + value.sin().sum()).backward();
            if (clip > 0)
                nn.utils.clip_grad_norm_([theirs], clip);
            optimizer.Step([own.grad!], 0.05, clip);
            own.grad!.zero_();
            reference.step();
            reference.zero_grad();
        }

        Assert.InRange((own - theirs).abs().max().ToDouble(), 0, clip > 0 ? 1e-6 : 1e-12); // theirs divides by the norm plus 1e-6
        Assert.True((own - Wave(3, 4)).abs().max().ToDouble() > 0.5);
    }

    private static ComposedAdapters Compose(ModuleTerms terms)
    {
        var composed = new ComposedAdapters(CPU, ScalarType.Float64);
        composed.Add(GoldenComposition.Module, terms);
        return composed;
    }

    private static Tensor Wave(int rows, int columns) => from_array(Enumerable.Range(0, rows * columns).Select(i => Math.Cos((1.3 * i) + 0.2)).ToArray()).view(rows, columns);
}
