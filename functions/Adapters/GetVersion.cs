using Marketplace.Core.Api;
using Marketplace.Functions.Http;
using Marketplace.Storage;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.Functions.Adapters;

/// <summary>One version: files, parent, lineage.</summary>
public static class GetVersion
{
    public static async Task<Results<Ok<VersionView>, ProblemHttpResult>> Handle(
        string owner, string name, string revision, Requester requester, MarketplaceStorage storage, CancellationToken cancellationToken)
    {
        var (version, problem) = await Lookup.VersionAsync(storage, requester.Caller, owner, name, revision, cancellationToken);
        return version is null ? problem! : TypedResults.Ok(await version.ViewAsync(storage, requester.Caller, cancellationToken));
    }
}
