using Marketplace.Core.Api;
using Marketplace.Functions.Http;
using Marketplace.Storage;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.Options;

namespace Marketplace.Functions.Accounts;

/// <summary>What an account uses and may use: for itself and for admins.</summary>
public static class GetAccount
{
    public static async Task<Results<Ok<AccountView>, ProblemHttpResult>> Handle(
        string owner, Requester requester, MarketplaceStorage storage, IOptions<MarketplaceOptions> options, TimeProvider time, CancellationToken cancellationToken) =>
        AccountLookup.Refuse(requester, owner) is { } refusal
            ? refusal
            : TypedResults.Ok(await AccountLookup.ViewAsync(storage, owner, options.Value.MaxActiveJobs, time.GetUtcNow(), cancellationToken));
}
