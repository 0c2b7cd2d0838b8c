using CsCheck;
using Marketplace.Core;
using Marketplace.Core.Algebra;
using Marketplace.Core.Merges;
using Marketplace.Tests.Algebra;
using Xunit;

namespace Marketplace.Tests.Merges;

public sealed class MergePrepassTests
{
    private static readonly Gen<Adapter> Library = Gen.Select(Gen.Int[1, 5], Gen.Int[0, 1_000_000]).Select((modules, seed) => Make(seed, modules));

    [Fact]
    public void The_threshold_is_that_of_sorting_everything() => Gen.Select(Library, Gen.Double[0.001, 0.999], Gen.Int[1, 2]).Sample((adapter, density, parallelism) =>
    {
        var sorted = Sorted(adapter);
        var k = (int)(density * sorted.Length);
        Assert.Equal(k == 0 ? double.PositiveInfinity : sorted[k - 1], MergePrepass.Threshold(adapter, density, ReferenceKernels.Instance, parallelism));
    });

    [Fact]
    public void Numbers_of_all_sizes_are_told_apart()
    {
        // One entry per module: zeros, subnormal and huge numbers, neighbours in float32, and ties.
        double[] values = [0, -0.0, 1e-45, -1e-40, 1e-10, 1, MathF.BitIncrement(1), -MathF.BitIncrement(1), 3e38, -1e30];
        var adapter = Adapters.Of([.. values.Select((v, i) => ($"m{i}", new LowRankDelta(new Matrix(1, 1, [v]), new Matrix(1, 1, [1]))))]);
        float[] sorted = [.. values.Select(v => Math.Abs((float)v)).OrderDescending()];
        for (var k = 1; k <= values.Length; k++)
            Assert.Equal(sorted[k - 1], MergePrepass.Threshold(adapter, (k + 0.5) / (values.Length + 0.5), ReferenceKernels.Instance, 1, TestContext.Current.CancellationToken));
    }

    [Fact]
    public void Entries_are_ranked_over_all_modules_of_an_input() => Gen.Select(Library, Library, Gen.Double[0.05, 0.95]).Sample((first, second, density) =>
    {
        Adapter[] inputs = [first, second];
        var recipe = Recipe("magnitude_prune", density) with { Inputs = [RecipeInput.Of("a", 2), RecipeInput.Of("b", -1)] };
        Assert.True(MergePlan.TryCreate(recipe, inputs, out var plan, out _));
        var thresholds = inputs.Select(a => Sorted(a)).Select(s => (int)(density * s.Length) is var k and > 0 ? s[k - 1] : float.PositiveInfinity).ToList();
        foreach (var merged in Merging.Run(plan, inputs))
        {
            var expected = new Matrix(merged.Module.Out, merged.Module.In);
            for (var e = 0; e < 2; e++)
            {
                if (inputs[e].Delta(merged.Module.Name) is not { } delta)
                    continue;
                var dense = MatrixMath.Times(delta.B, delta.A);
                for (var i = 0; i < dense.Values.Length; i++)
                    expected.Values[i] += Math.Abs((float)dense.Values[i]) >= thresholds[e] ? (e == 0 ? 2 : -1) * dense.Values[i] : 0;
            }

            Dense.AssertClose(expected.Values, MatrixMath.Times(merged.Delta.B, merged.Delta.A).Values, 1e-9);
        }
    }, iter: 40);

    [Fact]
    public void Ties_over_the_adapter_trims_weak_modules_away()
    {
        var random = new Random(5);
        LowRankDelta strong = Adapters.Random(random, 10, 10, 2), weak = Adapters.Scale(Adapters.Random(random, 10, 10, 2), 1e-6);
        var adapter = Adapters.Of(("strong", strong), ("weak", weak));
        var over = Run(Recipe("ties", 0.3), adapter);
        Assert.All(over["weak"].B.Values, x => Assert.Equal(0, x));
        Assert.Contains(Run(Recipe("ties", 0.3).With("scope", RecipeValue.Of("module")), adapter)["weak"].B.Values, x => x != 0);
        Dense.AssertClose(Dense.Of(strong), Run(Recipe("ties", 1), adapter)["strong"]); // nothing is trimmed
    }

    [Fact]
    public void Nested_recipes_and_densities_that_change_are_refused()
    {
        var adapter = Make(1, 2);
        var nested = new MergeRecipe("linear", [RecipeInput.Of("a"), RecipeInput.Of("b")]);
        Assert.Equal([MergeProblem.WeightsInvalid], Problems(Recipe("ties", 0.5) with { Inputs = [RecipeInput.Of("a"), new(Recipe: nested)] }, adapter, adapter));
        Assert.Empty(Problems((Recipe("ties", 0.5) with { Inputs = [RecipeInput.Of("a"), new(Recipe: nested)] }).With("scope", RecipeValue.Of("module")), adapter, adapter));
        Assert.Equal([MergeProblem.WeightsInvalid], Problems(
            Recipe("ties", 0.5).With("density", RecipeValue.When(new RecipeCondition("m0", 0.2), new RecipeCondition(null, 0.4))), adapter));
    }

    [Fact]
    public void A_module_that_was_not_gone_over_before_is_not_merged_in_silence()
    {
        var adapter = Make(1, 2);
        Assert.True(MergePlan.TryCreate(Recipe("ties", 0.5), [adapter], out var plan, out _));
        Assert.Throws<InvalidOperationException>(() => Merging.Merge(plan.Modules[0], [adapter], ReferenceKernels.Instance, TestContext.Current.CancellationToken));
    }

    [Fact]
    public void A_plan_that_needs_no_threshold_is_left_as_it_is()
    {
        var adapter = Make(1, 2);
        Assert.True(MergePlan.TryCreate(MergeRecipe.Over("ties", 1), [adapter], out var plan, out _));
        Assert.Same(plan, MergePrepass.Run(plan, [adapter], ReferenceKernels.Instance, 1, TestContext.Current.CancellationToken));
    }

    private static MergeRecipe Recipe(string method, double density) =>
        (MergeRecipe.Over(method, 1) with { Rank = RecipeRank.Lossless }).With("scope", RecipeValue.Of("adapter")).With("density", density);

    private static Dictionary<string, LowRankDelta> Run(MergeRecipe recipe, Adapter adapter)
    {
        Assert.True(MergePlan.TryCreate(recipe, [adapter], out var plan, out _));
        return Merging.Run(plan, [adapter]).ToDictionary(m => m.Module.Name, m => m.Delta);
    }

    private static string[] Problems(MergeRecipe recipe, params Adapter[] adapters) =>
        MergePlan.TryCreate(recipe, adapters, out _, out var problems) ? [] : [.. problems.Select(p => p.Code)];

    private static float[] Sorted(Adapter adapter) => [.. adapter.Modules.Select(m => adapter.Delta(m.Name)!)
        .SelectMany(d => MatrixMath.Times(d.B, d.A).Values).Select(x => Math.Abs((float)x)).OrderDescending()];

    // Modules of one shape for one index, so that adapters can be merged; of sizes that differ.
    private static Adapter Make(int seed, int modules)
    {
        var random = new Random(seed);
        return Adapters.Of([.. Enumerable.Range(0, modules).Select(i => ($"m{i}", Adapters.Scale(Adapters.Random(random, 3 + i, 7 - i, 2), 1 + i)))]);
    }
}
