using System.Collections.Immutable;
using Marketplace.Core;
using Marketplace.Core.Api;
using Marketplace.Core.Merges;
using Marketplace.Functions.Http;
using Marketplace.Storage;
using Marketplace.Storage.Jobs;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.Functions.Jobs;

/// <summary>From a recipe as somebody asks for it to one whose inputs are published bytes of one base model, or to the problem to answer with.</summary>
internal static class DerivationRequests
{
    private const int MaxInputs = 100;
    private static readonly string[] Dtypes = ["auto", "F32", "BF16", "F16"];

    /// <summary>Checks output, rank and dtype; null if there is nothing wrong with them.</summary>
    public static ProblemHttpResult? Check(Requester requester, MergeRecipe recipe)
    {
        if (recipe.Output is not { } output)
            return Problems.InvalidRequest("output", "The result needs a name: output.");
        if (!AdapterId.TryParse(output.Adapter, out var id))
            return Problems.InvalidRequest("output.adapter", $"'{output.Adapter}' is not a name of the form owner/name.");
        if (!requester.Owns(id))
            return Problems.Forbidden($"The key belongs to '{requester.Owner}'; it can't publish for '{id.Owner}'.");
        if (recipe.Rank?.Number is > 4096)
            return Problems.InvalidRequest("rank", "A rank is a number from 1 to 4096.");
        if (!Dtypes.Contains(recipe.Dtype))
            return Problems.InvalidRequest("dtype", $"A dtype is one of: {string.Join(", ", Dtypes)}.");
        if (recipe.Notes is { Length: > 1000 })
            return Problems.InvalidRequest("notes", "Notes have at most 1000 characters.");
        return null;
    }

    /// <summary>Resolves a recipe.</summary>
    /// <param name="storage">Where the adapters are.</param>
    /// <param name="requester">Who asks.</param>
    /// <param name="recipe">What is asked for.</param>
    /// <param name="place">Turns the JSON path of an adapter in the recipe into the one of the request, where that is another.</param>
    /// <param name="role">The role of an adapter by where the recipe names it, and by its index among those that it names.</param>
    /// <param name="cancellationToken">Stops.</param>
    public static async Task<(DerivationRequest? Request, ProblemHttpResult? Problem)> ResolveAsync(
        MarketplaceStorage storage, Requester requester, MergeRecipe recipe, Func<string, string> place, Func<RecipeMention, int, string> role, CancellationToken cancellationToken)
    {
        if (MergeGraph.Create(recipe, name => name, out var problems) is null)
            return (null, Problems.InvalidRequest([.. problems.Select(p => new IssueView(p.Code, "error", Path(p.Place) is { } path ? place(path) : null, p.Message))]));
        var mentions = RecipeForm.Mentions(recipe).ToList();
        if (mentions.Count > MaxInputs)
            return (null, Problems.InvalidRequest("inputs", $"A merge has 1 to {MaxInputs} inputs."));

        if (AdapterId.TryParse(recipe.Output?.Adapter, out var output))
        {
            if (await Lookup.OutputAsync(storage, requester.Caller, output, cancellationToken) is { } gone)
                return (null, gone);
            if (recipe.Output is { Private: false } && requester.Owns(output) && await Lookup.BeginsPrivateAsync(storage, output, cancellationToken))
                return (null, Problems.BegunPrivate(output.ToString()));
        }

        var resolver = new InputResolver(storage, requester);
        var names = new Dictionary<string, string>(StringComparer.Ordinal);
        var inputs = ImmutableArray.CreateBuilder<ResolvedInput>();
        foreach (var (mention, index) in mentions.Select((mention, index) => (mention, index)))
        {
            if (names.ContainsKey(mention.Adapter) || await resolver.AddAsync(place(Path(mention.Place)!), mention.Adapter, mention.Weight, role(mention, index), cancellationToken) is not { } resolved)
                continue;
            names.Add(mention.Adapter, resolved.Name);
            if (!inputs.Any(i => i.Name == resolved.Name))
                inputs.Add(resolved);
        }

        var (baseModel, mismatch) = resolver.Finish();
        return mismatch is not null ? (null, mismatch) : (new(RecipeForm.Canonical(recipe, name => names[name]), inputs.ToImmutable(), baseModel!), null);
    }

    private static string? Path(string? place) => place is null ? null : place == "$" ? "$" : place[2..];
}
