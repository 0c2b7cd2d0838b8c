using System.Security.Cryptography;
using System.Text;
using Azure;
using Azure.Storage;
using Azure.Storage.Blobs.Models;
using Azure.Storage.Blobs.Specialized;
using Marketplace.Core;

namespace Marketplace.Storage;

/// <summary>
/// Creates a blob from a local file in one pass: blocks are hashed as they are sent, and committed only if the whole has its digest and
/// nobody was faster. Block names are random for each writer, since uncommitted blocks of one blob are shared by all its writers.
/// </summary>
internal static class BlockUpload
{
    private const int BlockSize = 8 * 1024 * 1024;

    public static async Task CreateAsync(BlockBlobClient blob, Digest digest, string filePath, CancellationToken ct)
    {
        using var sha256 = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var writer = Keys.NewId();
        var blocks = new List<string>();
        await using (var file = new FileStream(filePath, FileMode.Open, FileAccess.Read, FileShare.Read, 1, FileOptions.SequentialScan | FileOptions.Asynchronous))
        {
            var sending = Task.CompletedTask;
            try
            {
                // Two buffers: one is being sent while the other is read and hashed.
                byte[][] buffers = [new byte[Math.Min(BlockSize, Math.Max(1, file.Length))], new byte[Math.Min(BlockSize, Math.Max(1, file.Length - BlockSize))]];
                while (await file.ReadAtLeastAsync(buffers[blocks.Count % 2], buffers[blocks.Count % 2].Length, throwOnEndOfStream: false, ct) is var read and > 0)
                {
                    var block = buffers[blocks.Count % 2].AsMemory(0, read);
                    sha256.AppendData(block.Span);
                    await sending;
                    var id = Convert.ToBase64String(Encoding.ASCII.GetBytes($"{writer}{blocks.Count:D6}"));
                    blocks.Add(id);
                    sending = StageAsync(blob, id, block, ct);
                }
            }
            finally
            {
                await sending;
            }
        }
        var found = Digest.FromHash(sha256.GetHashAndReset());
        if (found != digest)
            throw new InvalidDataException($"The file has digest {found}, not {digest}.");
        await CommitAsync(blob, blocks, ct);
    }

    private static async Task StageAsync(BlockBlobClient blob, string id, ReadOnlyMemory<byte> block, CancellationToken ct)
    {
        using var content = new MemoryStream(System.Runtime.InteropServices.MemoryMarshal.TryGetArray(block, out var array) ? array.Array! : block.ToArray(), 0, block.Length, writable: false);
        var options = new BlockBlobStageBlockOptions { TransferValidation = new UploadTransferValidationOptions { ChecksumAlgorithm = StorageChecksumAlgorithm.MD5 } };
        await blob.StageBlockAsync(id, content, options, ct);
    }

    private static async Task CommitAsync(BlockBlobClient blob, List<string> blocks, CancellationToken ct)
    {
        var onlyNew = new BlobRequestConditions { IfNoneMatch = ETag.All };
        try
        {
            await blob.CommitBlockListAsync(blocks, new CommitBlockListOptions { Conditions = onlyNew }, ct);
        }
        catch (RequestFailedException e) when (e.Status is 409 or 412 or 400)
        {
            // Another writer of the same bytes committed first; its commit also discarded our blocks (400).
            if (!await blob.ExistsAsync(ct))
                throw;
        }
    }
}
