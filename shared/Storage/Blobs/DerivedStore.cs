using System.Runtime.CompilerServices;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;
using Marketplace.Core;

namespace Marketplace.Storage;

/// <summary>What analysis computes from an adapter's weights: sketch, prototypes, statistics. Recomputable, hence overwritable.</summary>
public sealed class DerivedStore
{
    private readonly BlobContainerClient container;

    internal DerivedStore(BlobContainerClient container) => this.container = container;

    /// <summary>Stores a result of the analysis named <paramref name="analysisVersion"/>.</summary>
    public async Task PutAsync(Digest weights, string analysisVersion, string name, ReadOnlyMemory<byte> content, CancellationToken ct = default) =>
        await Blob(weights, analysisVersion, name).UploadAsync(BinaryData.FromBytes(content), overwrite: true, ct);

    /// <summary>Reads a result; null if it was never computed.</summary>
    public Task<BinaryData?> ReadAsync(Digest weights, string analysisVersion, string name, CancellationToken ct = default) =>
        Blob(weights, analysisVersion, name).ReadAsync(ct);

    /// <summary>The weights that results older than <paramref name="before"/> belong to, each once.</summary>
    internal async IAsyncEnumerable<Digest> ListOldAsync(DateTimeOffset before, [EnumeratorCancellation] CancellationToken ct)
    {
        Digest? last = null;
        await foreach (var item in container.GetBlobsAsync(BlobTraits.None, BlobStates.None, null, ct))
        {
            if (item.Properties.LastModified < before && Digest.TryParse(item.Name.Split('/')[0], out var digest) && digest != last)
                yield return (last = digest).Value;
        }
    }

    internal async Task DeleteAllAsync(Digest weights, CancellationToken ct)
    {
        await foreach (var item in container.GetBlobsAsync(BlobTraits.None, BlobStates.None, weights.Hex + "/", ct))
            await container.DeleteBlobIfExistsAsync(item.Name, cancellationToken: ct);
    }

    private BlobClient Blob(Digest weights, string analysisVersion, string name) => container.GetBlobClient($"{weights.Hex}/{analysisVersion}/{name}");
}
