using System.Collections.Immutable;
using Marketplace.Core;
using Marketplace.Core.Api;
using Marketplace.Core.Merges;
using Marketplace.Functions.Collections;
using Marketplace.Functions.Http;
using Marketplace.Functions.Jobs;
using Marketplace.Storage;
using Marketplace.Storage.Jobs;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.Functions.Subtractions;

/// <summary>Asks for GenKnowSub of many targets: a residual of each, and a collection of them. Nothing stored changes.</summary>
public static class RequestSubtractionBatch
{
    private const string DefaultPattern = "{name}-residual";

    public static async Task<Results<Accepted<JobView>, ProblemHttpResult>> Handle(
        SubtractionBatchRequest request, Requester requester, MarketplaceStorage storage, JobRequests jobs, CancellationToken cancellationToken)
    {
        var (recipe, wrong) = SubtractionRecipe.Of(
            request.Mode, request.Side, request.Beta, [RecipeInput.Of("target"), .. request.General.Select((g, i) => RecipeInput.Of($"general {i}", g.Weight))]);
        if (recipe is null)
            return Problems.InvalidRequest(wrong!.Value.Path, wrong.Value.Message);
        if (new object?[] { request.Targets, request.Library, request.Cluster }.Count(x => x is not null) != 1)
            return Problems.InvalidRequest("targets", "Say exactly one of targets, library and cluster.");
        var (collection, template, problem) = CollectionRequests.Check(
            requester, request.Output, recipe with { Rank = RecipeRank.Of(request.Rank), Energy = request.Energy, Dtype = request.Dtype }, SubtractionRecipe.Place);
        if (template is null)
            return problem!;

        var place = request.Library is not null ? "library" : request.Cluster is not null ? "cluster" : "targets";
        var (found, library, missing) = await BatchTargets.FindAsync(request, requester, storage, cancellationToken);
        if (found is null)
            return missing!;
        var (baseModel, general, named, unresolved) = await CollectionRequests.ResolveAsync(storage, requester, request.General, request.Targets ?? [], cancellationToken);
        if (unresolved is not null)
            return unresolved;
        if (library is not null && !string.Equals(library, baseModel, StringComparison.OrdinalIgnoreCase))
            return Problems.BaseMismatch($"'{general[0].Name}' belongs to '{baseModel}', the targets to '{library}'.");

        // What is general is no task, even where the library holds it.
        var generals = general.Select(g => g.Adapter).ToHashSet(StringComparer.OrdinalIgnoreCase);
        if (named.FirstOrDefault(t => generals.Contains(t.Adapter)) is { } both)
            return Problems.InvalidRequest("targets", $"'{both.Adapter}' can't be target and general adapter at once.");
        List<string> targets = [.. named.Select(t => t.Name), .. found.Value.Versions.Where(v => !generals.Contains(v.Split('@')[0]))];
        targets = [.. targets.Distinct(StringComparer.OrdinalIgnoreCase).Order(StringComparer.Ordinal)];
        if (targets.Count == 0)
            return Problems.InvalidRequest(place, "There is no target to subtract from.");

        var items = ImmutableArray.CreateBuilder<CollectionItem>(targets.Count);
        var names = new List<(string Label, AdapterId Name)>();
        foreach (var target in targets)
        {
            var id = AdapterId.Parse(target.Split('@')[0]);
            var (name, impossible) = NamePattern.Expand(
                request.Output.Pattern ?? DefaultPattern, collection.Owner, new Dictionary<string, string> { ["name"] = id.Name, ["owner"] = id.Owner });
            if (name is not { } output)
                return Problems.InvalidRequest("output.pattern", impossible!);
            names.Add((target, output));
            items.Add(new(target, output.Name, [new(target)]));
        }

        if (await CollectionRequests.CheckNamesAsync(storage, names, [.. targets, .. general.Select(g => g.Name)], request.Output.Private, cancellationToken) is { } taken)
            return taken;
        var job = new CollectionJobRequest(
            CollectionJobRequest.Residuals, baseModel!, template, collection.ToString(), request.Output.Private,
            [.. general.Select(g => new CollectionInput(g.Name, g.Weight == 1 ? null : g.Weight))], items.ToImmutable(), [.. found.Value.Skipped], request.Cluster?.Snapshot);
        return await CollectionRequests.SubmitAsync(jobs, JobKind.SubtractionBatch, requester, job, QueueNames.FunctionsJobs, place, cancellationToken);
    }
}
