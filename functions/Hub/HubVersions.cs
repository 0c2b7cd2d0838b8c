using Marketplace.Core;
using Marketplace.Storage;
using Microsoft.Extensions.Caching.Memory;

namespace Marketplace.Functions.Hub;

/// <summary>
/// Versions and their variants in memory. They never change, so they may stay as long as there is room; whether the caller may see them, and which of them is <c>main</c>, is the adapter's row to say. An adapter that was
/// deleted and published anew is another one, of other numbers.
/// </summary>
public sealed class HubVersions(MarketplaceStorage storage, HubVariants variants) : IDisposable
{
    // A file takes about 300 bytes.
    private const int MaxFiles = 150_000;
    private const int OwnSize = 4;

    private readonly MemoryCache known = new(new MemoryCacheOptions { SizeLimit = MaxFiles });

    /// <summary>The version that a pointer names; null if there is none.</summary>
    internal Task<HubRevision?> GetAsync(AdapterRecord adapter, VersionPointer pointer, CancellationToken cancellationToken) => KeptAsync(adapter, pointer.Id, async () =>
        await storage.Versions.GetAsync(adapter.Id, pointer.Number, cancellationToken) is { } version && version.Id == pointer.Id ? HubRepositories.Of(version) : null);

    /// <summary>The version, or variant of one, with that commit id; null if there is none.</summary>
    internal Task<HubRevision?> FindAsync(AdapterRecord adapter, string commit, CancellationToken cancellationToken) => KeptAsync(adapter, commit, async () =>
        (await storage.Versions.GetByIdAsync(adapter.Id, commit, cancellationToken) is { } version
            ? HubRepositories.Of(version) : await variants.FindByIdAsync(adapter.Id, commit, cancellationToken)) is { Version: { } of } found && adapter.Has(of.Number) ? found : null);

    /// <inheritdoc/>
    public void Dispose() => known.Dispose();

    private async Task<HubRevision?> KeptAsync(AdapterRecord adapter, string commit, Func<Task<HubRevision?>> read)
    {
        var key = (adapter.Id, adapter.DeletedThrough, commit);
        if (known.TryGetValue(key, out HubRevision? revision) || await read() is not { } found)
            return revision;
        return known.Set(key, found, new MemoryCacheEntryOptions { Size = OwnSize + found.Files.Length });
    }
}
