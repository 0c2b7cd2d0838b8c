using Marketplace.Core;
using Marketplace.Core.Algebra;
using Marketplace.Core.Merges;
using Marketplace.Tests.Algebra;
using Xunit;

namespace Marketplace.Tests.Merges;

/// <summary>Nested recipes as one graph, and values that change from module to module.</summary>
public sealed class MergeGraphTests
{
    [Fact]
    public void Equal_parts_are_one_node_and_computed_once()
    {
        var random = new Random(1);
        Adapter[] inputs = [Library(random), Library(random)];
        // (a + b) appears twice, once inside a negation.
        var sum = new MergeRecipe("task_arithmetic", [RecipeInput.Of("a"), RecipeInput.Of("b")]);
        var recipe = new MergeRecipe("task_arithmetic", [new(Recipe: sum), new(Recipe: new("negate", [new(Recipe: sum)])), RecipeInput.Of("a", 3)]);
        var graph = MergeGraph.Create(recipe, n => n, out _)!;
        Assert.Equal(["a", "b"], graph.Leaves);
        Assert.Equal(["task_arithmetic", "negate", "task_arithmetic"], graph.Nodes.Select(n => n.Method.Name));
        Assert.True(MergePlan.TryCreate(graph, inputs, CarriedPolicy.Report, out var plan, out _));
        var merged = Merging.Run(plan, inputs).First();
        Dense.AssertClose(Dense.Sum((3, Dense.Of(inputs[0].Delta(merged.Module.Name)!))), merged.Delta, 1e-12);
    }

    [Fact]
    public void Two_names_of_one_content_are_one_leaf()
    {
        var graph = MergeGraph.Create(new MergeRecipe("linear", [RecipeInput.Of("a"), RecipeInput.Of("a@1", 2)]), _ => "same", out _)!;
        Assert.Equal(["a"], graph.Leaves);
        Assert.Equal([0, 0], graph.Root.Inputs.Select(i => i.Leaf));
    }

    [Fact]
    public void A_nested_recipe_is_what_merging_in_two_steps_gives() => CsCheck.Check.Sample(Cases.Terms, terms =>
    {
        Adapter[] inputs = [.. terms.Select(t => Adapters.Of(("q", t.Delta)))];
        var nested = new MergeRecipe("task_arithmetic", [RecipeInput.Of("#0", 2), new(Recipe: MergeRecipe.Over("linear", [.. terms.Select(t => 1d)]), Weight: -0.5)]);
        Assert.True(MergePlan.TryCreate(nested, inputs, out var plan, out var problems), string.Join('\n', problems));
        var expected = Dense.Sum([(2, Dense.Of(terms[0].Delta)), .. terms.Select(t => (-0.5 / terms.Length, Dense.Of(t.Delta)))]);
        Assert.InRange(Dense.Distance(expected, Dense.Of(Merging.Run(plan, inputs).Single().Delta)), 0, 1e-10 * (1 + terms.Max(t => Dense.Norm(Dense.Of(t.Delta)))));
    });

    [Fact]
    public void A_list_of_weights_is_interpolated_over_the_layers()
    {
        string[] names = ["embed_tokens", "layers.0.q", "layers.1.q", "layers.2.q", "layers.3.q", "layers.4.q", "lm_head"];
        var adapter = Adapters.Of([.. names.Select((n, i) => (n, Adapters.Random(new Random(i), 3, 4, 1)))]);
        var weights = Weights(new("task_arithmetic", [new("a", Weight: RecipeValue.OverLayers(0, 1, 5))]), adapter);
        Assert.Equal([0, 0, 0.5, 1, 3, 5, 5], names.Select(n => weights[n]));
    }

    [Fact]
    public void The_first_condition_that_applies_counts_and_none_means_the_default()
    {
        var adapter = Adapters.Of([.. new[] { "layers.0.mlp.up", "layers.0.attn.q", "layers.1.mlp.up" }.Select((n, i) => (n, Adapters.Random(new Random(i), 3, 4, 1)))]);
        var value = RecipeValue.When(new RecipeCondition("layers.1", RecipeValue.Of(7)), new RecipeCondition("mlp", RecipeValue.OverLayers(2, 4)));
        var weights = Weights(new("task_arithmetic", [new("a", Weight: value)]), adapter);
        Assert.Equal((2, 1, 7), (weights["layers.0.mlp.up"], weights["layers.0.attn.q"], weights["layers.1.mlp.up"]));
    }

    [Fact]
    public void Parameters_change_over_the_layers_as_well()
    {
        var adapter = Adapters.Of([.. Enumerable.Range(0, 3).Select(i => ($"layers.{i}.q", Adapters.Random(new Random(i), 3, 4, 1)))]);
        var recipe = MergeRecipe.Over("negate", 1).With("lambda", RecipeValue.OverLayers(0, 1));
        Assert.True(MergePlan.TryCreate(recipe, [adapter], out var plan, out _));
        foreach (var (merged, factor) in Merging.Run(plan, [adapter]).Zip([0, -0.5, -1.0]))
            Dense.AssertClose(Dense.Sum((factor, Dense.Of(adapter.Delta(merged.Module.Name)!))), merged.Delta, 1e-14);
    }

    [Fact]
    public void Weights_that_cancel_in_one_layer_only_are_found_before_anything_is_computed()
    {
        var adapter = Adapters.Of([.. Enumerable.Range(0, 3).Select(i => ($"layers.{i}.q", Adapters.Random(new Random(i), 3, 4, 1)))]);
        var recipe = new MergeRecipe("linear", [RecipeInput.Of("a"), new("b", Weight: RecipeValue.OverLayers(1, -3))]);
        Assert.False(MergePlan.TryCreate(recipe, [adapter, adapter], out _, out var problems));
        Assert.Equal((MergeProblem.WeightsInvalid, "layers.1.q", "$"), (Assert.Single(problems).Code, problems[0].Module, problems[0].Place));
    }

    [Fact]
    public void Tensors_beside_the_factors_are_reported_or_refused()
    {
        var delta = Adapters.Random(new Random(1), 3, 4, 2);
        var adapter = Adapters.Of([(new TargetModule("q", ModuleKind.Linear, 3, 4, 2, 1), delta)], "score.weight");
        var recipe = MergeRecipe.Over("linear", 1);
        Assert.True(MergePlan.TryCreate(recipe, [adapter], out var plan, out _));
        Assert.Equal(["score.weight"], plan.NotMerged[0]);
        Assert.False(MergePlan.TryCreate(recipe with { Carried = CarriedPolicy.Refuse }, [adapter], out _, out var problems));
        Assert.Equal(MergeProblem.CarriedNotMergeable, Assert.Single(problems).Code);
    }

    [Fact]
    public void Contributions_add_up_for_sums_and_split_evenly_between_copies() => CsCheck.Check.Sample(Cases.Terms, terms =>
    {
        Adapter[] inputs = [.. terms.Select(t => Adapters.Of(("q", t.Delta))), Adapters.Of(("q", terms[0].Delta))];
        Assert.True(MergePlan.TryCreate(MergeRecipe.Over("task_arithmetic", [.. terms.Select(t => t.Weight), 1]), inputs, out var plan, out _));
        var merged = Merging.Run(plan, inputs).Single();
        var shares = merged.Report.Parents.Select(p => p!.Share).ToList();
        if (Deltas.Norm(merged.Delta) > 1e-3 * inputs.Max(a => Deltas.Norm(a.Delta("q")!)))
        {
            Assert.Equal(1, shares.Sum(), 1e-6);
            Assert.Equal(shares[0], shares[^1], 1e-6);
        }

        Assert.All(merged.Report.Parents.Zip(inputs), p => Assert.Equal(Deltas.Norm(p.Second.Delta("q")!), p.First!.Norm, 1e-9 * (1 + p.First.Norm)));
    });

    private static Adapter Library(Random random) => Adapters.Of(("layers.0.q", Adapters.Random(random, 6, 5, 2)), ("layers.1.q", Adapters.Random(random, 6, 5, 2)));

    private static Dictionary<string, double> Weights(MergeRecipe recipe, params Adapter[] inputs)
    {
        Assert.True(MergePlan.TryCreate(recipe, inputs, out var plan, out var problems), string.Join('\n', problems));
        return plan.Modules.ToDictionary(m => m.Module.Name, m => m.Nodes[^1].Weights[0]);
    }
}
