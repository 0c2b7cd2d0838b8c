using Marketplace.Core;
using Marketplace.Core.Merges;
using Xunit;

namespace Marketplace.Tests.Merges;

/// <summary>Recipes of the element-wise methods over named adapters.</summary>
internal static class ElementwiseRecipes
{
    /// <summary>A recipe that drops entries wherever the method can; ranks are as many as the result needs.</summary>
    public static MergeRecipe Sparse(string method, params (string Name, double Weight)[] inputs)
    {
        var has = MergeMethods.Find(method)!;
        var recipe = Whole(method, inputs);
        foreach (var (name, value) in new[] { ("density", 0.6), ("gamma", 0.1), ("epsilon", method.StartsWith("ram", StringComparison.Ordinal) ? 0 : 0.2), ("select_topk", 0.5) })
        {
            if (has.Parameter(name) is not null)
                recipe = recipe.With(name, value);
        }

        return recipe;
    }

    /// <summary>A recipe that drops nothing.</summary>
    public static MergeRecipe Whole(string method, params (string Name, double Weight)[] inputs)
    {
        var has = MergeMethods.Find(method)!;
        var recipe = new MergeRecipe(
            method, [.. inputs.Select(i => new RecipeInput(i.Name, Weight: has.Weighted ? RecipeValue.Of(i.Weight) : null))], Rank: RecipeRank.Lossless);
        if (has.Parameter("density") is not null)
            recipe = recipe.With("density", 1);
        return method.StartsWith("ram", StringComparison.Ordinal) ? recipe.With("epsilon", 0) : recipe;
    }

    /// <summary>Carries a recipe out; adapters in the order in which it names them first.</summary>
    public static MergedModule Run(MergeRecipe recipe, params Adapter[] adapters)
    {
        Assert.True(MergePlan.TryCreate(recipe, adapters, out var plan, out var problems), string.Join("; ", problems));
        return Merging.Run(plan, adapters).First();
    }
}
