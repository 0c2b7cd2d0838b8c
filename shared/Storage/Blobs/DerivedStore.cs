using System.Runtime.CompilerServices;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;
using Azure.Storage.Sas;
using Marketplace.Core;

namespace Marketplace.Storage;

/// <summary>What is computed from an adapter's weights: statistics, prototypes, the adapter at smaller ranks. Recomputable, hence overwritable.</summary>
public sealed class DerivedStore
{
    private readonly BlobContainerClient container;
    private readonly SasSigner signer;
    private readonly TimeProvider clock;

    internal DerivedStore(BlobContainerClient container, SasSigner signer, TimeProvider clock) =>
        (this.container, this.signer, this.clock) = (container, signer, clock);

    /// <summary>Stores a result of the analysis named <paramref name="analysisVersion"/>.</summary>
    public async Task PutAsync(Digest weights, string analysisVersion, string name, ReadOnlyMemory<byte> content, CancellationToken ct = default) =>
        await Blob(weights, analysisVersion, name).UploadAsync(BinaryData.FromBytes(content), overwrite: true, ct);

    /// <summary>Stores a result that is in a local file.</summary>
    public async Task PutFileAsync(Digest weights, string analysisVersion, string name, string filePath, CancellationToken ct = default) =>
        await Blob(weights, analysisVersion, name).UploadAsync(filePath, overwrite: true, ct);

    /// <summary>An address from which anybody can read this one result, as a file of that name, until it expires.</summary>
    public Task<Uri> SignedReadUriAsync(
        Digest weights, string analysisVersion, string name, string fileName, TimeSpan lifetime, CancellationToken ct = default) =>
        signer.SignAsync(Blob(weights, analysisVersion, name), BlobSasPermissions.Read, clock.GetUtcNow() + lifetime, SasSigner.Attachment(fileName), ct);

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
