using System.Text.Json;
using Marketplace.Core.Api;
using Marketplace.Functions.Http;
using Marketplace.Storage;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.Functions.Uploads;

/// <summary>How far an upload got, with the issues found.</summary>
public static class GetUpload
{
    public static async Task<Results<Ok<UploadStatus>, ProblemHttpResult>> Handle(
        string id, Requester requester, MarketplaceStorage storage, CancellationToken cancellationToken)
    {
        var (upload, problem) = await OwnUpload.FindAsync(storage, requester, id, cancellationToken);
        if (upload is null)
            return problem!;
        var decided = upload.State is UploadState.Published or UploadState.Rejected;
        var report = decided ? await storage.Reports.ReadAsync(id, cancellationToken) : null;
        return TypedResults.Ok(upload.View(report is null ? null : IssuesOf(report)));
    }

    private static List<IssueView> IssuesOf(string report)
    {
        using var json = JsonDocument.Parse(report);
        return json.RootElement.GetProperty("issues").Deserialize<List<IssueView>>(ApiJson.Options)!;
    }
}
