using Marketplace.Functions.Http;
using Marketplace.Storage;

namespace Marketplace.Functions.Uploads;

/// <summary>Finds an upload for the account that began it; for others it does not exist.</summary>
internal static class OwnUpload
{
    public static async Task<Found<UploadRecord>> FindAsync(
        MarketplaceStorage storage, Requester requester, string id, CancellationToken cancellationToken) =>
        await storage.Uploads.GetAsync(id, cancellationToken) is { } upload && requester.Owns(upload.Owner)
            ? upload
            : Problems.NotFound($"upload '{id}'");
}
