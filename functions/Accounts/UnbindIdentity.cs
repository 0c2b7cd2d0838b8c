using Marketplace.Functions.Http;
using Marketplace.Storage;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.Options;

namespace Marketplace.Functions.Accounts;

/// <summary>Takes an identity from an account, at once: its next request has none.</summary>
public static class UnbindIdentity
{
    public static async Task<Results<NoContent, ProblemHttpResult>> Handle(
        string owner, string objectId, Requester requester, MarketplaceStorage storage, IOptions<EntraOptions> entra, TimeProvider time, CancellationToken cancellationToken)
    {
        if (!Guid.TryParseExact(objectId, "D", out var id) || entra.Value.TenantId is not { Length: > 0 } tenant
            || !await storage.Identities.UnbindAsync(new Identity(tenant, id.ToString("D")), owner, cancellationToken))
        {
            return Problems.NotFound($"identity '{objectId}' of '{owner}'");
        }

        await storage.Audit.WriteAsync(new AuditEvent(time.GetUtcNow(), requester.Owner, "unbind-identity", owner, id.ToString("D")), ct: cancellationToken);
        return TypedResults.NoContent();
    }
}
