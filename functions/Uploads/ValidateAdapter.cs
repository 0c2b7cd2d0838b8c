using Marketplace.Functions.BaseModels;
using Marketplace.Functions.Http;
using Marketplace.Storage;
using Marketplace.Storage.Jobs;
using Marketplace.Storage.Telemetry;

namespace Marketplace.Functions.Uploads;

/// <summary>
/// Validates a completed upload of an adapter or of a base model and publishes it, or refuses it with its issues. Runs from the queue, perhaps more than once: the outcome is
/// the same version or the same refusal.
/// </summary>
public static class ValidateAdapter
{
    public static async Task Handle(IServiceProvider services, string uploadId, CancellationToken cancellationToken)
    {
        var storage = services.GetRequiredService<MarketplaceStorage>();
        var logger = services.GetRequiredService<ILoggerFactory>().CreateLogger(nameof(ValidateAdapter));
        if (await storage.Uploads.GetAsync(uploadId, cancellationToken) is not { State: UploadState.Queued } upload)
        {
            AuditScope.NothingDone();
            return;
        }

        AuditScope.About($"uploads/{uploadId}", upload.Adapter.ToString());

        using var span = MarketplaceActivity.Start("validate upload")?.SetTag("marketplace.upload.id", uploadId).SetTag("marketplace.upload.kind", Text.Of(upload.Kind));
        using var scratch = new ScratchFolder();
        var decided = await (upload.Kind == UploadKind.BaseModel
            ? services.GetRequiredService<BaseModelValidation>().RunAsync(upload, scratch.Path, cancellationToken)
            : services.GetRequiredService<UploadValidation>().RunAsync(upload, scratch.Path, cancellationToken));
        span?.SetTag("marketplace.upload.outcome", Text.Of(decided.State));
        if (await storage.Uploads.UpdateAsync(decided, cancellationToken) == UpdateResult.Conflict)
            return;
        AuditScope.About($"uploads/{uploadId}", $"{upload.Adapter} {decided.State}{(decided.FailureCode is { } code ? $": {code}" : "")}");
        await storage.Staging.DeleteUploadAsync(uploadId, cancellationToken);
        logger.LogInformation("Upload {UploadId} for {Adapter} is {State}", uploadId, upload.Adapter, decided.State);
    }
}
