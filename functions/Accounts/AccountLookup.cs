using Marketplace.Core;
using Marketplace.Core.Api;
using Marketplace.Functions.Http;
using Marketplace.Storage;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.Functions.Accounts;

/// <summary>What functions on accounts share.</summary>
internal static class AccountLookup
{
    /// <summary>Refuses a name that can't be an account's and, whether or not there is such an account, everybody but itself and admins; none is the caller's own.</summary>
    public static ProblemHttpResult? Refuse(Requester requester, string? owner) =>
        owner is null || requester.Owns(owner) ? null
        : !requester.Caller.IsAdmin ? Problems.Forbidden($"'{owner}' is another account.")
        : !AdapterId.IsValidOwner(owner) ? Problems.InvalidRequest("owner", $"'{owner}' can't be the name of an account.")
        : null;

    /// <summary>What an account has and may have.</summary>
    public static async Task<AccountView> ViewAsync(MarketplaceStorage storage, string owner, int maxJobs, DateTimeOffset now, CancellationToken cancellationToken)
    {
        var account = await storage.Usage.GetAsync(owner, cancellationToken);
        var (used, quota, set) = (account.Published, account.Quotas, account.Set);
        var keys = (await storage.Keys.ListAsync(owner, cancellationToken)).Count(k => k.IsValid(now));
        var active = await storage.Jobs.CountActiveAsync(owner, cancellationToken);
        return new AccountView(
            owner,
            new AccountAmounts(used.Bytes, used.Adapters, account.Uploads, keys, active, used.EvaluationSetBytes),
            new AccountAmounts(quota.Bytes, quota.Adapters, quota.Uploads, quota.Keys, quota.Jobs ?? maxJobs, quota.EvaluationSetBytes),
            new SetQuotaRequest(set.Bytes, set.Adapters, set.Uploads, set.Keys, set.Jobs, set.EvaluationSetBytes));
    }
}
