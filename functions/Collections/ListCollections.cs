using Marketplace.Core.Api;
using Marketplace.Functions.Http;
using Marketplace.Storage;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.Functions.Collections;

/// <summary>An account's collections, by name.</summary>
public static class ListCollections
{
    public static async Task<Results<Ok<ListResponse<CollectionView>>, ProblemHttpResult>> Handle(
        Requester requester, MarketplaceStorage storage, CancellationToken cancellationToken, string? owner = null)
    {
        if (owner is null && requester.Caller.Owner is null)
            return Problems.InvalidRequest("owner", "Say whose: ?owner=name.");
        var found = await storage.Collections.ListAsync(owner ?? requester.Owner, requester.Caller, cancellationToken);
        return TypedResults.Ok(new ListResponse<CollectionView>([.. found.Select(GetCollection.View)]));
    }
}
