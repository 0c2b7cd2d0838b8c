using Marketplace.Storage;

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

        var decided = await services.GetRequiredService<UploadDecision>().RunAsync(upload, cancellationToken);
        if (decided is null)
            return;
        AuditScope.About($"uploads/{uploadId}", $"{upload.Adapter} {decided.State}{(decided.FailureCode is { } code ? $": {code}" : "")}");
        logger.LogInformation("Upload {UploadId} for {Adapter} is {State}", uploadId, upload.Adapter, decided.State);
    }
}
