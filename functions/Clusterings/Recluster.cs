using Marketplace.Core.Methods;
using Marketplace.Functions.Http;
using Marketplace.Functions.Jobs;
using Marketplace.Storage;
using Microsoft.Extensions.Options;

namespace Marketplace.Functions.Clusterings;

/// <summary>
/// Keeps the public snapshots current: one clustering job for each library. The job's id follows from the library's members,
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
        foreach (var model in await storage.BaseModels.ListAsync(cancellationToken))
        {
            var members = await storage.Libraries.ListMembersAsync(model.Id, Caller.Anonymous, cancellationToken);
            if (members.Count == 0)
                continue;
            if (members.Count > options.MaxExactLibrary)
            {
                logger.LogWarning("The library of {BaseModel} has {Members} members, too many to cluster exactly", model.Id, members.Count);
                continue;
            }

            var request = RequestClustering.Canonical(Text.Of(AdapterSimilarity.Delta), null, RequestClustering.PublicScope, members);
            await jobs.EnqueueAsync(JobKind.Clustering, Scheduler, request.ToJson(), QueueNames.FunctionsJobs, cancellationToken);
        }
    }
}
