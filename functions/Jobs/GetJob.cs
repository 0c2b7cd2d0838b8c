using Marketplace.Core.Api;
using Marketplace.Functions.Http;
using Marketplace.Storage;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.Functions.Jobs;

/// <summary>One job.</summary>
public static class GetJob
{
    public static async Task<Results<Ok<JobView>, ProblemHttpResult>> Handle(
        string id, Requester requester, MarketplaceStorage storage, CancellationToken cancellationToken)
    {
        var (job, problem) = await OwnJob.FindAsync(storage, requester, id, cancellationToken);
        return job is null ? problem! : TypedResults.Ok(job.View());
    }
}
