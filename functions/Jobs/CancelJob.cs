using Marketplace.Core.Api;
using Marketplace.Functions.Http;
using Marketplace.Storage;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.Functions.Jobs;

/// <summary>Asks a job to stop; it does so between two steps.</summary>
public static class CancelJob
{
    public static async Task<Results<Accepted<JobView>, ProblemHttpResult>> Handle(
        string id, Requester requester, MarketplaceStorage storage, CancellationToken cancellationToken)
    {
        var (job, problem) = await OwnJob.FindAsync(storage, requester, id, cancellationToken);
        if (job is null)
            return problem!;
        if (job.Status is JobStatus.Succeeded or JobStatus.Failed)
            return Problems.Conflict($"The job has {Text.Of(job.Status)}.");
        var now = await storage.Jobs.RequestCancelAsync(id, cancellationToken);
        return TypedResults.Accepted($"{FunctionTable.RoutePrefix}/jobs/{id}", (now ?? job).View());
    }
}
