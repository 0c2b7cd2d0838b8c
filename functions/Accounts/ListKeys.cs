using Marketplace.Core.Api;
using Marketplace.Functions.Http;
using Marketplace.Storage;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.Functions.Accounts;

/// <summary>The keys of the caller's account, or for an admin of any, without their secrets.</summary>
public static class ListKeys
{
    public static async Task<Results<Ok<ListResponse<KeyView>>, ProblemHttpResult>> Handle(
        Requester requester, MarketplaceStorage storage, CancellationToken cancellationToken, string? owner = null)
    {
        if (AccountLookup.Refuse(requester, owner) is { } refusal)
            return refusal;
        return TypedResults.Ok(new ListResponse<KeyView>([.. (await storage.Keys.ListAsync(owner ?? requester.Owner, cancellationToken)).Select(k => k.View())]));
    }
}
