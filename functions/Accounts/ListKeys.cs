using Marketplace.Core.Api;
using Marketplace.Functions.Http;
using Marketplace.Storage;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.Functions.Accounts;

/// <summary>The caller's keys, without their secrets.</summary>
public static class ListKeys
{
    public static async Task<Ok<ListResponse<KeyView>>> Handle(
        Requester requester, MarketplaceStorage storage, CancellationToken cancellationToken) =>
        TypedResults.Ok(new ListResponse<KeyView>([.. (await storage.Keys.ListAsync(requester.Owner, cancellationToken)).Select(k => k.View())]));
}
