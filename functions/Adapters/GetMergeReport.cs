using Marketplace.Core;
using Marketplace.Core.Api;
using Marketplace.Functions.EvaluationSets;
using Marketplace.Functions.Http;
using Marketplace.Storage;
using Marketplace.Storage.Jobs;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.Functions.Adapters;

/// <summary>What became of the merge or subtraction that made a version, as far as the caller may see its parents.</summary>
public static class GetMergeReport
{
    public static async Task<Results<Ok<MergeReportView>, ProblemHttpResult>> Handle(
        string owner, string name, string revision, Requester requester, MarketplaceStorage storage, CancellationToken cancellationToken)
    {
        var (version, problem) = await Lookup.VersionAsync(storage, requester.Caller, owner, name, revision, cancellationToken);
        if (version is null)
            return problem!;
        if (await storage.Reports.ReadMergeAsync(version.UploadId, cancellationToken) is not { } json)
            return Problems.NotFound($"merge report of version '{revision}' of '{version.Adapter}'");

        var report = MergeReports.Parse(json);
        var seen = new HashSet<VersionReference>();
        foreach (var parent in report.Parents.SelectMany(p => p.Versions))
        {
            if (await Lookup.SeesAsync(storage, requester.Caller, AdapterId.Parse(parent.Adapter), parent.Number, cancellationToken))
                seen.Add(parent);
        }

        if (report.Learned is not null && version.Lineage is { } lineage && !await SetLookup.SeesAllAsync(storage, requester.Caller, CompositionPart.SetsOf(lineage), cancellationToken))
            report = report with { Learned = null };
        return TypedResults.Ok(MergeReports.Redact(report, seen.Contains));
    }
}
