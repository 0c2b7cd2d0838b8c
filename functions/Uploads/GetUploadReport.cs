using Marketplace.Functions.Http;
using Marketplace.Storage;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.Functions.Uploads;

/// <summary>The validation report of an upload, refused ones included.</summary>
public static class GetUploadReport
{
    public static async Task<Results<ContentHttpResult, ProblemHttpResult>> Handle(
        string id, Requester requester, MarketplaceStorage storage, CancellationToken cancellationToken)
    {
        var (upload, problem) = await OwnUpload.FindAsync(storage, requester, id, cancellationToken);
        if (upload is null)
            return problem!;
        return await storage.Reports.ReadAsync(id, cancellationToken) is { } report
            ? TypedResults.Text(report, "application/json")
            : Problems.NotFound($"report of upload '{id}' yet");
    }
}
