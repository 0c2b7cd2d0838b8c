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
        return adapter is null ? problem! : TypedResults.Ok(adapter.View());
    }
}
