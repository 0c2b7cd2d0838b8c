using Marketplace.Core.Api;
using Marketplace.Core.Methods;
using Marketplace.Functions.Http;
using Marketplace.Functions.Jobs;
using Marketplace.Storage;
using Microsoft.Extensions.Options;

namespace Marketplace.Functions.Clusterings;

/// <summary>
/// Keeps the public snapshots current: one clustering job for each library and similarity. The job's id follows from the library's members,
/// so that a library which has not changed costs nothing.
/// </summary>
public static class Recluster
{
    /// <summary>The account that scheduled jobs run as; it owns nothing.</summary>
    private const string Scheduler = "admin";

    public static async Task Handle(IServiceProvider services, CancellationToken cancellationToken)
    {
        var storage = services.GetRequiredService<MarketplaceStorage>();
        var options = services.GetRequiredService<IOptions<MarketplaceOptions>>().Value;
        var jobs = services.GetRequiredService<JobRequests>();
        var logger = services.GetRequiredService<ILoggerFactory>().CreateLogger(nameof(Recluster));
        var clustered = new List<string>();
        foreach (var model in await storage.BaseModels.ListAsync(cancellationToken))
        {
            var members = await storage.Libraries.ListMembersAsync(model.Id, Caller.Anonymous, derived: false, cancellationToken);
            if (members.Count == 0)
                continue;
            foreach (var similarity in options.ReclusterFlatAb ? new[] { AdapterSimilarity.Delta, AdapterSimilarity.FlatAb } : [AdapterSimilarity.Delta])
            {
                var asked = new ClusteringRequest(model.Id, Text.Of(similarity));
                var request = await RequestClustering.CanonicalAsync(storage, asked, RequestClustering.PublicScope, members, options.MaxExactLibrary, cancellationToken);
                var job = await jobs.EnqueueAsync(JobKind.Clustering, Scheduler, request.ToJson(), QueueNames.FunctionsJobs, cancellationToken);
                if (job.Status == JobStatus.Queued)
                {
                    clustered.Add($"{model.Id} by {request.Similarity}");
                    logger.LogInformation("The library of {BaseModel} is clustered again by {Similarity}: {Members} members", model.Id, request.Similarity, members.Count);
                }
                else
                {
                    logger.LogDebug("The library of {BaseModel} has not changed: job {JobId} has clustered it by {Similarity}", model.Id, job.Id, request.Similarity);
                }
            }
        }

        if (clustered.Count == 0)
            AuditScope.NothingDone();
        else
            AuditScope.About("libraries", string.Join(", ", clustered));
    }
}
