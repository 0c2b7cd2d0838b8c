using Marketplace.Core;
using Marketplace.Storage;
using Microsoft.Extensions.Caching.Memory;
using Microsoft.Extensions.Options;

namespace Marketplace.Functions.Hub;

/// <summary>Bytes of files: small ones from memory, where they stay under their digest, large ones by a signed address of storage.</summary>
public sealed class HubContents(MarketplaceStorage storage, IOptions<MarketplaceOptions> options) : IDisposable
{
    private const long MaxBytes = 64 << 20;

    private readonly MemoryCache known = new(new MemoryCacheOptions { SizeLimit = MaxBytes });

    /// <summary>Whether the service sends a file itself.</summary>
    internal bool Sends(HubRevision revision, ManifestFile file) =>
        file.Size <= options.Value.HubStreamedBytes || revision.Elsewhere.GetValueOrDefault(file.Path) is HubPlace.Written;

    /// <summary>All bytes of a file.</summary>
    /// <exception cref="FileNotFoundException">They are not stored.</exception>
    internal async Task<ReadOnlyMemory<byte>> ReadAsync(HubRevision revision, ManifestFile file, CancellationToken cancellationToken)
    {
        if (revision.Elsewhere.GetValueOrDefault(file.Path) is HubPlace.Written written)
            return written.Bytes;
        if (file.Size == 0)
            return ReadOnlyMemory<byte>.Empty;
        if (known.TryGetValue(file.Digest, out byte[]? bytes))
            return bytes;
        bytes = revision.Elsewhere.GetValueOrDefault(file.Path) is HubPlace.Derived place
            ? (await storage.Derived.ReadAsync(place.Weights, place.Analysis, place.Name, cancellationToken))?.ToArray() ?? throw new FileNotFoundException($"The derived file {place.Name} is not stored.")
            : await storage.Content.ReadAsync(file.Digest, cancellationToken);
        return known.Set(file.Digest, bytes, new MemoryCacheEntryOptions { Size = bytes.Length + 200 });
    }

    /// <summary>A short-lived address of a file that is not <see cref="HubPlace.Written"/>.</summary>
    internal Task<Uri> AddressAsync(HubRevision revision, ManifestFile file, CancellationToken cancellationToken) =>
        revision.Elsewhere.GetValueOrDefault(file.Path) is HubPlace.Derived place
            ? storage.Derived.SignedReadUriAsync(place.Weights, place.Analysis, place.Name, Path.GetFileName(file.Path), options.Value.DownloadLifetime, cancellationToken)
            : storage.Content.SignedReadUriAsync(file.Digest, Path.GetFileName(file.Path), options.Value.DownloadLifetime, cancellationToken);

    /// <inheritdoc/>
    public void Dispose() => known.Dispose();
}
