using Marketplace.Core;
using Marketplace.Core.Algebra;
using Marketplace.Core.Formats;
using Marketplace.Core.Merges;
using Marketplace.Tests.Algebra;
using Xunit;

namespace Marketplace.Tests.Merges;

/// <summary>What must hold of every method in the catalogue, or must fail for those that work on factors: a new method is tested by being listed.</summary>
public sealed class EveryMethodTests
{
    private const double Tolerance = 1e-8;

    // Methods whose result is defined on the factors as they are, not on ΔW.
    private static readonly HashSet<string> OnFactors = [.. MergeMethods.All.Where(m => m.Class == MethodClass.Factorwise).Select(m => m.Name), "lego"];

    public static TheoryData<string> Names => [.. MergeMethods.All.Select(m => m.Name)];

    public static TheoryData<string> NamesOnDelta => [.. MergeMethods.All.Select(m => m.Name).Except(OnFactors)];

    public static TheoryData<string> NamesOnFactors => [.. OnFactors];

    [Theory]
    [MemberData(nameof(NamesOnDelta))]
    public void The_result_does_not_depend_on_how_delta_is_factored(string name) => Sample(name, (recipe, deltas) => AssertSame(
        Merge(recipe, deltas), Merge(recipe, [.. deltas.Select((d, i) => Cases.Regauge(d, i + 1))])));

    [Theory]
    [MemberData(nameof(NamesOnFactors))]
    public void Methods_on_factors_do_depend_on_it(string name)
    {
        var (recipe, deltas) = Case(name, 1);
        var (first, second) = (Merge(recipe, deltas), Merge(recipe, [.. deltas.Select((d, i) => Cases.Regauge(d, i + 1))]));
        Assert.True(Dense.Distance(first, second) > 1e-3 * Dense.Norm(first));
    }

    [Theory]
    [MemberData(nameof(NamesOnDelta))]
    public void Rows_and_columns_of_zeros_change_nothing(string name) => Sample(name, (recipe, deltas) =>
    {
        // A fixed rank: the largest input's would grow with the padding.
        recipe = recipe with { Rank = 2 };
        AssertSame(Merge(recipe, deltas), Merge(recipe, [.. deltas.Select((d, i) => Cases.Pad(d, i))]));
    });

    [Theory]
    [MemberData(nameof(Names))]
    public void A_scaling_means_the_same_beside_the_factors_and_inside_B(string name) => Sample(name, (recipe, deltas) =>
    {
        // Factor-wise methods split a scaling between A and B, so for them only alpha and rank may trade places.
        double Scale(int i) => OnFactors.Contains(name) ? 2 : i + 0.5;
        var beside = Merge(recipe, [.. deltas.Select((d, i) => Adapters.Of(Scale(i), ("q", d)))]);
        var inside = Merge(recipe, [.. deltas.Select((d, i) => OnFactors.Contains(name) ? Adapters.Of(Scale(i), ("q", d)) : Adapters.Of(("q", Adapters.Scale(d, Scale(i)))))]);
        AssertSame(beside, inside);
    });

    [Theory]
    [MemberData(nameof(Names))]
    public void Inputs_that_play_the_same_part_may_come_in_any_order(string name)
    {
        if (name is "add" or "analogy" or "genknowsub" or "genknowsub_project" or "genknowsub_factorwise" or "slerp")
            return; // their inputs play different parts; their own tests swap them
        Sample(name, (recipe, deltas) =>
        {
            int[] order = [.. Enumerable.Range(0, deltas.Length).Reverse()];
            var turned = recipe with { Inputs = [.. order.Select(i => recipe.Inputs[i])] };
            AssertSame(Merge(recipe, deltas), Merge(turned, [.. order.Select(i => deltas[i])]));
        });
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void The_same_recipe_gives_the_same_bits(string name) => Sample(name, (recipe, deltas) => Assert.Equal(
        Merge(recipe, deltas).Cast<double>().Select(BitConverter.DoubleToInt64Bits), Merge(recipe, deltas).Cast<double>().Select(BitConverter.DoubleToInt64Bits)));

    [Theory]
    [MemberData(nameof(Names))]
    public void A_transposed_base_is_merged_like_any_other_and_keeps_its_flag(string name) => Sample(name, (recipe, deltas) =>
    {
        // ΔW is (out, in) whatever the base stores: a square module, where no shape gives a confusion away.
        Adapter[] inputs = [.. deltas.Select(d => new Adapter(
            new AdapterConfig { FanInFanOut = true }, [new TargetModule("q", ModuleKind.Linear, d.Out, d.In, d.Rank, 1)], _ => d))];
        AssertSame(Merge(recipe, deltas), Merge(recipe, inputs));
    }, square: true);

    [Theory]
    [MemberData(nameof(Names))]
    public void A_module_that_some_lack_is_merged_all_the_same(string name)
    {
        if (OnFactors.Contains(name) && name != "lego")
            return; // refused by the plan, see FactorwiseTests
        var (recipe, deltas) = Case(name, 3);
        Adapter[] inputs = [.. deltas.Select((d, i) => i == 0 ? Adapters.Of(("q", d), ("v", d)) : Adapters.Of(("q", d)))];
        Assert.True(MergePlan.TryCreate(recipe, inputs, out var plan, out var problems), string.Join('\n', problems));
        var merged = Merging.Run(plan, inputs).ToList();
        Assert.Equal(["q", "v"], merged.Select(m => m.Module.Name));
        Assert.All(merged, m => Assert.True(m.Delta.A.Values.Concat(m.Delta.B.Values).All(double.IsFinite)));
        Assert.Equal(Enumerable.Range(1, inputs.Length - 1), merged[1].Report.MissingIn);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Adapters_that_change_nothing_give_one_that_changes_nothing(string name)
    {
        var (recipe, deltas) = Case(name, 1);
        var merged = Merge(recipe, [.. deltas.Select(d => new LowRankDelta(new Matrix(d.Out, d.Rank), d.A))]);
        Assert.All(merged.Cast<double>(), x => Assert.Equal(0, x));
    }

    private static void Sample(string name, Action<MergeRecipe, LowRankDelta[]> check, bool square = false)
    {
        for (var seed = 0; seed < 10; seed++)
        {
            var (recipe, deltas) = Case(name, seed, square);
            check(recipe, deltas);
        }
    }

    private static (MergeRecipe Recipe, LowRankDelta[] Deltas) Case(string name, int seed, bool square = false)
    {
        var method = MergeMethods.Find(name)!;
        var random = new Random(seed);
        var count = Math.Clamp(3, method.MinInputs, method.MaxInputs);
        var (rows, columns) = square ? (7, 7) : (random.Next(5, 12), random.Next(5, 12));
        double[] weights = [.. Enumerable.Range(0, count).Select(_ => 0.2 + random.NextDouble())];
        LowRankDelta[] deltas = [.. Enumerable.Range(0, count).Select(i => Adapters.Random(random, rows, columns, OnFactors.Contains(name) ? 2 : 1 + (i % 3)))];
        return (MergeRecipe.Over(name, weights), deltas);
    }

    private static double[,] Merge(MergeRecipe recipe, LowRankDelta[] deltas) => Merge(recipe, [.. deltas.Select(d => Adapters.Of(("q", d)))]);

    private static double[,] Merge(MergeRecipe recipe, Adapter[] inputs)
    {
        Assert.True(MergePlan.TryCreate(recipe, inputs, out var plan, out var problems), string.Join('\n', problems));
        return Dense.Of(Merging.Run(plan, inputs).Single().Delta);
    }

    private static void AssertSame(double[,] expected, double[,] actual) =>
        Assert.InRange(Dense.Distance(expected, actual), 0, Tolerance * (1 + Dense.Norm(expected)));
}
