using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using Marketplace.Core;
using Marketplace.Core.Api;

namespace Marketplace.Cli.Client;

/// <summary>
/// Downloads the files of a version. Each goes to a partial file beside its place, is verified, and only then takes its place;
/// what an interrupted run left is continued by a range request.
/// </summary>
/// <param name="client">The service.</param>
/// <param name="version">The version; of its files those that are wanted, with the digests that they must have.</param>
/// <param name="directory">Where they go.</param>
/// <param name="rank">The rank that the version is truncated to; null for the version as it is.</param>
internal sealed class VersionDownload(MarketplaceClient client, VersionView version, string directory, int? rank = null)
{
    private const int BufferBytes = 1 << 20;
    private const int Attempts = 5;

    /// <summary>Downloads what is not there yet.</summary>
    /// <param name="report">Bytes done so far.</param>
    /// <param name="ct">Stops it.</param>
    public async Task Run(Action<long> report, CancellationToken ct)
    {
        var done = 0L;
        using var storage = new HttpClient { Timeout = Timeout.InfiniteTimeSpan };
        foreach (var file in version.Files)
        {
            // The service checks paths when they are published; what writes to this disk checks again.
            if (!RepositoryPath.IsValid(file.Path) || !Digest.TryParse(file.Sha256, out var digest))
                throw new CliException("unexpected-answer", ExitCode.Failed, $"The service names a file '{file.Path}', which can't be.");
            var path = Path.Combine(directory, file.Path.Replace('/', Path.DirectorySeparatorChar));
            Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
            if (!await IsComplete(path, file.Size, digest, ct))
                await Download(storage, file, digest, path, n => report(done + n), ct);
            report(done += file.Size);
        }
    }

    private async Task Download(HttpClient storage, FileView file, Digest digest, string path, Action<long> report, CancellationToken ct)
    {
        // The digest in the name keeps another version's remains apart.
        var partial = $"{path}.{digest.Hex[..12]}.part";
        await using var stream = new FileStream(partial, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, BufferBytes);
        if (stream.Length > file.Size)
            stream.SetLength(0);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var position = await Append(hash, stream, ct);
        for (var attempt = 1; position < file.Size; attempt++)
        {
            try
            {
                position = await Receive(storage, file, stream, hash, position, report, ct);
            }
            catch (Exception e) when (e is HttpRequestException or IOException && attempt < Attempts && !ct.IsCancellationRequested)
            {
                position = stream.Position;
                await Task.Delay(TimeSpan.FromMilliseconds(200 << attempt), ct);
            }
        }

        await stream.FlushAsync(ct);
        await stream.DisposeAsync();
        if (Digest.FromHash(hash.GetHashAndReset()) != digest)
        {
            File.Delete(partial);
            throw new CliException("digest-mismatch", ExitCode.Refused, $"What arrived as {file.Path} does not have the digest {digest}.", "Download it again.");
        }

        File.Move(partial, path, overwrite: true);
    }

    // Appends from `position` on; every byte written is hashed, so that the stream's position and the hash agree even after a cut.
    private async Task<long> Receive(
        HttpClient storage, FileView file, FileStream stream, IncrementalHash hash, long position, Action<long> report, CancellationToken ct)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, await Locate(file, ct));
        if (position > 0)
            request.Headers.Range = new RangeHeaderValue(position, null);
        using var response = await storage.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, ct);
        response.EnsureSuccessStatusCode();
        if (position > 0 && response.StatusCode != HttpStatusCode.PartialContent)
        {
            hash.GetHashAndReset();
            stream.SetLength(0);
            position = 0;
        }

        await using var body = await response.Content.ReadAsStreamAsync(ct);
        var buffer = new byte[BufferBytes];
        for (int n; (n = await body.ReadAsync(buffer, ct)) > 0;)
        {
            if (position + n > file.Size)
                throw new CliException("digest-mismatch", ExitCode.Refused, $"More bytes arrive as {file.Path} than the {file.Size} it has.");
            hash.AppendData(buffer, 0, n);
            await stream.WriteAsync(buffer.AsMemory(0, n), ct);
            report(position += n);
        }

        return position < file.Size ? throw new HttpRequestException($"The connection ended within {file.Path}.") : position;
    }

    private async Task<Uri> Locate(FileView file, CancellationToken ct)
    {
        var reference = new AdapterReference(AdapterId.Parse(version.Adapter), version.Id);
        var path = string.Join('/', file.Path.Split('/').Select(Uri.EscapeDataString));
        using var response = await client.Connection.SendRaw(
            new HttpRequestMessage(HttpMethod.Get, $"{reference.VersionRoute}/files/{path}{(rank is { } r ? $"?rank={r}" : "")}"), HttpCompletionOption.ResponseHeadersRead, ct);
        var location = response.Headers.Location
            ?? throw new CliException("unexpected-answer", ExitCode.Failed, $"The service gives no address for {file.Path}.");
        return new Uri(client.Connection.Address, location);
    }

    private static async Task<bool> IsComplete(string path, long size, Digest digest, CancellationToken ct)
    {
        if (new FileInfo(path) is not { Exists: true } info || info.Length != size)
            return false;
        await using var stream = File.OpenRead(path);
        return Digest.FromHash(await SHA256.HashDataAsync(stream, ct)) == digest;
    }

    private static async Task<long> Append(IncrementalHash hash, FileStream stream, CancellationToken ct)
    {
        var buffer = new byte[BufferBytes];
        for (int n; (n = await stream.ReadAsync(buffer, ct)) > 0;)
            hash.AppendData(buffer, 0, n);
        return stream.Position;
    }
}
