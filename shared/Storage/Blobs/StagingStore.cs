using System.Runtime.CompilerServices;
using Azure;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;
using Azure.Storage.Sas;
using Marketplace.Core;

namespace Marketplace.Storage;

/// <summary>How copying a staged file into a local one ended.</summary>
public enum SpoolOutcome
{
    /// <summary>The local file holds the bytes that the digest was computed from.</summary>
    Ok,

    /// <summary>The file was never uploaded.</summary>
    Missing,

    /// <summary>It has another size than announced.</summary>
    SizeMismatch,

    /// <summary>It was overwritten while it was read.</summary>
    Changed,
}

/// <summary>What came of spooling; the digest is that of the local file, and only set when the outcome is <c>Ok</c>.</summary>
public sealed record SpoolResult(SpoolOutcome Outcome, Digest Digest, long Size);

/// <summary>A staged file as the sweep sees it.</summary>
public sealed record StagedFile(string UploadId, int Index, DateTimeOffset LastWritten);

/// <summary>
/// Where publishers write through signed addresses. Such an address stays valid after the upload, so a staged blob is read once, under its
/// ETag, into a local file; everything afterwards uses that file.
/// </summary>
public sealed class StagingStore
{
    private readonly BlobContainerClient container;
    private readonly SasSigner signer;

    internal StagingStore(BlobContainerClient container, SasSigner signer) => (this.container, this.signer) = (container, signer);

    /// <summary>An address at which anybody can write this one blob, and nothing else, until it expires.</summary>
    public Task<Uri> SignedWriteUriAsync(string uploadId, int index, DateTimeOffset expires, CancellationToken ct = default) =>
        signer.SignAsync(Blob(uploadId, index), BlobSasPermissions.Create | BlobSasPermissions.Write, expires, null, ct);

    /// <summary>Copies a staged file into a local one and hashes what was written.</summary>
    public Task<SpoolResult> SpoolAsync(string uploadId, int index, long expectedSize, string filePath, CancellationToken ct = default) =>
        SpoolAsync(Blob(uploadId, index), expectedSize, filePath, ct);

    /// <summary>Copies a blob that others may write into a local file and hashes what was written.</summary>
    internal static async Task<SpoolResult> SpoolAsync(BlobClient blob, long expectedSize, string filePath, CancellationToken ct)
    {
        try
        {
            var properties = (await blob.GetPropertiesAsync(cancellationToken: ct)).Value;
            if (properties.ContentLength != expectedSize)
                return new(SpoolOutcome.SizeMismatch, default, properties.ContentLength);
            var options = new BlobDownloadOptions { Conditions = new BlobRequestConditions { IfMatch = properties.ETag } };
            BlobDownloadStreamingResult response = await blob.DownloadStreamingAsync(options, ct);
            await using var content = response.Content;
            var digest = await HashingCopy.ToFileAsync(content, filePath, ct);
            var size = new FileInfo(filePath).Length;
            return size == expectedSize ? new(SpoolOutcome.Ok, digest, size) : new(SpoolOutcome.Changed, default, size);
        }
        catch (RequestFailedException e) when (e.Status is 404 or 412)
        {
            return new(e.Status == 404 ? SpoolOutcome.Missing : SpoolOutcome.Changed, default, 0);
        }
    }

    /// <summary>Bytes that were written and committed for a file; null if there are none.</summary>
    public async Task<long?> SizeAsync(string uploadId, int index, CancellationToken ct = default)
    {
        long? size = null;
        await Blob(uploadId, index).Try404Async(async blob => size = (await blob.GetPropertiesAsync(cancellationToken: ct)).Value.ContentLength);
        return size;
    }

    /// <summary>Deletes everything staged for an upload; returns how many files there were.</summary>
    public async Task<int> DeleteUploadAsync(string uploadId, CancellationToken ct = default)
    {
        var deleted = 0;
        await foreach (var item in container.GetBlobsAsync(BlobTraits.None, BlobStates.Uncommitted, uploadId + "/", ct))
            deleted += await DeleteAsync(item.Name, ct) ? 1 : 0;
        return deleted;
    }

    /// <summary>Everything staged, of all uploads.</summary>
    public async IAsyncEnumerable<StagedFile> ListAsync([EnumeratorCancellation] CancellationToken ct = default)
    {
        await foreach (var item in container.GetBlobsAsync(BlobTraits.None, BlobStates.None, null, ct))
        {
            var parts = item.Name.Split('/');
            if (parts.Length == 2 && int.TryParse(parts[1], out var index))
                yield return new StagedFile(parts[0], index, item.Properties.LastModified ?? DateTimeOffset.MinValue);
        }
    }

    private async Task<bool> DeleteAsync(string name, CancellationToken ct) => await container.DeleteBlobIfExistsAsync(name, cancellationToken: ct);

    private BlobClient Blob(string uploadId, int index) => container.GetBlobClient($"{uploadId}/{index:D4}");
}
