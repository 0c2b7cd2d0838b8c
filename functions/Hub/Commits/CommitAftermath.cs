using Marketplace.Core.Validation;
using Marketplace.Storage;

namespace Marketplace.Functions.Hub.Commits;

/// <summary>What follows from the verdict on a commit. Repeatable, by whoever meets it.</summary>
internal static class CommitAftermath
{
    /// <summary>Forgets what was beyond the version that was published, and removes objects that are committed or are not what they were said to be.</summary>
    public static async Task TidyAsync(MarketplaceStorage storage, UploadRecord decided, CancellationToken cancellationToken)
    {
        if (decided.State == UploadState.Published)
            await SettleAsync(storage, decided, cancellationToken);
        var broken = decided.State == UploadState.Rejected
            ? (await CommitIssues.ReadAsync(storage, decided.Id, cancellationToken)).Where(i => i.Code is IssueCodes.DigestMismatch or IssueCodes.FileIncomplete).Select(i => i.Path).ToHashSet()
            : [];
        foreach (var file in decided.Files)
        {
            if (file is { Staged: { } name, Sha256: { } oid } && (decided.State == UploadState.Published || broken.Contains(file.Path)))
                await CommitObjects.RemoveAsync(storage, decided.Owner, oid, name, cancellationToken);
        }
    }

    // The version says it all now. Of a base model the row stays: it says that the repository is one.
    private static async Task SettleAsync(MarketplaceStorage storage, UploadRecord published, CancellationToken cancellationToken)
    {
        while (await storage.Repositories.GetAsync(published.Adapter, cancellationToken) is { } record && record.Pending?.UploadId == published.Id)
        {
            var settled = record.ForBaseModel
                ? await storage.Repositories.UpdateAsync(record with { Draft = null, Pending = null }, cancellationToken)
                : await storage.Repositories.DeleteAsync(record, cancellationToken);
            if (settled == UpdateResult.Updated)
                await storage.Usage.ReleaseDraftAsync(published.Adapter, cancellationToken);
        }
    }
}
