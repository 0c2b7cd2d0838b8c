using Marketplace.Core;
using Marketplace.Storage;

namespace Marketplace.Functions.Hub.Commits;

/// <summary>Bytes that a caller may name by their SHA-256 alone: what the same account has sent, and what is in an adapter that the caller can see. Nobody gets at a private file by knowing its digest.</summary>
internal static class CommitObjects
{
    /// <summary>An object that the account has sent in full; null if there is none. Its bytes are not looked at.</summary>
    public static async Task<LfsObject?> StagedAsync(MarketplaceStorage storage, string owner, Digest oid, long? size, CancellationToken cancellationToken)
    {
        foreach (var item in await storage.LfsObjects.ListAsync(owner, oid, cancellationToken))
        {
            if ((size is null || item.Size == size) && await storage.StagedObjects.HasAsync(item.Name, item.Size, cancellationToken))
                return item;
        }

        return null;
    }

    /// <summary>The same bytes in an adapter that the caller can see; null if there are none.</summary>
    public static async Task<ManifestFile?> VisibleAsync(MarketplaceStorage storage, Caller caller, Digest oid, long? size, CancellationToken cancellationToken)
    {
        await foreach (var use in storage.ContentIndex.ListAsync(oid, caller, cancellationToken))
        {
            if (await storage.Adapters.GetAsync(use.Adapter, cancellationToken) is { } adapter && caller.CanSee(adapter)
                && await storage.Versions.GetAsync(use.Adapter, use.Number, cancellationToken) is { } version
                && version.Files.FirstOrDefault(f => f.Digest == oid && (size is null || f.Size == size)) is { } file)
                return file;
        }

        return null;
    }

    /// <summary>Forgets objects whose address has expired and that never came.</summary>
    public static async Task ForgetUnsentAsync(MarketplaceStorage storage, string owner, Digest oid, DateTimeOffset before, CancellationToken cancellationToken)
    {
        foreach (var item in await storage.LfsObjects.ListAsync(owner, oid, cancellationToken))
        {
            if (item.CreatedAt < before && !await storage.StagedObjects.HasAsync(item.Name, item.Size, cancellationToken))
                await storage.LfsObjects.DeleteAsync(owner, oid, item.Name, cancellationToken);
        }
    }

    /// <summary>Removes an object that was committed, or is not what it was said to be.</summary>
    public static async Task RemoveAsync(MarketplaceStorage storage, string owner, Digest oid, string name, CancellationToken cancellationToken)
    {
        await storage.StagedObjects.DeleteAsync(name, cancellationToken);
        await storage.LfsObjects.DeleteAsync(owner, oid, name, cancellationToken);
    }
}
