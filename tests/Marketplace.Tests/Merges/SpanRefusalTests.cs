using Marketplace.Core;
using Marketplace.Core.Merges;
using Marketplace.Tests.Algebra;
using Xunit;

namespace Marketplace.Tests.Merges;

/// <summary>Recipes that span methods refuse before anything is computed.</summary>
public sealed class SpanRefusalTests
{
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
            "slerp weight" => Weighted("slerp"),
            "model_stock weight" => Weighted("model_stock"),
            "multislerp sum" => MergeRecipe.Over("multislerp", 1, -1),
            "karcher sum" => MergeRecipe.Over("karcher", 0, 0),
            "karcher negative" => MergeRecipe.Over("karcher", 2, -1),
            _ => MergeRecipe.Over(what, 1),
        };
        Adapter[] inputs = [.. recipe.Inputs.Select((_, i) => Adapters.Of(("q", Adapters.Random(new Random(i), 4, 3, 2))))];
        Assert.False(MergePlan.TryCreate(recipe, inputs, out _, out var problems));
        Assert.Contains(problems, p => p.Code == code);
    }

    // For methods without weights, which MergeRecipe.Over gives none.
    private static MergeRecipe Weighted(string method) => new(method, [RecipeInput.Of("#0", 1), RecipeInput.Of("#1", 2)]);
}
