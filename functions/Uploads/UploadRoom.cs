using System.Collections.Immutable;
using Marketplace.Core;
using Marketplace.Storage;

namespace Marketplace.Functions.Uploads;

/// <summary>
/// Whether an account has room for an upload, before its bytes are sent. What other uploads have announced counts too. Uploads that begin at the same moment may all pass; the charge at
/// publication lets none through that is too much.
/// </summary>
internal static class UploadRoom
{
    // An upload's row follows its owner's within seconds.
    private static readonly TimeSpan Crashed = TimeSpan.FromMinutes(5);

    /// <summary>Why there is no room; null if there is.</summary>
    public static async Task<QuotaExcess?> LackingAsync(
        MarketplaceStorage storage, AdapterId adapter, ImmutableArray<UploadFileSpec> files, DateTimeOffset now, CancellationToken cancellationToken)
    {
        if (await LookAsync(storage, adapter, files, cancellationToken) is null)
            return null;
        // Perhaps only uploads that are over are in the way.
        await storage.Uploads.TidyAsync(adapter.Owner, now - Crashed, cancellationToken);
        return await LookAsync(storage, adapter, files, cancellationToken);
    }

    private static async Task<QuotaExcess?> LookAsync(
        MarketplaceStorage storage, AdapterId adapter, ImmutableArray<UploadFileSpec> files, CancellationToken cancellationToken)
    {
        var account = await storage.Usage.GetAsync(adapter.Owner, cancellationToken);
        var limit = account.Quotas;
        if (account.Uploads >= limit.Uploads)
            return new(adapter.Owner, "uploads at a time", limit.Uploads, account.Uploads, 1);
        var (bytes, taken) = (files.Sum(f => f.Size), account.Published.Bytes + account.UploadBytes);
        // A draft's room is the version's that it becomes.
        if (taken + bytes > limit.Bytes && taken + bytes - await storage.Usage.DraftBytesAsync(adapter, cancellationToken) > limit.Bytes)
            return new(adapter.Owner, "bytes", limit.Bytes, taken, bytes);
        return account.Published.Adapters >= limit.Adapters && await storage.Adapters.GetAsync(adapter, cancellationToken) is null
            ? new(adapter.Owner, "adapters", limit.Adapters, account.Published.Adapters, 1)
            : null;
    }
}
