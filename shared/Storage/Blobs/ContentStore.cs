using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using Azure;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;
using Azure.Storage.Blobs.Specialized;
using Azure.Storage.Sas;
using Marketplace.Core;

namespace Marketplace.Storage;

/// <summary>A content blob as the sweep sees it.</summary>
public sealed record StoredContent(Digest Digest, long Size, DateTimeOffset LastWritten, ETag ETag);

/// <summary>
/// Immutable bytes by their SHA-256. A blob is created once and never changed; putting it again only renews its ETag, so that a sweep
/// which saw it unused a moment ago fails to delete it.
/// </summary>
public sealed class ContentStore
{
    private const string Prefix = "sha256/";

    private readonly BlobContainerClient container;
    private readonly SasSigner signer;
    private readonly TimeProvider clock;

    internal ContentStore(BlobContainerClient container, SasSigner signer, TimeProvider clock) =>
        (this.container, this.signer, this.clock) = (container, signer, clock);

    /// <summary>Stores a local file under its digest, or renews the blob if it is there.</summary>
    /// <exception cref="InvalidDataException">The file's bytes do not have that digest; nothing is stored.</exception>
    public async Task PutAsync(Digest digest, string filePath, CancellationToken ct = default)
    {
        if (!await TouchAsync(digest, ct))
            await BlockUpload.CreateAsync(container.GetBlockBlobClient(Name(digest)), digest, filePath, ct);
    }

    /// <summary>Stores bytes under their digest, or renews the blob if it is there.</summary>
    public async Task PutAsync(Digest digest, ReadOnlyMemory<byte> bytes, CancellationToken ct = default)
    {
        if (await TouchAsync(digest, ct))
            return;
        try
        {
            var onlyNew = new BlobUploadOptions { Conditions = new BlobRequestConditions { IfNoneMatch = ETag.All } };
            await Blob(digest).UploadAsync(BinaryData.FromBytes(bytes), onlyNew, ct);
        }
        catch (RequestFailedException e) when (e.Status is 409 or 412)
        {
            // Another writer of the same bytes was first.
        }
    }

    /// <summary>Renews the ETag of a stored blob; false if there is none.</summary>
    public async Task<bool> TouchAsync(Digest digest, CancellationToken ct = default)
    {
        var touched = new Dictionary<string, string> { ["touched"] = clock.GetUtcNow().UtcTicks.ToString() };
        return await Blob(digest).Try404Async(blob => blob.SetMetadataAsync(touched, cancellationToken: ct));
    }

    /// <summary>Whether the bytes are stored.</summary>
    public async Task<bool> ExistsAsync(Digest digest, CancellationToken ct = default) => await Blob(digest).ExistsAsync(ct);

    /// <summary>Number of bytes; null if they are not stored.</summary>
    public async Task<long?> SizeAsync(Digest digest, CancellationToken ct = default)
    {
        long? size = null;
        await Blob(digest).Try404Async(async blob => size = (await blob.GetPropertiesAsync(cancellationToken: ct)).Value.ContentLength);
        return size;
    }

    /// <summary>A seekable stream over the bytes, read from storage on demand.</summary>
    /// <exception cref="FileNotFoundException">They are not stored.</exception>
    public async Task<Stream> OpenReadAsync(Digest digest, CancellationToken ct = default)
    {
        try
        {
            return await Blob(digest).OpenReadAsync(new BlobOpenReadOptions(allowModifications: true), ct);
        }
        catch (RequestFailedException e) when (e.Status == 404)
        {
            throw Missing(digest);
        }
    }

    /// <summary>All bytes of something small.</summary>
    /// <exception cref="FileNotFoundException">They are not stored.</exception>
    public async Task<byte[]> ReadAsync(Digest digest, CancellationToken ct = default) => (await Blob(digest).ReadAsync(ct) ?? throw Missing(digest)).ToArray();

    /// <summary>Copies the bytes into a local file, which appears under its name only when its digest was checked.</summary>
    /// <exception cref="FileNotFoundException">They are not stored.</exception>
    /// <exception cref="InvalidDataException">What storage sent does not have the digest.</exception>
    public async Task DownloadAsync(Digest digest, string filePath, CancellationToken ct = default)
    {
        var partial = $"{filePath}.{Keys.NewId()}.partial";
        try
        {
            var response = await DownloadStreamAsync(digest, ct);
            Digest found;
            await using (var content = response.Content)
                found = await HashingCopy.ToFileAsync(content, partial, ct);
            if (found != digest)
                throw new InvalidDataException($"Storage sent bytes with digest {found} for {digest}.");
            File.Move(partial, filePath, overwrite: true);
        }
        finally
        {
            File.Delete(partial);
        }
    }

    /// <summary>An address from which anybody can read this one blob, and nothing else, until it expires.</summary>
    public Task<Uri> SignedReadUriAsync(Digest digest, string fileName, TimeSpan lifetime, CancellationToken ct = default) =>
        signer.SignAsync(Blob(digest), BlobSasPermissions.Read, clock.GetUtcNow() + lifetime, SasSigner.Attachment(fileName), ct);

    /// <summary>Blobs that nobody has written or renewed since <paramref name="before"/>.</summary>
    public async IAsyncEnumerable<StoredContent> ListOldAsync(DateTimeOffset before, [EnumeratorCancellation] CancellationToken ct = default)
    {
        await foreach (var item in container.GetBlobsAsync(BlobTraits.None, BlobStates.None, Prefix, ct))
        {
            if (item.Properties.LastModified is { } written && written < before && Digest.TryParse(item.Name[Prefix.Length..], out var digest))
                yield return new StoredContent(digest, item.Properties.ContentLength ?? 0, written, item.Properties.ETag ?? default);
        }
    }

    /// <summary>Deletes a blob unless somebody has renewed it since it was listed.</summary>
    internal async Task<bool> DeleteAsync(StoredContent content, CancellationToken ct)
    {
        try
        {
            await Blob(content.Digest).DeleteAsync(conditions: new BlobRequestConditions { IfMatch = content.ETag }, cancellationToken: ct);
            return true;
        }
        catch (RequestFailedException e) when (e.Status is 404 or 412)
        {
            return false;
        }
    }

    private static string Name(Digest digest) => Prefix + digest.Hex;

    private static FileNotFoundException Missing(Digest digest) => new($"No content with digest {digest} is stored.");

    private BlobClient Blob(Digest digest) => container.GetBlobClient(Name(digest));

    private async Task<BlobDownloadStreamingResult> DownloadStreamAsync(Digest digest, CancellationToken ct)
    {
        try
        {
            return await Blob(digest).DownloadStreamingAsync(cancellationToken: ct);
        }
        catch (RequestFailedException e) when (e.Status == 404)
        {
            throw Missing(digest);
        }
    }
}
