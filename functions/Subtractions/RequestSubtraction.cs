using Marketplace.Core.Api;
using Marketplace.Core.Merges;
using Marketplace.Functions.Http;
using Marketplace.Functions.Jobs;
using Marketplace.Storage;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.Functions.Subtractions;

/// <summary>Asks for GenKnowSub: a new version whose ΔW is the target's minus the general adapters'. Nothing stored changes.</summary>
public static class RequestSubtraction
{
    private const int MaxGeneral = 20;

    public static async Task<Results<Accepted<JobView>, ProblemHttpResult>> Handle(
        SubtractionRequest request, Requester requester, MarketplaceStorage storage, JobRequests jobs, CancellationToken cancellationToken)
    {
        var recipe = new MergeRecipe(
            LinearMethods.GenKnowSub,
            [RecipeInput.Of(request.Target), .. request.General.Select(g => RecipeInput.Of(g.Adapter, g.Weight))],
            request.Output, Rank: RecipeRank.Of(request.Rank), Energy: request.Energy, Dtype: request.Dtype).With("beta", request.Beta);
        if (DerivationRequests.Check(requester, recipe) is { } problem)
            return problem;
        if (request.General.Count is 0 or > MaxGeneral)
            return Problems.InvalidRequest("general", $"A subtraction has 1 to {MaxGeneral} general adapters.");

        var (resolved, refused) = await DerivationRequests.ResolveAsync(
            storage, requester, recipe, Place, (_, index) => index == 0 ? "target" : "general", cancellationToken);
        return resolved is null
            ? refused!
            : await jobs.SubmitAsync(JobKind.Subtraction, requester.Owner, resolved.ToJson(), QueueNames.FunctionsJobs, cancellationToken);
    }

    // Callers know the target and the general adapters by their own names.
    private static string Place(string path)
    {
        var index = int.Parse(path["inputs[".Length..path.IndexOf(']', StringComparison.Ordinal)]);
        return index == 0 ? "target" : $"general[{index - 1}]";
    }
}
