using Marketplace.Core.Api;
using Marketplace.Functions.Http;
using Marketplace.Storage;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.Functions.Adapters;

/// <summary>One adapter.</summary>
public static class GetAdapter
{
    public static async Task<Results<Ok<AdapterView>, ProblemHttpResult>> Handle(
        string owner, string name, Requester requester, MarketplaceStorage storage, CancellationToken cancellationToken)
    {
        var (adapter, problem) = await Lookup.AdapterAsync(storage, requester.Caller, owner, name, cancellationToken);
        if (adapter is null)
            return problem!;
        var taints = adapter.Main is { } main ? (await storage.Takedowns.TaintsAsync(adapter.Id, main.Number, cancellationToken))[main.Number] : [];
        return TypedResults.Ok(adapter.View(adapter.Id.Shown(taints, requester.Caller)));
    }
}
