using Marketplace.Core.Api;
using Marketplace.Functions.Http;
using Marketplace.Storage;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.Functions.Routers;

/// <summary>One router.</summary>
public static class GetRouter
{
    public static async Task<Results<Ok<RouterView>, ProblemHttpResult>> Handle(
        string id, Requester requester, MarketplaceStorage storage, CancellationToken cancellationToken)
    {
        var (router, problem) = await FindAsync(id, requester, storage, cancellationToken);
        return router is null ? problem! : TypedResults.Ok(router);
    }

    /// <summary>The router as the caller may see it.</summary>
    internal static async Task<Found<RouterView>> FindAsync(string id, Requester requester, MarketplaceStorage storage, CancellationToken cancellationToken)
    {
        var (router, down) = await storage.Routers.FindAsync(id, requester.Caller, cancellationToken);
        return router is not null ? router
            : down is null ? Problems.NotFound($"router '{id}'")
            : Problems.TakenDown(await TakedownViews.PublicAsync(down, storage, requester.Caller, cancellationToken));
    }
}
