using Marketplace.Core;
using Marketplace.Functions.Http;
using Marketplace.Storage;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.Functions.Collections;

/// <summary>Forgets a collection. The versions that it named stay.</summary>
public static class DeleteCollection
{
    public static async Task<Results<NoContent, ProblemHttpResult>> Handle(
        string owner, string name, Requester requester, MarketplaceStorage storage, TimeProvider time, CancellationToken cancellationToken)
    {
        if (!AdapterId.TryCreate(owner, name, out var id) || await storage.Collections.GetAsync(id, requester.Caller, cancellationToken) is not { } collection)
            return GetCollection.NotFound(owner, name);
        if (!requester.Owns(collection.Id))
            return Problems.Forbidden($"The collection belongs to '{collection.Id.Owner}'.");
        if (!await storage.Collections.DeleteAsync(id, cancellationToken))
            return GetCollection.NotFound(owner, name);
        await storage.Audit.WriteAsync(new AuditEvent(time.GetUtcNow(), requester.Owner, "forget-collection", collection.Id.ToString(), null), ct: cancellationToken);
        return TypedResults.NoContent();
    }
}
