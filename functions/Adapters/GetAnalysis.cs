using Marketplace.Core.Analysis;
using Marketplace.Functions.Http;
using Marketplace.Storage;
using Marketplace.Storage.Jobs;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.Functions.Adapters;

/// <summary>Statistics of a version, from its analysis.</summary>
public static class GetAnalysis
{
    public static async Task<Results<Ok<AdapterStatistics>, ProblemHttpResult>> Handle(
        string owner, string name, string revision, Requester requester, MarketplaceStorage storage, AdapterAnalyses analyses, CancellationToken cancellationToken)
    {
        var (version, problem) = await Lookup.VersionAsync(storage, requester.Caller, owner, name, revision, cancellationToken);
        if (version is null)
            return problem!;
        return await analyses.LoadStatisticsAsync(version.Config, version.Weights, cancellationToken) is { } statistics
            ? TypedResults.Ok(statistics)
            : Problems.NotFound($"analysis of version '{revision}' of '{version.Adapter}'");
    }
}
