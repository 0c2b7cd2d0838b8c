using Marketplace.Core.Api;
using Marketplace.Functions.Http;
using Marketplace.Storage;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.Functions.Adapters;

/// <summary>That an adapter is down, since when and why: more for its owner, everything for admins.</summary>
public static class GetTakedown
{
    public static async Task<Results<Ok<TakedownView>, ProblemHttpResult>> Handle(
        string owner, string name, Requester requester, MarketplaceStorage storage, CancellationToken cancellationToken)
    {
        if (await Lookup.KnownAsync(storage, requester.Caller, owner, name, cancellationToken) is not { } adapter)
            return Problems.NotFound($"adapter '{owner}/{name}'");
        if (adapter.Takedown is null)
            return Problems.NotFound($"takedown of '{adapter.Id}'");
        return TypedResults.Ok(requester.Caller.IsAdmin
            ? await TakedownViews.FullAsync(adapter, storage, requester.Caller, null, cancellationToken)
            : await TakedownViews.PublicAsync(adapter, storage, requester.Caller, cancellationToken));
    }
}
