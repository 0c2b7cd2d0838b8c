using Marketplace.Core.Api;
using Marketplace.Core.Merges;
using Marketplace.Functions.Http;
using Marketplace.Functions.Jobs;
using Marketplace.Storage;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.Functions.Merges;

/// <summary>Asks for a merge: a job on the kernels' queue.</summary>
public static class RequestMerge
{
    public static async Task<Results<Accepted<JobView>, ProblemHttpResult>> Handle(
        MergeRecipe recipe, Requester requester, MarketplaceStorage storage, JobRequests jobs, CancellationToken cancellationToken)
    {
        if (DerivationRequests.Check(requester, recipe) is { } problem)
            return problem;
        var (request, refused) = await DerivationRequests.ResolveAsync(storage, requester, recipe, path => path, Role, cancellationToken);
        return request is null ? refused! : await jobs.SubmitAsync(JobKind.Merge, requester.Owner, request.ToJson(), QueueNames.KernelJobs, cancellationToken);
    }

    /// <summary>What an adapter is to the result: an input, or one of a nested merge.</summary>
    internal static string Role(RecipeMention mention, int index) => mention.Nested is { } method ? $"input of {method}" : "input";
}
