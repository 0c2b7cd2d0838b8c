using Marketplace.Storage;

namespace Marketplace.Functions.Uploads;

/// <summary>An upload's bytes, wherever they are: staged for it, staged as an object of Git LFS, or stored already.</summary>
internal static class UploadFiles
{
    /// <summary>Copies a file into a local one.</summary>
    public static async Task<SpoolResult> SpoolAsync(MarketplaceStorage storage, UploadRecord upload, int index, string local, CancellationToken cancellationToken)
    {
        var file = upload.Files[index];
        if (file.Staged is { } name)
            return await storage.StagedObjects.SpoolAsync(name, file.Size, local, cancellationToken);
        if (!file.Stored)
            return await storage.Staging.SpoolAsync(upload.Id, index, file.Size, local, cancellationToken);
        try
        {
            await storage.Content.DownloadAsync(file.Sha256!.Value, local, cancellationToken);
        }
        catch (FileNotFoundException)
        {
            return new(SpoolOutcome.Missing, default, 0);
        }

        var size = new FileInfo(local).Length;
        return size == file.Size ? new(SpoolOutcome.Ok, file.Sha256!.Value, size) : new(SpoolOutcome.SizeMismatch, default, size);
    }

    /// <summary>What is not there in full, in words.</summary>
    public static async Task<List<string>> MissingAsync(MarketplaceStorage storage, UploadRecord upload, CancellationToken cancellationToken)
    {
        var missing = new List<string>();
        for (var index = 0; index < upload.Files.Length; index++)
        {
            var file = upload.Files[index];
            var size = file.Staged is { } name ? await storage.StagedObjects.SizeAsync(name, cancellationToken)
                : file.Stored ? await storage.Content.SizeAsync(file.Sha256!.Value, cancellationToken)
                : await storage.Staging.SizeAsync(upload.Id, index, cancellationToken);
            if (size is null)
                missing.Add($"'{file.Path}' is absent");
            else if (size != file.Size)
                missing.Add($"'{file.Path}' has {size} of {file.Size} bytes");
        }

        return missing;
    }
}
