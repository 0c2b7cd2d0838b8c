using Marketplace.Core.Api;
using Marketplace.Core.Merges;

namespace Marketplace.Functions.Subtractions;

/// <summary>The three ways to subtract general knowledge, as recipes.</summary>
internal static class SubtractionRecipe
{
    /// <summary>Most general adapters of a subtraction.</summary>
    public const int MaxGeneral = 20;

    /// <summary>The recipe, or the member of the request that can't be and why.</summary>
    /// <param name="mode">exact, project or factorwise.</param>
    /// <param name="side">Of a projection.</param>
    /// <param name="beta">How much is subtracted.</param>
    /// <param name="inputs">The target, then the general adapters.</param>
    public static (MergeRecipe? Recipe, (string Path, string Message)? Problem) Of(string mode, string? side, double beta, IReadOnlyList<RecipeInput> inputs)
    {
        if (inputs.Count - 1 is 0 or > MaxGeneral)
            return (null, ("general", $"A subtraction has 1 to {MaxGeneral} general adapters."));
        var method = mode switch
        {
            SubtractionModes.Exact => LinearMethods.GenKnowSub,
            SubtractionModes.Project => GenKnowSubMethods.Project,
            SubtractionModes.Factorwise => GenKnowSubMethods.Factorwise,
            _ => null,
        };
        if (method is null)
            return (null, ("mode", $"A mode is one of: {SubtractionModes.Exact}, {SubtractionModes.Project}, {SubtractionModes.Factorwise}."));
        if (side is not null && mode != SubtractionModes.Project)
            return (null, ("side", $"A side belongs to the mode {SubtractionModes.Project}."));
        var recipe = new MergeRecipe(method, inputs).With("beta", beta);
        return (side is null ? recipe : recipe.With(GenKnowSubMethods.Side, RecipeValue.Of(side)), null);
    }

    /// <summary>Where the request says what the recipe has at a path.</summary>
    public static string Place(string path)
    {
        const string Parameters = "parameters.";
        if (path.StartsWith(Parameters, StringComparison.Ordinal))
            return path[Parameters.Length..];
        if (!path.StartsWith("inputs[", StringComparison.Ordinal))
            return path;
        var index = int.Parse(path["inputs[".Length..path.IndexOf(']', StringComparison.Ordinal)]);
        return index == 0 ? "target" : $"general[{index - 1}]";
    }
}
