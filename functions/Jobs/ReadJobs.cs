using Marketplace.Core.Api;
using Marketplace.Functions.Http;
using Marketplace.Storage;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.Functions.Jobs;

/// <summary>Finds a job for the account that asked for it; for others it does not exist.</summary>
internal static class OwnJob
{
    public static async Task<Found<JobRecord>> FindAsync(
        MarketplaceStorage storage, Requester requester, string id, CancellationToken cancellationToken) =>
        await storage.Jobs.GetAsync(id, cancellationToken) is { } job && requester.Owns(job.Owner)
            ? job
            : Problems.NotFound($"job '{id}'");
}

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

/// <summary>The caller's jobs, newest first.</summary>
public static class ListJobs
{
    public static async Task<Ok<ListResponse<JobView>>> Handle(
        Requester requester, MarketplaceStorage storage, CancellationToken cancellationToken) =>
        TypedResults.Ok(new ListResponse<JobView>([.. (await storage.Jobs.ListAsync(requester.Owner, ct: cancellationToken)).Select(j => j.View())]));
}

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
