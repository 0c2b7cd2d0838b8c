using Marketplace.Core.Api;
using Marketplace.Functions.Http;
using Marketplace.Storage;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.Functions.Adapters;

/// <summary>An adapter's versions, newest first.</summary>
public static class ListVersions
{
    public static async Task<Results<Ok<ListResponse<VersionView>>, ProblemHttpResult>> Handle(
        string owner, string name, Requester requester, MarketplaceStorage storage, CancellationToken cancellationToken)
    {
        var (adapter, problem) = await Lookup.AdapterAsync(storage, requester.Caller, owner, name, cancellationToken);
        if (adapter is null)
            return problem!;

        var taints = await storage.Takedowns.TaintsAsync(adapter.Id, ct: cancellationToken);
        var views = new List<VersionView>();
        foreach (var version in (await storage.Versions.ListAsync(adapter.Id, cancellationToken)).Where(v => adapter.Has(v.Number)))
            views.Add(await version.ViewAsync(storage, requester.Caller, cancellationToken, taints));
        return TypedResults.Ok(new ListResponse<VersionView>(views));
    }
}
