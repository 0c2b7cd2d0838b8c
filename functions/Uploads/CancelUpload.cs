using Marketplace.Functions.Http;
using Marketplace.Storage;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.Functions.Uploads;

/// <summary>Gives up an upload that is still open; its bytes go.</summary>
public static class CancelUpload
{
    public static async Task<Results<NoContent, ProblemHttpResult>> Handle(
        string id, Requester requester, MarketplaceStorage storage, CancellationToken cancellationToken)
    {
        var (upload, problem) = await OwnUpload.FindAsync(storage, requester, id, cancellationToken);
        if (upload is null)
            return problem!;
        if (upload.State == UploadState.Cancelled)
            return TypedResults.NoContent();
        if (upload.State != UploadState.Open
            || await storage.Uploads.UpdateAsync(upload with { State = UploadState.Cancelled }, cancellationToken) != UpdateResult.Updated)
            return Problems.Conflict("Only an open upload can be given up.");
        await storage.Staging.DeleteUploadAsync(id, cancellationToken);
        return TypedResults.NoContent();
    }
}
