using Marketplace.Functions.Http;
using Marketplace.Storage;

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
