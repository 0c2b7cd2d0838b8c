using Azure;
using Azure.Core;
using Azure.Storage;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;
using Azure.Storage.Blobs.Specialized;
using Marketplace.Core.Api;
using Microsoft.Win32.SafeHandles;

namespace Marketplace.Cli.Publishing;

/// <summary>Sends one file to its signed address in blocks, leaving out those that the journal knows to be there.</summary>
internal sealed class BlockUploader(UploadJournal journal, Action<long> sent)
{
    /// <summary>Bytes of a block.</summary>
    public const int BlockBytes = 4 << 20;

    private const int Parallelism = 4;

    // The SDK's MD5 per block lets storage refuse what arrived damaged (and Azurite takes such blocks faster).
    private static readonly UploadTransferValidationOptions Md5 = new() { ChecksumAlgorithm = StorageChecksumAlgorithm.MD5 };

    /// <summary>Number of blocks of a file.</summary>
    public static int BlockCount(long size) => checked((int)((size + BlockBytes - 1) / BlockBytes));

    /// <summary>Bytes of a block of a file.</summary>
    public static int BlockLength(long size, int block) => (int)Math.Min(BlockBytes, size - ((long)block * BlockBytes));

    /// <summary>Sends the file at <paramref name="index"/> of the upload.</summary>
    public async Task Send(int index, PublishFile file, UploadTarget target, CancellationToken ct)
    {
        if (journal.Has(index, null))
            return;
        var blob = new BlockBlobClient(new Uri(target.Url), ClientOptions());
        using var handle = File.OpenHandle(file.FullPath, options: FileOptions.Asynchronous);
        if (!await TryCommit(blob, handle, index, file, ct))
        {
            // The journal was wrong: storage has lost the blocks, or never had them.
            journal.Forget(index);
            if (!await TryCommit(blob, handle, index, file, ct))
                throw new IOException($"Storage does not keep the blocks of {file.Path}.");
        }

        journal.Add(index, null);
    }

    private async Task<bool> TryCommit(BlockBlobClient blob, SafeFileHandle handle, int index, PublishFile file, CancellationToken ct)
    {
        var blocks = Enumerable.Range(0, BlockCount(file.Size)).ToList();
        var missing = blocks.Where(b => !journal.Has(index, b)).ToList();
        var resumed = missing.Count < blocks.Count;
        var parallel = new ParallelOptions { MaxDegreeOfParallelism = Parallelism, CancellationToken = ct };
        await Parallel.ForEachAsync(missing, parallel, async (block, token) =>
        {
            var bytes = await Read(handle, file, block, token);
            using var stream = new MemoryStream(bytes, writable: false);
            await blob.StageBlockAsync(BlockId(block), stream, new BlockBlobStageBlockOptions { TransferValidation = Md5 }, token);
            journal.Add(index, block);
            sent(bytes.Length);
        });

        try
        {
            await blob.CommitBlockListAsync(blocks.Select(BlockId), cancellationToken: ct);
            return true;
        }
        catch (RequestFailedException e) when (resumed && e.ErrorCode == BlobErrorCode.InvalidBlockList)
        {
            sent(-file.Size);
            return false;
        }
    }

    private static async Task<byte[]> Read(SafeFileHandle handle, PublishFile file, int block, CancellationToken ct)
    {
        var bytes = new byte[BlockLength(file.Size, block)];
        for (var read = 0; read < bytes.Length;)
        {
            var n = await RandomAccess.ReadAsync(handle, bytes.AsMemory(read), ((long)block * BlockBytes) + read, ct);
            if (n == 0)
                throw new IOException($"{file.Path} became shorter while it was sent.");
            read += n;
        }

        return bytes;
    }

    // All ids of a blob must have the same length; the same block has the same id in every run.
    private static string BlockId(int block) => Convert.ToBase64String(BitConverter.GetBytes(block));

    private static BlobClientOptions ClientOptions()
    {
        var options = new BlobClientOptions();
        options.Retry.Mode = RetryMode.Exponential;
        options.Retry.MaxRetries = 6;
        options.Retry.Delay = TimeSpan.FromMilliseconds(200);
        options.Retry.NetworkTimeout = TimeSpan.FromSeconds(100);
        return options;
    }
}
