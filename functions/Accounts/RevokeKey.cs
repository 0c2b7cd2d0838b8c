using Marketplace.Functions.Http;
using Marketplace.Storage;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.Functions.Accounts;

/// <summary>Takes a key back.</summary>
public static class RevokeKey
{
    public static async Task<Results<NoContent, ProblemHttpResult>> Handle(
        string id, Requester requester, MarketplaceStorage storage, TimeProvider time, CancellationToken cancellationToken)
    {
        if (!await storage.Keys.RevokeAsync(requester.Owner, id, cancellationToken))
            return Problems.NotFound($"key '{id}'");
        await storage.Audit.WriteAsync(new AuditEvent(time.GetUtcNow(), requester.Owner, "revoke-key", $"{requester.Owner}#{id}", null), ct: cancellationToken);
        return TypedResults.NoContent();
    }
}
