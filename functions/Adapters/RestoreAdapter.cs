using Marketplace.Core.Api;
using Marketplace.Functions.Http;
using Marketplace.Storage;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.Functions.Adapters;

/// <summary>Undoes the takedown of an adapter, and with it those that it caused. One that was interrupted is finished by asking again.</summary>
public static class RestoreAdapter
{
    public static async Task<Results<Ok<RestoreView>, ProblemHttpResult>> Handle(
        string owner, string name, Requester requester, MarketplaceStorage storage, CancellationToken cancellationToken)
    {
        if (await Lookup.KnownAsync(storage, requester.Caller, owner, name, cancellationToken) is not { } adapter)
            return Problems.NotFound($"adapter '{owner}/{name}'");
        return await storage.Takedowns.RestoreAsync(adapter.Id, requester.Owner, cancellationToken) switch
        {
            RestoreOutcome.Restored { Adapter: var restored, With: var with } =>
                TypedResults.Ok(new RestoreView(restored.Id.ToString(), restored.Takedown is not null, [.. with.Select(id => id.ToString())])),
            RestoreOutcome.Purged => Problems.Conflict($"'{adapter.Id}' was down for too long: its bytes are gone."),
            RestoreOutcome.Superseded => Problems.Conflict($"'{adapter.Id}' was taken down again meanwhile."),
            _ when adapter.Takedown?.First.Root is { } root => Problems.Conflict($"'{adapter.Id}' is down because of '{root}', with which it is restored."),
            _ => Problems.NotFound($"takedown of '{adapter.Id}'"),
        };
    }
}
