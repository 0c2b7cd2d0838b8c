using Azure;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;

namespace Marketplace.Storage;

internal static class BlobCalls
{
    /// <summary>Runs a call; false if the blob is not there.</summary>
    public static async Task<bool> Try404Async(this BlobClient blob, Func<BlobClient, Task> call)
    {
        try
        {
            await call(blob);
            return true;
        }
        catch (RequestFailedException e) when (e.Status == 404)
        {
            return false;
        }
    }

    /// <summary>
    /// Deletes blobs that were last written before a time, by a question that is asked after all of them were listed; one that is written again meanwhile stays.
    /// </summary>
    public static async Task<int> DeleteOldAsync(
        this BlobContainerClient container, string prefix, Func<string, Task<bool>> mayGo, DateTimeOffset before, CancellationToken ct)
    {
        var old = new List<BlobItem>();
        await foreach (var blob in container.GetBlobsAsync(BlobTraits.None, BlobStates.None, prefix, ct))
        {
            if (blob.Properties.LastModified < before)
                old.Add(blob);
        }

        var deleted = 0;
        foreach (var blob in old)
        {
            if (!await mayGo(blob.Name))
                continue;
            try
            {
                deleted += await container.GetBlobClient(blob.Name)
                    .DeleteIfExistsAsync(conditions: new BlobRequestConditions { IfMatch = blob.Properties.ETag }, cancellationToken: ct) ? 1 : 0;
            }
            catch (RequestFailedException e) when (e.Status == 412)
            {
                // Written again since it was listed.
            }
        }

        return deleted;
    }

    public static async Task<BinaryData?> ReadAsync(this BlobClient blob, CancellationToken ct)
    {
        BinaryData? content = null;
        await blob.Try404Async(async b => content = (await b.DownloadContentAsync(ct)).Value.Content);
        return content;
    }
}
