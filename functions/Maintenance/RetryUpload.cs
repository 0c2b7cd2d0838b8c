using Marketplace.Core.Api;
using Marketplace.Functions.Http;
using Marketplace.Functions.Uploads;
using Marketplace.Storage;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.Functions.Maintenance;

/// <summary>Validates an upload again whose validation failed too often, as long as its staged bytes are there: the sweep leaves them for its grace period.</summary>
public static class RetryUpload
{
    public static async Task<Results<Accepted<UploadStatus>, ProblemHttpResult>> Handle(string id, MarketplaceStorage storage, CancellationToken cancellationToken)
    {
        if (await storage.Uploads.GetAsync(id, cancellationToken) is not { } upload)
            return Problems.NotFound($"upload '{id}'");
        if (!upload.CanBeRetried)
            return Problems.Conflict($"The upload is {Text.Of(upload.State)}; only one whose validation failed too often can be tried again.");
        if (await UploadFiles.MissingAsync(storage, upload, cancellationToken) is { Count: > 0 } missing)
            return Problems.Conflict($"Its staged bytes are gone ({string.Join(", ", missing)}); the publisher sends them again.");
        upload = upload with { State = UploadState.Queued, FailureCode = null, FailureMessage = null };
        if (await storage.Uploads.UpdateAsync(upload, cancellationToken) != UpdateResult.Updated)
            return Problems.Conflict("The upload is being changed by another request.");
        await storage.Queues.SendAsync(QueueNames.Validations, id, cancellationToken);
        return TypedResults.Accepted($"{FunctionTable.RoutePrefix}/uploads/{id}", upload.View());
    }
}
