using Marketplace.Core.Api;
using Marketplace.Core.Merges;
using Marketplace.Functions.Http;
using Marketplace.Functions.Jobs;
using Marketplace.Storage;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.Functions.Subtractions;

/// <summary>Asks for GenKnowSub: a new version whose ΔW is the target's without the general adapters'. Nothing stored changes.</summary>
public static class RequestSubtraction
{
    public static async Task<Results<Accepted<JobView>, ProblemHttpResult>> Handle(
        SubtractionRequest request, Requester requester, MarketplaceStorage storage, JobRequests jobs, CancellationToken cancellationToken)
    {
        var (recipe, wrong) = SubtractionRecipe.Of(
            request.Mode, request.Side, request.Beta, [RecipeInput.Of(request.Target), .. request.General.Select(g => RecipeInput.Of(g.Adapter, g.Weight))]);
        if (recipe is null)
            return Problems.InvalidRequest(wrong!.Value.Path, wrong.Value.Message);
        recipe = recipe with { Output = request.Output, Rank = RecipeRank.Of(request.Rank), Energy = request.Energy, Dtype = request.Dtype };
        if (DerivationRequests.Check(requester, recipe) is { } problem)
            return problem;

        // Callers know the target and the general adapters by their own names.
        var (resolved, refused) = await DerivationRequests.ResolveAsync(
            storage, requester, recipe, SubtractionRecipe.Place, (_, index) => index == 0 ? "target" : "general", cancellationToken);
        return resolved is null
            ? refused!
            : await jobs.SubmitAsync(JobKind.Subtraction, requester.Owner, resolved.ToJson(), QueueNames.FunctionsJobs, cancellationToken);
    }
}
