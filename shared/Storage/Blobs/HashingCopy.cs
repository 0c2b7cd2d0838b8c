using System.Security.Cryptography;
using Marketplace.Core;

namespace Marketplace.Storage;

/// <summary>Copies a stream into a local file and hashes it on the way.</summary>
internal static class HashingCopy
{
    private const int BufferSize = 1024 * 1024;

    public static async Task<Digest> ToFileAsync(Stream source, string filePath, CancellationToken ct)
    {
        using var sha256 = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var buffer = new byte[BufferSize];
        await using var file = new FileStream(filePath, FileMode.Create, FileAccess.Write, FileShare.None, 1, FileOptions.Asynchronous);
        while (await source.ReadAsync(buffer, ct) is var read and > 0)
        {
            sha256.AppendData(buffer, 0, read);
            await file.WriteAsync(buffer.AsMemory(0, read), ct);
        }
        return Digest.FromHash(sha256.GetHashAndReset());
    }
}
