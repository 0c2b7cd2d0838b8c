using Azure.Storage.Blobs;

namespace Marketplace.Storage;

/// <summary>Validation reports by upload, of refused uploads too, and merge reports by job.</summary>
public sealed class ReportStore
{
    private readonly BlobContainerClient container;

    internal ReportStore(BlobContainerClient container) => this.container = container;

    /// <summary>Stores the report of an upload; validating again replaces it.</summary>
    public async Task PutAsync(string uploadId, string json, CancellationToken ct = default) =>
        await Blob(uploadId).UploadAsync(BinaryData.FromString(json), overwrite: true, ct);

    /// <summary>Reads the report of an upload; null if it was not validated.</summary>
    public async Task<string?> ReadAsync(string uploadId, CancellationToken ct = default) => (await Blob(uploadId).ReadAsync(ct))?.ToString();

    /// <summary>Stores the report of a job's merge; computing again replaces it.</summary>
    public async Task PutMergeAsync(string jobId, string json, CancellationToken ct = default) =>
        await Merge(jobId).UploadAsync(BinaryData.FromString(json), overwrite: true, ct);

    /// <summary>Reads the report of a job's merge; null if there was none.</summary>
    public async Task<string?> ReadMergeAsync(string jobId, CancellationToken ct = default) => (await Merge(jobId).ReadAsync(ct))?.ToString();

    private BlobClient Merge(string jobId) => container.GetBlobClient($"{jobId}.merge.json");

    private BlobClient Blob(string uploadId) => container.GetBlobClient($"{uploadId}.json");
}
