using Marketplace.Core;
using Marketplace.Core.Algebra;
using Marketplace.Core.Merges;
using Marketplace.Core.Methods;
using Xunit;

namespace Marketplace.Tests.Algebra;

public sealed class MergePlanTests
{
    private static readonly Adapter Plain = Adapter(new("q", ModuleKind.Linear, 4, 5, 2, 1));

    [Fact]
    public void Every_problem_is_named_with_its_input_and_module()
    {
        Assert.Equal([(MergeProblem.NoInputs, null, null)], Problems(new("linear")));
        Assert.Equal([(MergeProblem.NoModules, null, null)], Problems(new("linear"), Adapters.Of()));
        Assert.Equal([(MergeProblem.WeightsNotFinite, null, null)], Problems(new("linear", [double.NaN]), Plain));
        Assert.Equal([(MergeProblem.ParameterInvalid, null, null)], Problems(new("cat", Lambda: double.PositiveInfinity), Plain));
        Assert.Equal([(MergeProblem.WeightsInvalid, null, "q")], Problems(new("linear", [1, -1]), Plain, Plain));
        Assert.Equal([(MergeProblem.RankInvalid, null, null)], Problems(new("svd", Rank: 0), Plain));
        Assert.Equal([(MergeProblem.DoraNotMergeable, 1, "q")],
            Problems(new("linear"), Plain, Adapter(new("q", ModuleKind.Linear, 4, 5, 2, 1, HasMagnitude: true))));
        Assert.Equal([(MergeProblem.LoraBiasNotMergeable, 1, "q")],
            Problems(new("linear"), Plain, Adapter(new("q", ModuleKind.Linear, 4, 5, 2, 1, HasBias: true))));
        Assert.Equal([(MergeProblem.ModuleShapeMismatch, 1, "q")],
            Problems(new("linear"), Plain, Adapter(new("q", ModuleKind.Linear, 5, 4, 2, 1))));
        Assert.Equal([(MergeProblem.KindMismatch, 1, "q")],
            Problems(new("linear"), Plain, Adapter(new("q", ModuleKind.Embedding, 4, 5, 2, 1))));
    }

    [Fact]
    public void Kernels_of_convolutions_must_agree() => Assert.Equal([(MergeProblem.ModuleShapeMismatch, 1, "c")], Problems(new("cat"),
        Adapter(new("c", ModuleKind.Conv2d, 4, 18, 2, 1, (3, 3))), Adapter(new("c", ModuleKind.Conv2d, 4, 18, 2, 1, (1, 9)))));

    [Fact]
    public void All_problems_come_at_once() => Assert.Equal(
        [MergeProblem.DoraNotMergeable, MergeProblem.KindMismatch],
        Problems(new("svd"),
            Plain, Adapter(new("q", ModuleKind.Embedding, 4, 5, 2, 1, HasMagnitude: true))).Select(p => p.Code));

    [Fact]
    public void Weights_that_sum_to_zero_are_fine_where_nothing_is_divided() =>
        Assert.Empty(Problems(new("linear", [1, -1], Normalize: false), Plain, Plain));

    [Fact]
    public void Subtracting_nothing_or_by_weights_that_cancel_is_refused()
    {
        Assert.False(MergePlan.TryCreate(WeightedSum.Subtraction([1, -1]), [Plain, Plain, Plain], out _, out var problems));
        Assert.Equal(MergeProblem.WeightsInvalid, Assert.Single(problems).Code);
        Assert.False(MergePlan.TryCreate(WeightedSum.Subtraction([1], double.NaN), [Plain, Plain], out _, out problems));
        Assert.Equal(MergeProblem.ParameterInvalid, Assert.Single(problems).Code);
        Assert.False(MergePlan.TryCreate(WeightedSum.Subtraction([]), [Plain], out _, out problems));
        Assert.Equal(MergeProblem.InputsCount, Assert.Single(problems).Code);
    }

    [Fact]
    public void A_plan_has_the_union_of_modules_in_ordinal_order_and_names_what_is_left_out()
    {
        var random = new Random(1);
        Adapter[] inputs =
        [
            Adapters.Of([(new("b", ModuleKind.Linear, 4, 5, 2, 1), Adapters.Random(random, 4, 5, 2))], "lm_head.weight"),
            Adapters.Of(("b", Adapters.Random(random, 4, 5, 3)), ("B", Adapters.Random(random, 4, 5, 1))),
        ];
        Assert.True(MergePlan.TryCreate(new WeightedSum("svd", [1, 3], Lambda: 2).Over(2), inputs, out var plan, out _));
        Assert.Equal(["B", "b"], plan.Modules.Select(m => m.Module.Name));
        Assert.Equal([1, 3], plan.Modules[1].Nodes[0].Weights);
        Assert.Equal((5, 1.0), (plan.Modules[1].Module.Rank, plan.Modules[1].Module.Scaling));
        Assert.Equal([0], plan.Modules[0].MissingIn);
        Assert.Equal(["lm_head.weight"], plan.NotMerged[0]);
        Assert.Empty(plan.NotMerged[1]);
    }

    [Fact]
    public void A_report_adds_up()
    {
        var report = new MergeReport([new("a", 4, 2, 3, 0, []), new("b", 4, 3, 4, 2.5, [])], []);
        Assert.Equal((5, 2.5, 0.5, 3), (report.Norm, report.DiscardedNorm, report.RelativeDiscarded, report.MaxRank));
        Assert.Equal(0.390625, report.Modules[1].DiscardedEnergy);
    }

    private static (string Code, int? Input, string? Module)[] Problems(WeightedSum recipe, params Adapter[] inputs)
    {
        var planned = MergePlan.TryCreate(recipe.Over(inputs.Length), inputs, out var plan, out var problems);
        Assert.Equal(planned, problems.IsEmpty);
        Assert.Equal(planned, plan is not null);
        return [.. problems.Select(p => (p.Code, p.Input, p.Module))];
    }

    private static Adapter Adapter(TargetModule module) =>
        Adapters.Of([(module, Adapters.Random(new Random(1), module.Out, module.In, module.Rank))]);
}
