using System.Collections.Concurrent;
using Marketplace.Core;
using Marketplace.Core.Api;
using Marketplace.Core.Merges;
using Marketplace.Functions.Http;
using Marketplace.Functions.Jobs;
using Marketplace.Storage;
using Marketplace.Storage.Jobs;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.Functions.Collections;

/// <summary>What requests for many versions at once have in common.</summary>
internal static class CollectionRequests
{
    private const int SideBySide = 16;

    /// <summary>Whom a request may read as: an admin sees everything, but what is made for an account is made of what that account sees.</summary>
    public static Caller Audience(Requester requester) => new(requester.Owner, KeyScope.Publish);

    /// <summary>The collection asked for, and the recipe with everything said that it leaves to defaults, or the problem.</summary>
    /// <param name="requester">Who asks.</param>
    /// <param name="output">Where the versions go.</param>
    /// <param name="recipe">The recipe of each, over stand-ins for its inputs.</param>
    /// <param name="place">Turns the JSON path of a problem in the recipe into the one of the request, where that is another.</param>
    public static (AdapterId Collection, MergeRecipe? Recipe, ProblemHttpResult? Problem) Check(
        Requester requester, CollectionOutputRequest output, MergeRecipe recipe, Func<string, string> place)
    {
        if (!AdapterId.TryParse(output.Collection, out var id))
            return (id, null, Problems.InvalidRequest("output.collection", $"'{output.Collection}' is not a name of the form owner/name."));
        if (!requester.Owns(id))
            return (id, null, Problems.Forbidden($"The key belongs to '{requester.Owner}'; it can't publish for '{id.Owner}'."));
        if (DerivationRequests.Check(requester, recipe with { Output = new OutputRequest(id.ToString()) }) is { } problem)
            return (id, null, problem);
        if (MergeGraph.Create(recipe, n => n, out var problems) is null)
            return (id, null, Problems.InvalidRequest([.. problems.Select(p => new IssueView(p.Code, "error", place(p.Place is ['$', '.', .. var path] ? path : "$"), p.Message))]));
        return (id, RecipeForm.Canonical(recipe, n => n) with { Inputs = [], Output = null }, null);
    }

    /// <summary>
    /// Why names can't be used for results; null if they can. Results never follow what somebody trained: a version is added only to an adapter that is new,
    /// or that was derived before.
    /// </summary>
    /// <param name="storage">Where adapters are.</param>
    /// <param name="outputs">Each result's label and name.</param>
    /// <param name="inputs">What goes in, as <c>owner/name@number</c>.</param>
    /// <param name="isPrivate">Whether the results are to be private.</param>
    /// <param name="cancellationToken">Stops.</param>
    public static async Task<ProblemHttpResult?> CheckNamesAsync(
        MarketplaceStorage storage, IReadOnlyList<(string Label, AdapterId Name)> outputs, IEnumerable<string> inputs, bool isPrivate, CancellationToken cancellationToken)
    {
        if (outputs.GroupBy(o => o.Name).FirstOrDefault(g => g.Count() > 1) is { } twice)
        {
            return Problems.InvalidRequest(
                "output.pattern", $"The pattern makes '{twice.Key}' of {string.Join(" and ", twice.Take(2).Select(o => $"'{o.Label}'"))}; it needs a placeholder that tells them apart.");
        }

        var sources = inputs.Select(i => i.Split('@')[0]).ToHashSet(StringComparer.OrdinalIgnoreCase);
        if (outputs.FirstOrDefault(o => sources.Contains(o.Name.ToString())) is { Label: not null } same)
            return Problems.InvalidRequest("output.pattern", $"The pattern makes '{same.Name}', which is one of the inputs.");
        var (taken, begun) = (new ConcurrentBag<string>(), new ConcurrentBag<string>());
        await Parallel.ForEachAsync(outputs, new ParallelOptions { MaxDegreeOfParallelism = SideBySide, CancellationToken = cancellationToken }, async (output, ct) =>
        {
            if (await storage.Adapters.GetAsync(output.Name, ct) is { Main: not null, Summary.DerivedBy: null })
                taken.Add(output.Name.ToString());
            if (!isPrivate && await Lookup.BeginsPrivateAsync(storage, output.Name, ct))
                begun.Add(output.Name.ToString());
        });
        if (begun.Order(StringComparer.Ordinal).FirstOrDefault() is { } hidden)
            return Problems.BegunPrivate(hidden);
        return taken.Order(StringComparer.Ordinal).FirstOrDefault() is { } trained
            ? Problems.Conflict($"'{trained}' is an adapter that was trained; results are not published as its next version. Another pattern gives other names.")
            : null;
    }

    /// <summary>The base model, and the version named by each text; or the problem.</summary>
    public static async Task<(string? BaseModel, List<ResolvedInput> General, List<ResolvedInput> Targets, ProblemHttpResult? Problem)> ResolveAsync(
        MarketplaceStorage storage, Requester requester, IReadOnlyList<WeightedAdapter> general, IReadOnlyList<string> targets, CancellationToken cancellationToken)
    {
        var resolver = new InputResolver(storage, requester);
        var (ofGeneral, ofTargets) = (new List<ResolvedInput>(), new List<ResolvedInput>());
        for (var i = 0; i < general.Count; i++)
        {
            if (await resolver.AddAsync($"general[{i}]", general[i].Adapter, general[i].Weight, "general", cancellationToken) is { } input)
                ofGeneral.Add(input);
        }

        for (var i = 0; i < targets.Count; i++)
        {
            if (await resolver.AddAsync($"targets[{i}]", targets[i], 1, "target", cancellationToken) is { } input)
                ofTargets.Add(input);
        }

        var (baseModel, problem) = resolver.Finish();
        return (baseModel, ofGeneral, ofTargets, problem);
    }

    /// <summary>Submits the job, unless it is too large to be kept.</summary>
    public static async Task<Results<Accepted<JobView>, ProblemHttpResult>> SubmitAsync(
        JobRequests jobs, JobKind kind, Requester requester, CollectionJobRequest request, string queue, string place, CancellationToken cancellationToken) => request.Fits
            ? await jobs.SubmitAsync(kind, requester.Owner, request.ToJson(), queue, cancellationToken)
            : Problems.InvalidRequest(place, "These are too many for one job. Ask for them in several, each with a collection of its own.");
}
