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
        await storage.Uploads.TidyPendingAsync(adapter.Owner, now - Crashed, cancellationToken);
        return await LookAsync(storage, adapter, files, cancellationToken);
    }

    private static async Task<QuotaExcess?> LookAsync(
        MarketplaceStorage storage, AdapterId adapter, ImmutableArray<UploadFileSpec> files, CancellationToken cancellationToken)
    {
        var (quotas, usage, pending) = (
            storage.Usage.QuotasAsync(adapter.Owner, cancellationToken), storage.Usage.GetAsync(adapter.Owner, cancellationToken),
            storage.Uploads.PendingAsync(adapter.Owner, cancellationToken));
        var (limit, used, waiting) = (await quotas, await usage, await pending);
        if (waiting.Count >= limit.Uploads)
            return new(adapter.Owner, "uploads at a time", limit.Uploads, waiting.Count, 1);
        var bytes = files.Sum(f => f.Size);
        if (used.Bytes + waiting.Bytes + bytes > limit.Bytes)
            return new(adapter.Owner, "bytes", limit.Bytes, used.Bytes + waiting.Bytes, bytes);
        return used.Adapters >= limit.Adapters && await storage.Adapters.GetAsync(adapter, cancellationToken) is null
            ? new(adapter.Owner, "adapters", limit.Adapters, used.Adapters, 1)
            : null;
    }
}
