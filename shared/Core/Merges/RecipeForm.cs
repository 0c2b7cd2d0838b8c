using System.Collections.Immutable;

namespace Marketplace.Core.Merges;

/// <summary>An adapter that a recipe names.</summary>
/// <param name="Place">Where, as a JSON path.</param>
/// <param name="Adapter">As the recipe spells it.</param>
/// <param name="Weight">The product of the weights on the way to it; of a list the mean.</param>
/// <param name="Nested">The method of the nested recipe that names it; null if the outermost one does.</param>
public sealed record RecipeMention(string Place, string Adapter, double Weight, string? Nested = null);

/// <summary>Recipes in canonical form, and what they name.</summary>
public static class RecipeForm
{
    /// <summary>Every adapter that the recipe or one of its nested ones names, in order.</summary>
    public static IEnumerable<RecipeMention> Mentions(MergeRecipe recipe) => Mentions(recipe, "$", 1, null);

    /// <summary>
    /// The same recipe with everything said that it leaves to defaults: parameters (in ordinal order), weights, seeds. Equal requests become equal texts, and
    /// a recipe that was kept means the same when a default changes.
    /// </summary>
    /// <param name="recipe">A recipe that <see cref="MergeGraph.Create"/> found nothing wrong with.</param>
    /// <param name="rename">Replaces the names of adapters, such as by those of resolved versions.</param>
    public static MergeRecipe Canonical(MergeRecipe recipe, Func<string, string> rename) => Canonical(recipe, rename, MergeRecipe.DefaultSeed);

    private static IEnumerable<RecipeMention> Mentions(MergeRecipe recipe, string place, double weight, string? nested)
    {
        for (var i = 0; i < recipe.Inputs.Count; i++)
        {
            var input = recipe.Inputs[i];
            var product = weight * (input.Weight?.Numbers().DefaultIfEmpty(1).Average() ?? 1);
            if (input.Adapter is { } adapter)
                yield return new($"{place}.inputs[{i}].adapter", adapter, product, nested);
            if (input.Recipe is null)
                continue;
            foreach (var mention in Mentions(input.Recipe, $"{place}.inputs[{i}].recipe", product, input.Recipe.Method))
                yield return mention;
        }
    }

    private static MergeRecipe Canonical(MergeRecipe recipe, Func<string, string> rename, ulong seed)
    {
        var method = MergeMethods.Find(recipe.Method)!;
        var own = recipe.Seed ?? seed;
        var parameters = method.Parameters
            .Select(p => KeyValuePair.Create(p.Name, recipe.Parameters?.GetValueOrDefault(p.Name) ?? p.Default))
            .Where(p => p.Value is not null)
            .ToImmutableSortedDictionary(p => p.Key, p => p.Value!, StringComparer.Ordinal);
        return recipe with
        {
            Inputs = [.. recipe.Inputs.Select(i => new RecipeInput(
                i.Adapter is { } adapter ? rename(adapter) : null,
                i.Recipe is { } nested ? Canonical(nested, rename, own) : null,
                method.Weighted ? i.Weight ?? 1 : null,
                i.Parameters is { Count: > 0 } given ? given.ToImmutableSortedDictionary(StringComparer.Ordinal) : null))],
            Parameters = parameters.IsEmpty ? null : parameters,
            Seed = own,
        };
    }
}
