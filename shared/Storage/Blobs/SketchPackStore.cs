using System.Text;
using Azure;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;
using Marketplace.Core;
using Marketplace.Core.Analysis;

namespace Marketplace.Storage;

/// <summary>
/// Packs of sketches, one for each base model and version of the analysis: a copy of derived data for speed, which may lag behind, be lost, or hold what nobody needs. Between two writers
/// the ETag arbitrates, and who loses has lost nothing. It holds sketches of private adapters beside public ones and is never served.
/// </summary>
public sealed class SketchPackStore
{
    private readonly BlobContainerClient container;

    internal SketchPackStore(BlobContainerClient container) => this.container = container;

    /// <summary>Reads a base model's pack; no bytes if there is none.</summary>
    public async Task<(ReadOnlyMemory<byte> Bytes, ETag? ETag)> ReadAsync(string baseModel, CancellationToken ct = default)
    {
        try
        {
            var response = await Blob(baseModel).DownloadContentAsync(ct);
            return (response.Value.Content.ToMemory(), response.Value.Details.ETag);
        }
        catch (RequestFailedException e) when (e.Status == 404)
        {
            return (default, null);
        }
    }

    /// <summary>Writes a base model's pack if nobody has since it was read; false if somebody has.</summary>
    /// <param name="baseModel">The library.</param>
    /// <param name="bytes">The pack.</param>
    /// <param name="read">The ETag it was read under; null if there was none.</param>
    /// <param name="ct">Cancels.</param>
    public async Task<bool> TryWriteAsync(string baseModel, ReadOnlyMemory<byte> bytes, ETag? read, CancellationToken ct = default)
    {
        try
        {
            var conditions = read is { } etag ? new BlobRequestConditions { IfMatch = etag } : new BlobRequestConditions { IfNoneMatch = ETag.All };
            await Blob(baseModel).UploadAsync(BinaryData.FromBytes(bytes), new BlobUploadOptions { Conditions = conditions }, ct);
            return true;
        }
        catch (RequestFailedException e) when (e.Status is 409 or 412)
        {
            return false;
        }
    }

    private BlobClient Blob(string baseModel) =>
        container.GetBlobClient($"{AdapterAnalysis.Version}/{Digest.Of(Encoding.UTF8.GetBytes(Keys.Model(baseModel))).Hex}");
}
