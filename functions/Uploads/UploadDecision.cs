using Marketplace.Functions.BaseModels;
using Marketplace.Functions.Http;
using Marketplace.Functions.Hub.Commits;
using Marketplace.Storage;
using Marketplace.Storage.Jobs;
using Marketplace.Storage.Telemetry;

namespace Marketplace.Functions.Uploads;

/// <summary>Decides a queued upload and removes what was staged for it: from the queue, or while the client of a small commit waits.</summary>
public sealed class UploadDecision(MarketplaceStorage storage, UploadValidation adapters, BaseModelValidation baseModels)
{
    /// <summary>The upload as it is now; null if somebody else has decided it meanwhile.</summary>
    internal async Task<UploadRecord?> RunAsync(UploadRecord upload, CancellationToken cancellationToken)
    {
        using var span = MarketplaceActivity.Start("validate upload")?.SetTag("marketplace.upload.id", upload.Id).SetTag("marketplace.upload.kind", Text.Of(upload.Kind));
        using var scratch = new ScratchFolder();
        var decided = await (upload.Kind == UploadKind.BaseModel
            ? baseModels.RunAsync(upload, scratch.Path, cancellationToken)
            : adapters.RunAsync(upload, scratch.Path, cancellationToken));
        span?.SetTag("marketplace.upload.outcome", Text.Of(decided.State));
        if (await storage.Uploads.UpdateAsync(decided, cancellationToken) == UpdateResult.Conflict)
            return null;
        await storage.Staging.DeleteUploadAsync(upload.Id, cancellationToken);
        if (decided.IsCommit)
            await CommitAftermath.TidyAsync(storage, decided, cancellationToken);
        return decided;
    }
}
