using Marketplace.Core;
using Marketplace.Core.Api;
using Marketplace.Functions.Http;
using Marketplace.Storage;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.Functions.Accounts;

/// <summary>Makes a key; its secret is in this one answer and nowhere else.</summary>
public static class CreateKey
{
    private const int MaxName = 100;

    public static async Task<Results<Created<KeyView>, ProblemHttpResult>> Handle(
        CreateKeyRequest request, Requester requester, MarketplaceStorage storage, TimeProvider time, CancellationToken cancellationToken)
    {
        if (!Text.TryParse<KeyScope>(request.Scope, out var scope))
            return Problems.InvalidRequest("scope", $"A scope is one of: {Text.Choices<KeyScope>()}.");
        if (request.Name.Length is 0 or > MaxName)
            return Problems.InvalidRequest("name", $"A key's name has 1 to {MaxName} characters.");
        if (request.ExpiresAt < time.GetUtcNow())
            return Problems.InvalidRequest("expiresAt", "The key would have expired already.");
        var owner = request.Owner ?? requester.Owner;
        if (!AdapterId.IsValidOwner(owner))
            return Problems.InvalidRequest("owner", $"'{owner}' can't be the name of an account.");
        if (!requester.Owns(owner) && !requester.Caller.IsAdmin)
            return Problems.Forbidden("Only an admin makes keys for another account.");
        if (scope > requester.Caller.Scope)
            return Problems.Forbidden($"A key of scope '{Text.Of(requester.Caller.Scope!.Value)}' can't make one of scope '{request.Scope}'.");

        var quota = (await storage.Usage.QuotasAsync(owner, cancellationToken)).Keys;
        var valid = (await storage.Keys.ListAsync(owner, cancellationToken)).Count(k => k.IsValid(time.GetUtcNow()));
        if (valid >= quota)
            return Problems.QuotaExceeded(new QuotaExcess(owner, "keys that work", quota, valid, 1).ToString());

        var (token, key) = await storage.Keys.CreateAsync(owner, request.Name, scope, request.ExpiresAt, cancellationToken);
        await storage.Audit.WriteAsync(new AuditEvent(time.GetUtcNow(), requester.Owner, "create-key", $"{key.Owner}#{key.Id}", request.Scope), ct: cancellationToken);
        return TypedResults.Created($"{FunctionTable.RoutePrefix}/keys/{key.Id}", key.View(token));
    }
}
