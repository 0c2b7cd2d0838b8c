using Marketplace.Functions.Http;
using Marketplace.Storage;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.Functions.Accounts;

/// <summary>Takes a key back: one of the caller's account, or for an admin anybody's.</summary>
public static class RevokeKey
{
    public static async Task<Results<NoContent, ProblemHttpResult>> Handle(
        string id, Requester requester, MarketplaceStorage storage, TimeProvider time, CancellationToken cancellationToken, string? owner = null)
    {
        if (AccountLookup.Refuse(requester, owner) is { } refusal)
            return refusal;
        owner ??= requester.Owner;
        if (!await storage.Keys.RevokeAsync(owner, id, cancellationToken))
            return Problems.NotFound($"key '{id}'");
        await storage.Audit.WriteAsync(new AuditEvent(time.GetUtcNow(), requester.Owner, "revoke-key", $"{owner}#{id}", null), ct: cancellationToken);
        return TypedResults.NoContent();
    }
}
