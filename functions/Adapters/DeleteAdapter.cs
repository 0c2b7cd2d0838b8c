using Marketplace.Core;
using Marketplace.Functions.Http;
using Marketplace.Storage;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.Functions.Adapters;

/// <summary>Deletes an adapter with all its versions, for its owner or an admin. What was made from it stays; its name is free, its version numbers are not given out again.</summary>
public static class DeleteAdapter
{
    public static async Task<Results<NoContent, ProblemHttpResult>> Handle(
        string owner, string name, Requester requester, MarketplaceStorage storage, CancellationToken cancellationToken)
    {
        var known = await Lookup.KnownAsync(storage, requester.Caller, owner, name, cancellationToken);
        var mayDelete = requester.Caller.IsAdmin || requester.Owns(owner);
        if (known is not null && !mayDelete)
            return Problems.Forbidden($"'{known.Id}' belongs to another account.");
        if (!AdapterId.TryCreate(owner, name, out var id) || !mayDelete)
            return NotFound(owner, name);
        AuditScope.About(known?.Id.ToString() ?? id.ToString());
        return await storage.Deletion.DeleteAsync(id, requester.Owner, cancellationToken) switch
        {
            DeletionOutcome.Deleted => TypedResults.NoContent(),
            DeletionOutcome.TakenDown => Problems.Conflict($"'{id}' was taken down; what was taken down can't be deleted."),
            _ => NotFound(owner, name),
        };
    }

    private static ProblemHttpResult NotFound(string owner, string name) => Problems.NotFound($"adapter '{owner}/{name}'");
}
