using Marketplace.Core.Api;
using Marketplace.Functions.Http;
using Marketplace.Storage;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.Functions.Accounts;

/// <summary>The identities of the tenant that act as an account.</summary>
public static class ListIdentities
{
    public static async Task<Results<Ok<ListResponse<IdentityView>>, ProblemHttpResult>> Handle(
        string owner, Requester requester, MarketplaceStorage storage, CancellationToken cancellationToken) =>
        AccountLookup.Refuse(requester, owner) is { } refusal
            ? refusal
            : TypedResults.Ok(new ListResponse<IdentityView>([.. (await storage.Identities.ListAsync(owner, cancellationToken)).Select(b => b.View())]));
}
