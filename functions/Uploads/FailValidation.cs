using Marketplace.Storage;

namespace Marketplace.Functions.Uploads;

/// <summary>Ends an upload whose message failed too often.</summary>
public static class FailValidation
{
    public static async Task Handle(IServiceProvider services, string uploadId, CancellationToken cancellationToken)
    {
        var storage = services.GetRequiredService<MarketplaceStorage>();
        if (await storage.Uploads.GetAsync(uploadId, cancellationToken) is not { State: UploadState.Queued } upload)
        {
            AuditScope.NothingDone();
            return;
        }

        AuditScope.About($"uploads/{uploadId}", upload.Adapter.ToString());
        await storage.Uploads.UpdateAsync(
            upload with
            {
                State = UploadState.Failed,
                FailureCode = UploadRecord.Poisoned,
                FailureMessage = "Validation failed too often; the operator's log says why. Nothing was published.",
            },
            cancellationToken);
    }
}
