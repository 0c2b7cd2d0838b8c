using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;
using Azure.Storage.Sas;

namespace Marketplace.Storage;

/// <summary>Signs addresses of single blobs: with the account key of a connection string, or with a delegated key of our identity.</summary>
internal sealed class SasSigner(BlobServiceClient service, TimeProvider clock)
{
    private static readonly TimeSpan KeyLifetime = TimeSpan.FromHours(6);
    private static readonly TimeSpan ClockSkew = TimeSpan.FromMinutes(5);

    private UserDelegationKey? delegated;

    public async Task<Uri> SignAsync(
        BlobClient blob, BlobSasPermissions permissions, DateTimeOffset expires, string? contentDisposition, CancellationToken ct)
    {
        var sas = new BlobSasBuilder(permissions, expires)
        {
            BlobContainerName = blob.BlobContainerName,
            BlobName = blob.Name,
            Resource = "b",
            ContentDisposition = contentDisposition,
            Protocol = blob.Uri.Scheme == "https" ? SasProtocol.Https : SasProtocol.HttpsAndHttp,
        };
        if (blob.CanGenerateSasUri)
            return blob.GenerateSasUri(sas);
        var key = await DelegatedKeyAsync(expires, ct);
        return new BlobUriBuilder(blob.Uri) { Sas = sas.ToSasQueryParameters(key, service.AccountName) }.ToUri();
    }

    /// <summary>Content-Disposition of a download: RFC 6266, with the extended form only where the name needs it.</summary>
    public static string Attachment(string fileName)
    {
        var plain = string.Concat(fileName.Select(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-' ? c : '_'));
        return plain == fileName
            ? $"attachment; filename=\"{plain}\""
            : $"attachment; filename=\"{plain}\"; filename*=UTF-8''{Uri.EscapeDataString(fileName)}";
    }

    // Two callers may both fetch a key; either serves.
    private async Task<UserDelegationKey> DelegatedKeyAsync(DateTimeOffset expires, CancellationToken ct)
    {
        if (delegated is { } present && present.SignedExpiresOn >= expires)
            return present;
        var now = clock.GetUtcNow();
        var until = expires > now + KeyLifetime ? expires : now + KeyLifetime;
        var options = new BlobGetUserDelegationKeyOptions(until) { StartsOn = now - ClockSkew };
        UserDelegationKey key = await service.GetUserDelegationKeyAsync(options, ct);
        return delegated = key;
    }
}
