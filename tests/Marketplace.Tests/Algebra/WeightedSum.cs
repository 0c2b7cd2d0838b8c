using Marketplace.Core.Merges;

namespace Marketplace.Tests.Algebra;

/// <summary>A recipe of the linear methods, for however many adapters there are.</summary>
internal sealed record WeightedSum(
    string Method, double[]? Weights = null, RecipeRank? Rank = null, double? Energy = null, bool? Normalize = null, double Lambda = 1)
{
    public MergeRecipe Over(int inputs)
    {
        var recipe = MergeRecipe.Over(Method, Weights ?? [.. Enumerable.Repeat(1d, inputs)]) with { Rank = Rank, Energy = Energy };
        if (Normalize is { } normalize)
            recipe = recipe.With("normalize", RecipeValue.Of(normalize));
        return Lambda == 1 ? recipe : recipe.With("lambda", Lambda);
    }

    /// <summary>The subtraction of general adapters from the first input.</summary>
    public static MergeRecipe Subtraction(double[] weights, double beta = 1) => MergeRecipe.Over("genknowsub", [1, .. weights]).With("beta", beta);
}
