using Marketplace.Core;
using Marketplace.Core.Merges;
using Marketplace.Tests.Algebra;
using Xunit;

namespace Marketplace.Tests.Merges;

/// <summary>Merges of one module, and the recipes of basis methods that properties are checked for.</summary>
internal static class BasisMerge
{
    /// <summary>Variants by name: what the name says, over inputs of weight 1.</summary>
    public static MergeRecipe Recipe(string variant, int inputs)
    {
        var words = variant.Split(' ');
        var recipe = MergeRecipe.Over(words[0], [.. Enumerable.Repeat(1d, inputs)]);
        foreach (var word in words.Skip(1))
        {
            var (name, value) = (word.Split('=')[0], word.Split('=')[1]);
            if (name == "rank")
                recipe = recipe with { Rank = int.Parse(value) };
            else
                recipe = recipe.With(name, double.TryParse(value, out var number) ? number : bool.TryParse(value, out var flag) ? RecipeValue.Of(flag) : RecipeValue.Of(value));
        }

        return recipe;
    }

    public static LowRankDelta Merge(MergeRecipe recipe, params Adapter[] inputs) => Run(recipe, inputs).Delta;

    public static LowRankDelta Merge(MergeRecipe recipe, params IEnumerable<LowRankDelta> inputs) => Merge(recipe, [.. inputs.Select(d => Adapters.Of(("q", d)))]);

    public static LowRankDelta Merge(string variant, params LowRankDelta[] inputs) => Merge(Recipe(variant, inputs.Length), inputs.AsEnumerable());

    public static MergedModule Run(MergeRecipe recipe, params Adapter[] inputs)
    {
        // The recipe names one adapter for each input, in order.
        Assert.True(MergePlan.TryCreate(recipe, inputs, out var plan, out var problems), string.Join('\n', problems));
        return Merging.Run(plan, inputs).Single();
    }

    /// <summary>The error is small beside the larger of the expected matrix and <paramref name="scale"/>.</summary>
    public static void AssertSame(double[,] expected, LowRankDelta actual, double tolerance = 1e-9, double scale = 0)
    {
        var error = Dense.Distance(expected, Dense.Of(actual));
        Assert.True(error <= tolerance * Math.Max(Dense.Norm(expected), scale), $"error {error:g3} of {Dense.Norm(expected):g3}");
    }

    /// <summary>Whether two results differ visibly.</summary>
    public static double RelativeDistance(LowRankDelta x, LowRankDelta y) => Dense.Distance(Dense.Of(x), Dense.Of(y)) / Dense.Norm(Dense.Of(x));

    /// <summary>The largest singular value by the smallest that does not vanish; 1 for zero.</summary>
    public static double ConditionOf(LowRankDelta delta)
    {
        var s = Dense.SingularValues(Dense.Of(delta));
        return s[0] == 0 ? 1 : s[0] / s.Last(x => x > 1e-12 * s[0]);
    }
}
