using System.Collections.Immutable;
using CsCheck;
using Marketplace.Core;
using Marketplace.Core.Algebra;
using Marketplace.Core.Merges;
using Marketplace.Tests.Algebra;
using Xunit;

namespace Marketplace.Tests.Merges;

/// <summary>The factor-wise methods against what PEFT wrote, factor by factor.</summary>
public sealed class FactorwiseTests
{
    private const double Tolerance = 2e-6; // PEFT computes in float32
    private const string Masked = "model.layers.0.self_attn.q_proj"; // the module whose masks are recorded

    public static readonly TheoryData<string> Methods = [.. FactorwiseMethods.All.Select(m => m.Name)];

    [Theory]
    [InlineData("linear_pos")]
    [InlineData("linear_neg")]
    [InlineData("linear_rslora_pos", 2)] // PEFT keeps use_rslora with alpha = r: its scale is √4 instead of 1
    [InlineData("ties_total_pos")]
    [InlineData("ties_total_neg")]
    [InlineData("ties_frequency_pos")]
    [InlineData("magnitude_prune_pos")]
    [InlineData("magnitude_prune_neg")]
    public void A_and_B_are_those_of_peft(string name, double scaling = 1)
    {
        var peftCase = PeftCases.Find(name);
        var inputs = peftCase.Inputs();
        using var peft = PeftFiles.Load("merge", "peft", name);
        Assert.True(MergePlan.TryCreate(Recipe(peftCase), inputs, out var plan, out var problems), string.Join("; ", problems));
        Assert.Equal(peft.Modules.Select(m => (m.Name, m.Rank)), plan.Modules.Select(m => (m.Module.Name, inputs[0].Find(m.Module.Name)!.Rank)));
        foreach (var merged in Merging.Run(plan, inputs))
        {
            var expected = peft.Delta(merged.Module.Name)!;
            AssertClose(expected.A, merged.Delta.A);
            AssertClose(Adapters.Scale(expected, 1 / scaling).B, merged.Delta.B);
        }
    }

    [Theory]
    [InlineData("dare_linear_pos")]
    [InlineData("dare_ties_pos")]
    public void With_the_masks_that_torch_drew_A_and_B_are_those_of_peft(string name)
    {
        var peftCase = PeftCases.Find(name);
        using var expected = PeftFiles.Open("merge", "peft", name, "expected.safetensors");
        var method = MergeMethods.Find("peft_factorwise_" + peftCase.Type)!;
        var parameters = new ParameterValues(method, ImmutableDictionary<string, RecipeValue>.Empty.Add("density", peftCase.Density));
        var inputs = peftCase.Inputs();
        var module = inputs[0].Find(Masked)!;
        var step = new MergeStep(
            module, [.. inputs.Select((a, i) => new StepInput(a.Delta(Masked), peftCase.Weights[i], parameters, a.Find(Masked)!.Scaling))], parameters, null);
        var merged = FactorwiseMethods.Merge(method.Name, step, i => (Mask("A", i), Mask("B", i)));
        AssertClose(PeftFiles.Matrix(expected, "A." + Masked), merged.A);
        AssertClose(PeftFiles.Matrix(expected, "B." + Masked), merged.B);

        Matrix Mask(string factor, int input) => PeftCases.Mask(expected, $"mask.{factor}.{peftCase.Adapters[input]}");
    }

    [Fact]
    public void What_peft_refuses_is_refused()
    {
        Adapter[] inputs = [PeftFiles.Load("merge", "adapters", "a"), PeftFiles.Load("merge", "adapters", "d_rank2")];
        Assert.All(FactorwiseMethods.All, method =>
        {
            Assert.False(MergePlan.TryCreate(MergeRecipe.Over(method.Name, 1, 1), inputs, out _, out var problems));
            Assert.Equal(MergeProblem.FactorsNotComparable, Assert.Single(problems).Code);
        });
    }

    [Fact]
    public void A_nested_recipe_is_refused()
    {
        var nested = new MergeRecipe(
            "peft_factorwise_linear", [RecipeInput.Of("a"), new(Recipe: new("linear", [RecipeInput.Of("a"), RecipeInput.Of("b")]))]);
        var delta = Adapters.Random(new Random(1), 4, 5, 2);
        Assert.False(MergePlan.TryCreate(nested, [Adapters.Of(("q", delta)), Adapters.Of(("q", delta))], out _, out var problems));
        Assert.Equal(MergeProblem.FactorsNotComparable, Assert.Single(problems).Code);
    }

    [Theory]
    [MemberData(nameof(Methods))]
    public void A_single_adapter_is_only_weighted(string method) => Gen.Select(Cases.Delta, Gen.Double[-3, 3], Gen.Double[0.1, 5]).Sample((delta, weight, scaling) =>
    {
        var recipe = MergeRecipe.Over(method, weight);
        if (method != "peft_factorwise_linear")
            recipe = recipe.With("density", 0.3);
        var inputs = new[] { Adapters.Of(scaling, ("q", delta)) };
        Dense.AssertClose(Dense.Sum((weight * scaling, Dense.Of(delta))), Run(recipe, inputs), 1e-12);
    });

    [Theory]
    [MemberData(nameof(Methods))]
    public void Other_factors_of_the_same_adapter_give_another_result(string method)
    {
        var random = new Random(3);
        LowRankDelta first = Adapters.Random(random, 6, 5, 2), second = Adapters.Random(random, 6, 5, 2);
        var recipe = MergeRecipe.Over(method, 0.5, 0.7);
        var merged = Dense.Of(Run(recipe, Adapters.Of(("q", first)), Adapters.Of(("q", second))));
        var regauged = Dense.Of(Run(recipe, Adapters.Of(("q", first)), Adapters.Of(("q", Cases.Regauge(second, 5)))));
        Assert.True(Dense.Distance(merged, regauged) > 0.1 * Dense.Norm(merged));
    }

    [Fact]
    public void Two_copies_of_half_weight_become_twice_the_adapter() => Cases.Delta.Sample(delta =>
    {
        var adapter = Adapters.Of(2, ("q", delta));
        Dense.AssertClose(Dense.Sum((4, Dense.Of(delta))), Run(MergeRecipe.Over("peft_factorwise_linear", 0.5, 0.5), adapter, adapter), 1e-12);
    });

    [Theory]
    [InlineData("peft_factorwise_dare_linear")]
    [InlineData("peft_factorwise_dare_ties")]
    public void Masks_follow_the_adapter_and_not_its_place(string method)
    {
        var random = new Random(3);
        Adapter[] adapters = [.. Enumerable.Range(0, 3).Select(_ => Adapters.Of(("q", Adapters.Random(random, 7, 9, 3))))];
        var inputs = adapters.Select((_, i) => RecipeInput.Of($"{i}", i + 1)).ToArray();
        var density = new Dictionary<string, RecipeValue> { ["density"] = 0.5 };
        var there = Run(new MergeRecipe(method, inputs, Parameters: density), adapters);
        var back = Run(new MergeRecipe(method, [.. inputs.Reverse()], Parameters: density), [.. adapters.Reverse()]);
        Dense.AssertClose(Dense.Of(there), back, 1e-12);
        Assert.Contains(0d, there.A.Values.Concat(there.B.Values));
        var otherSeed = Run(new MergeRecipe(method, inputs, Parameters: density, Seed: 7), adapters);
        Assert.True(Dense.Distance(Dense.Of(there), Dense.Of(otherSeed)) > 0.1);
    }

    private static MergeRecipe Recipe(PeftCase peftCase)
    {
        var recipe = MergeRecipe.Over("peft_factorwise_" + peftCase.Type, peftCase.Weights);
        if (peftCase.Type != "linear")
            recipe = recipe.With("density", peftCase.Density);
        return peftCase.Majority is { } majority ? recipe.With("majority", RecipeValue.Of(majority)) : recipe;
    }

    private static LowRankDelta Run(MergeRecipe recipe, params Adapter[] inputs)
    {
        Assert.True(MergePlan.TryCreate(recipe, inputs, out var plan, out var problems), string.Join("; ", problems));
        return Merging.Run(plan, inputs).Single().Delta;
    }

    private static void AssertClose(Matrix expected, Matrix actual)
    {
        Assert.Equal((expected.Rows, expected.Columns), (actual.Rows, actual.Columns));
        Dense.AssertClose(expected.Values, actual.Values, Tolerance * expected.Values.Max(Math.Abs));
    }
}
