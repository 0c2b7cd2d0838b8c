using System.Text.Json.Nodes;
using Marketplace.Core.Validation;
using Marketplace.Functions.Http;
using Marketplace.Storage;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.Functions.Adapters;

/// <summary>The validation report of a version.</summary>
public static class GetReport
{
    public static async Task<Results<ContentHttpResult, ProblemHttpResult>> Handle(
        string owner, string name, string revision, Requester requester, MarketplaceStorage storage, CancellationToken cancellationToken)
    {
        var (version, problem) = await Lookup.VersionAsync(storage, requester.Caller, owner, name, revision, cancellationToken);
        if (version is null)
            return problem!;
        if (await storage.Reports.ReadAsync(version.UploadId, cancellationToken) is not { } report)
            return Problems.NotFound($"report of version '{revision}' of '{version.Adapter}'");
        return TypedResults.Text(requester.Owns(version.Adapter) ? report : ForStrangers(report), "application/json");
    }

    // What else is like the adapter may speak of the publisher's private ones.
    private static string ForStrangers(string report)
    {
        var json = JsonNode.Parse(report)!;
        var issues = json["issues"]!.AsArray();
        foreach (var issue in issues.Where(i => IssueCodes.ForThePublisher.Contains(i!["code"]!.GetValue<string>())).ToList())
            issues.Remove(issue);
        return json.ToJsonString();
    }
}
