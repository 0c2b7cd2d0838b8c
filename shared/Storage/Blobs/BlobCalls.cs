using Azure;
using Azure.Storage.Blobs;

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

    public static async Task<BinaryData?> ReadAsync(this BlobClient blob, CancellationToken ct)
    {
        BinaryData? content = null;
        await blob.Try404Async(async b => content = (await b.DownloadContentAsync(ct)).Value.Content);
        return content;
    }
}
