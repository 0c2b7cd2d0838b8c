using Marketplace.Core.Api;
using Marketplace.Core.Formats;
using Marketplace.Core.Merges;
using Marketplace.Core.Methods;
using Marketplace.Functions.Http;
using Marketplace.Functions.Jobs;
using Marketplace.Storage;
using Marketplace.Storage.Jobs;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.Functions.Merges;

/// <summary>What a merge would do and cost; nothing is computed and nothing kept.</summary>
public static class PlanMerge
{
    public static async Task<Results<Ok<MergePlanView>, ProblemHttpResult>> Handle(
        MergeRecipe recipe, Requester requester, MarketplaceStorage storage, LibraryReader reader, CancellationToken cancellationToken)
    {
        if (recipe.Output is not null && DerivationRequests.Check(requester, recipe) is { } problem)
            return problem;
        var (request, refused) = await DerivationRequests.ResolveAsync(storage, requester, recipe, path => path, RequestMerge.Role, cancellationToken);
        if (request is null)
            return refused!;

        var graph = request.Graph();
        using var inputs = await reader.OpenAllAsync(graph.Leaves.Select(request.Find), cancellationToken);
        return MergePlan.TryCreate(graph, inputs, recipe.Carried, out var plan, out var problems)
            ? TypedResults.Ok(View(request, plan, inputs))
            : Problems.NotMergeable([.. problems.Select(p => new IssueView(p.Code, "error", Place(p, graph), p.Message))]);
    }

    private static string? Place(MergeProblem problem, MergeGraph graph) => problem switch
    {
        { Input: { } input } => problem.Module is null ? graph.Leaves[input] : $"{graph.Leaves[input]}: {problem.Module}",
        { Module: not null } => problem.Place is null ? problem.Module : $"{problem.Place}: {problem.Module}",
        _ => problem.Place,
    };

    private static MergePlanView View(DerivationRequest request, MergePlan plan, OpenAdapters inputs)
    {
        var graph = plan.Graph;
        var estimate = MergeEstimate.Of(plan);
        return new(
            graph.RecipeDigest, request.BaseModel,
            [.. request.Inputs.Select(i => new VersionReference(i.Adapter, i.Number, i.VersionId))],
            [.. graph.Nodes.Select((node, n) => new MergeStepView(
                node.Place, node.Method.Name, ApiJson.Name(node.Method.Class), estimate.Nodes[n].Path,
                [.. node.Inputs.Select(i => i.Leaf >= 0 ? graph.Leaves[i.Leaf] : $"step {i.Node + 1}")], estimate.Nodes[n].Flops))],
            plan.Modules.Length, estimate.Nodes[^1].Rank, estimate.Flops, estimate.PeakBytes, ResultBytes(request.Recipe, inputs, estimate),
            [.. plan.NotMerged.SelectMany((tensors, i) => tensors.Select(t => $"{graph.Leaves[i]}: {t}"))],
            [.. Notes(plan)]);
    }

    // Estimates count float64.
    private static long ResultBytes(MergeRecipe recipe, OpenAdapters inputs, MergeEstimate estimate) =>
        ServingOptions.ResolveType(recipe.Dtype, inputs.FactorTypes, out var type) ? estimate.ResultBytes * type.Bits() / 64 : estimate.ResultBytes;

    private static IEnumerable<string> Notes(MergePlan plan)
    {
        foreach (var node in plan.Graph.Nodes.Where(n => n.Method.Parameter("density") is not null))
        {
            var step = plan.Modules[0].Nodes[plan.Graph.Nodes.IndexOf(node)];
            if (step.InputParameters.All(p => p.Number("density") >= 1))
                yield return $"{node.Method.Name} at {node.Place} has density 1: no entry is dropped.";
        }

        var missing = plan.Modules.Count(m => !m.MissingIn.IsEmpty);
        if (missing > 0)
            yield return $"{missing} of {plan.Modules.Length} modules are not in every input; where one lacks them it counts as ΔW = 0.";
    }
}
