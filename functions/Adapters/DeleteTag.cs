using Marketplace.Functions.Http;
using Marketplace.Storage;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.Functions.Adapters;

/// <summary>Forgets a version's name; the version stays.</summary>
public static class DeleteTag
{
    public static async Task<Results<NoContent, ProblemHttpResult>> Handle(
        string owner, string name, string tag, Requester requester, MarketplaceStorage storage, CancellationToken cancellationToken)
    {
        var (adapter, problem) = await Lookup.OwnAdapterAsync(storage, requester, owner, name, cancellationToken);
        if (adapter is null)
            return problem!;
        return await storage.Tags.DeleteAsync(adapter.Id, tag, cancellationToken)
            ? TypedResults.NoContent()
            : Problems.NotFound($"tag '{tag}' of '{adapter.Id}'");
    }
}
