using Azure;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;
using Azure.Storage.Blobs.Specialized;
using Azure.Storage.Sas;

namespace Marketplace.Storage;

/// <summary>
/// Where clients of Git LFS put objects, each as one block of a blob of its own. They send no header that a whole blob would need, but Put Block needs none: the block lies uncommitted until <see cref="SealAsync"/>
/// makes it the blob's content. The address stays valid after that, so a sealed blob is read once, under its ETag, as everything that is staged.
/// </summary>
public sealed class ObjectStaging
{
    /// <summary>The most bytes that one block may have.</summary>
    public const long MaxBlockBytes = 4000L << 20;

    private const string Prefix = "lfs/";
    private const string BlockId = "MDAwMA==";

    private readonly BlobContainerClient container;
    private readonly SasSigner signer;

    internal ObjectStaging(BlobContainerClient container, SasSigner signer) => (this.container, this.signer) = (container, signer);

    /// <summary>A new name that nobody can guess.</summary>
    public static string NewName() => Keys.NewId();

    /// <summary>An address to which anybody can send the object with a plain PUT, until it expires.</summary>
    public async Task<Uri> SignedUriAsync(string name, DateTimeOffset expires, CancellationToken ct = default)
    {
        var signed = await signer.SignAsync(container.GetBlobClient(Prefix + name), BlobSasPermissions.Create | BlobSasPermissions.Write, expires, null, ct);
        return new Uri($"{signed.AbsoluteUri}&comp=block&blockid={Uri.EscapeDataString(BlockId)}");
    }

    /// <summary>Whether an object of that size was sent, sealed or not.</summary>
    public async Task<bool> HasAsync(string name, long size, CancellationToken ct = default) =>
        await BlocksAsync(name, ct) is { } blocks && (Sent(blocks, size) || Sealed(blocks, size));

    /// <summary>Makes the block that was sent the content of its blob; false if there is none of that size. Repeatable.</summary>
    public async Task<bool> SealAsync(string name, long size, CancellationToken ct = default)
    {
        if (await BlocksAsync(name, ct) is not { } blocks)
            return false;
        if (!Sent(blocks, size))
            return Sealed(blocks, size);
        try
        {
            await Blob(name).CommitBlockListAsync([BlockId], cancellationToken: ct);
            return true;
        }
        catch (RequestFailedException e) when (e.Status == 400)
        {
            // Another request sealed it since we looked.
            return await SizeAsync(name, ct) == size;
        }
    }

    /// <summary>Copies a sealed object into a local file and hashes what was written.</summary>
    public Task<SpoolResult> SpoolAsync(string name, long expectedSize, string filePath, CancellationToken ct = default) =>
        StagingStore.SpoolAsync(container.GetBlobClient(Prefix + name), expectedSize, filePath, ct);

    /// <summary>Bytes of a sealed object; null if there is none.</summary>
    public async Task<long?> SizeAsync(string name, CancellationToken ct = default)
    {
        long? size = null;
        await container.GetBlobClient(Prefix + name).Try404Async(async blob => size = (await blob.GetPropertiesAsync(cancellationToken: ct)).Value.ContentLength);
        return size;
    }

    /// <summary>Deletes an object.</summary>
    public Task DeleteAsync(string name, CancellationToken ct = default) => container.DeleteBlobIfExistsAsync(Prefix + name, cancellationToken: ct);

    /// <summary>Deletes sealed objects that nobody has written since a moment and that may go; returns how many.</summary>
    internal Task<int> SweepAsync(Func<string, bool> mayGo, DateTimeOffset before, CancellationToken ct) =>
        container.DeleteOldAsync(Prefix, name => Task.FromResult(mayGo(name[Prefix.Length..])), before, ct);

    private static bool Sent(BlockList blocks, long size) => blocks.UncommittedBlocks.Any(b => b.Name == BlockId && b.SizeLong == size);

    private static bool Sealed(BlockList blocks, long size) => blocks.CommittedBlocks.Any() && blocks.CommittedBlocks.Sum(b => b.SizeLong) == size;

    private async Task<BlockList?> BlocksAsync(string name, CancellationToken ct)
    {
        try
        {
            return (await Blob(name).GetBlockListAsync(BlockListTypes.All, cancellationToken: ct)).Value;
        }
        catch (RequestFailedException e) when (e.Status == 404)
        {
            return null;
        }
    }

    private BlockBlobClient Blob(string name) => container.GetBlockBlobClient(Prefix + name);
}
