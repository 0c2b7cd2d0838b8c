using Marketplace.Core.Api;
using Marketplace.Functions.Http;
using Marketplace.Storage;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.Functions.Jobs;

/// <summary>The caller's jobs, newest first.</summary>
public static class ListJobs
{
    public static async Task<Ok<ListResponse<JobView>>> Handle(
        Requester requester, MarketplaceStorage storage, CancellationToken cancellationToken) =>
        TypedResults.Ok(new ListResponse<JobView>([.. (await storage.Jobs.ListAsync(requester.Owner, ct: cancellationToken)).Select(j => j.View())]));
}
