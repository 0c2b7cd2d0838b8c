using System.Text.Json;
using Marketplace.Core;
using Marketplace.Core.Api;
using Marketplace.Functions.Http;
using Marketplace.Storage;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.Options;

namespace Marketplace.Functions.Jobs;

/// <summary>The way a request becomes a job.</summary>
public sealed class JobRequests(MarketplaceStorage storage, IOptions<MarketplaceOptions> options)
{
    /// <summary>Finds the job of this canonical request, or starts it. Asking twice is asking once.</summary>
    internal async Task<Results<Accepted<JobView>, ProblemHttpResult>> SubmitAsync(
        JobKind kind, string owner, string canonical, string queue, CancellationToken cancellationToken)
    {
        var limit = (await storage.Usage.QuotasAsync(owner, cancellationToken)).Jobs ?? options.Value.MaxActiveJobs;
        if (await storage.Jobs.CountActiveAsync(owner, cancellationToken) >= limit)
            return Problems.TooManyJobs(limit);

        var job = await EnqueueAsync(kind, owner, canonical, queue, cancellationToken);
        return TypedResults.Accepted($"{FunctionTable.RoutePrefix}/jobs/{job.Id}", job.View());
    }

    /// <summary>The same without the owner's limit, for the schedule.</summary>
    internal async Task<JobRecord> EnqueueAsync(JobKind kind, string owner, string canonical, string queue, CancellationToken cancellationToken)
    {
        // The owner is part of the request: a job, and that it was asked for, belongs to one account.
        var id = await storage.Jobs.ComputeIdAsync(kind, $"{owner.ToLowerInvariant()}\n{canonical}", options.Value.Kernel, cancellationToken);
        var submitted = await storage.Jobs.SubmitAsync(New(id, kind, owner, canonical), cancellationToken);
        // A message too many finds nothing to do; a message too few would leave the job waiting for ever.
        if (submitted.Job.Status == JobStatus.Succeeded && await IsGoneAsync(submitted.Job, cancellationToken))
            submitted = await storage.Jobs.RestartAsync(submitted.Job, cancellationToken);
        if (submitted.Enqueue)
            await storage.Queues.SendAsync(queue, id, cancellationToken);
        return submitted.Job;
    }

    // What it made was deleted since: asking again makes it again.
    private async Task<bool> IsGoneAsync(JobRecord job, CancellationToken cancellationToken)
    {
        IEnumerable<VersionReference> made = job.Kind switch
        {
            JobKind.Merge or JobKind.Subtraction or JobKind.Composition => [JsonSerializer.Deserialize<DerivedResult>(job.ResultJson!, ApiJson.Options)!.Version],
            JobKind.SubtractionBatch or JobKind.LibraryBuild => JsonSerializer.Deserialize<CollectionResult>(job.ResultJson!, ApiJson.Options)!.Members.Select(m => m.Version),
            _ => [],
        };
        foreach (var version in made)
        {
            if (await storage.Adapters.GetAsync(AdapterId.Parse(version.Adapter), version.Number, cancellationToken) is null)
                return true;
        }

        return false;
    }

    private static JobRecord New(string id, JobKind kind, string owner, string canonical) => new(
        id, kind, owner, canonical, JobStatus.Queued, 1, 1, null, false, null, null, null, default, null, null, default);
}
