using Marketplace.Core.Api;
using Marketplace.Functions.Http;
using Marketplace.Storage;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.Options;

namespace Marketplace.Functions.Accounts;

/// <summary>
/// Binds an identity of the tenant to an account, which it opens if it is new. From then on its tokens act as that account, as far as their roles go: how a person comes to an account,
/// and back to one whose keys are lost.
/// </summary>
public static class BindIdentity
{
    public static async Task<Results<Ok<IdentityView>, ProblemHttpResult>> Handle(
        string owner, string objectId, Requester requester, MarketplaceStorage storage, IOptions<EntraOptions> entra, TimeProvider time, CancellationToken cancellationToken)
    {
        if (AccountLookup.Refuse(requester, owner) is { } refusal)
            return refusal;
        if (!Guid.TryParseExact(objectId, "D", out var id))
            return Problems.InvalidRequest("objectId", $"'{objectId}' is no object id, which is a GUID.");
        if (entra.Value.TenantId is not { Length: > 0 } tenant)
            return Problems.Conflict("No tenant is trusted here: Marketplace:Entra is not configured.");

        var bound = await storage.Identities.BindAsync(new Identity(tenant, id.ToString("D")), owner, requester.Owner, cancellationToken);
        if (!string.Equals(bound.Owner, owner, StringComparison.OrdinalIgnoreCase))
            return Problems.Conflict($"The identity is bound to '{bound.Owner}'; take it from there first.");
        await storage.Audit.WriteAsync(new AuditEvent(time.GetUtcNow(), requester.Owner, "bind-identity", owner, bound.Identity.ObjectId), ct: cancellationToken);
        return TypedResults.Ok(bound.View());
    }
}
