using Marketplace.Core.Api;
using Marketplace.Functions.Http;
using Marketplace.Storage;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.Functions.Adapters;

/// <summary>Unlists an adapter, or lists it again. Versions stay downloadable by those who know them.</summary>
public static class UpdateAdapter
{
    public static async Task<Results<Ok<AdapterView>, ProblemHttpResult>> Handle(
        string owner, string name, UpdateAdapterRequest request, Requester requester, MarketplaceStorage storage,
        TimeProvider time, CancellationToken cancellationToken)
    {
        if (request.Listed is not { } listed)
            return Problems.InvalidRequest("listed", "Say 'listed': true or false.");
        var (adapter, problem) = await Lookup.OwnAdapterAsync(storage, requester, owner, name, cancellationToken);
        if (adapter is null)
            return problem!;
        if (adapter.Listed == listed)
            return TypedResults.Ok(adapter.View());
        if (await storage.Catalogue.SetVisibilityAsync(adapter.Id, listed: listed, ct: cancellationToken) is not { } changed)
            return Problems.NotFound($"adapter '{owner}/{name}'");
        await storage.Audit.WriteAsync(
            new AuditEvent(time.GetUtcNow(), requester.Owner, listed ? "list" : "unlist", adapter.Id.ToString(), null), ct: cancellationToken);
        return TypedResults.Ok(changed.View());
    }
}
