using Marketplace.Core.Api;
using Marketplace.Functions.Http;
using Marketplace.Storage;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.Functions.Uploads;

/// <summary>The publisher says that all bytes are there: the upload goes to validation.</summary>
public static class CompleteUpload
{
    public static async Task<Results<Accepted<UploadStatus>, ProblemHttpResult>> Handle(
        string id, Requester requester, MarketplaceStorage storage, TimeProvider time, CancellationToken cancellationToken)
    {
        var (upload, problem) = await OwnUpload.FindAsync(storage, requester, id, cancellationToken);
        if (upload is null)
            return problem!;

        if (upload.State == UploadState.Open)
        {
            if (upload.ExpiresAt < time.GetUtcNow())
                return Problems.Conflict("The upload has expired; begin a new one.");
            if (await UploadFiles.MissingAsync(storage, upload, cancellationToken) is { Count: > 0 } missing)
                return Problems.Conflict($"Not all bytes have arrived: {string.Join(", ", missing)}.");
            upload = upload with { State = UploadState.Queued };
            if (await storage.Uploads.UpdateAsync(upload, cancellationToken) != UpdateResult.Updated)
                return Problems.Conflict("The upload is being changed by another request.");
        }
        else if (upload.State is UploadState.Expired or UploadState.Cancelled)
        {
            return Problems.Conflict($"The upload is {Text.Of(upload.State)}; begin a new one.");
        }

        // Asking again after a lost answer sends a second message, which finds nothing left to do.
        if (upload.State == UploadState.Queued)
            await storage.Queues.SendAsync(QueueNames.Validations, upload.Id, cancellationToken);
        return TypedResults.Accepted($"{FunctionTable.RoutePrefix}/uploads/{upload.Id}", upload.View());
    }
}
