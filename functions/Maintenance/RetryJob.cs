using Marketplace.Core.Api;
using Marketplace.Functions.Http;
using Marketplace.Storage;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.Functions.Maintenance;

/// <summary>
/// Starts the next attempt at a failed job, for an operator who has removed the cause. Its owner asks again with the same request instead, which looks anew at what may be seen. A job that
/// waits or runs gets another message, since its own may be lost; one too many finds nothing to do.
/// </summary>
public static class RetryJob
{
    public static async Task<Results<Accepted<JobView>, ProblemHttpResult>> Handle(string id, MarketplaceStorage storage, CancellationToken cancellationToken)
    {
        if (await storage.Jobs.GetAsync(id, cancellationToken) is not { } job)
            return Problems.NotFound($"job '{id}'");
        if (job.Status is JobStatus.Succeeded or JobStatus.Cancelled)
            return Problems.Conflict($"The job is {Text.Of(job.Status)}; there is nothing to try again.");
        var again = (await storage.Jobs.SubmitAsync(job, cancellationToken)).Job;
        await storage.Queues.SendAsync(QueueNames.Of(job.Kind), id, cancellationToken);
        return TypedResults.Accepted($"{FunctionTable.RoutePrefix}/jobs/{id}", again.View());
    }
}
