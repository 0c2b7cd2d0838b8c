using System.Buffers.Text;
using System.Diagnostics;
using System.Net.Sockets;
using System.Text;

namespace Marketplace.Benchmarks;

/// <summary>
/// The same request again and again over one connection, by a client that does nothing else: it takes from the processors that it shares with the service what it must, and measures each answer from its first byte sent to
/// its last byte received.
/// </summary>
internal sealed class HubLoad(Uri address, string method, string path, string? key)
{
    private static readonly byte[] LengthHeader = Encoding.ASCII.GetBytes("\r\nContent-Length: ");
    private static readonly byte[] EndOfHeaders = Encoding.ASCII.GetBytes("\r\n\r\n");
    private static readonly byte[] Chunked = Encoding.ASCII.GetBytes("\r\nTransfer-Encoding: chunked");
    private static readonly byte[] EndOfChunks = Encoding.ASCII.GetBytes("\r\n0\r\n\r\n");

    private readonly byte[] request = Encoding.ASCII.GetBytes(
        $"{method} {path} HTTP/1.1\r\nHost: {address.Authority}\r\n{(key is null ? "" : $"Authorization: Bearer {key}\r\n")}\r\n");

    /// <summary>Asks over some connections for some time.</summary>
    /// <returns>Seconds of each answer.</returns>
    public async Task<List<double>> RunAsync(int connections, TimeSpan length, int expectedStatus)
    {
        var watch = Stopwatch.StartNew();
        var times = await Task.WhenAll(Enumerable.Range(0, connections).Select(_ => Task.Run(() => AskAsync(watch, length, expectedStatus))));
        return [.. times.SelectMany(t => t)];
    }

    private async Task<List<double>> AskAsync(Stopwatch watch, TimeSpan length, int expectedStatus)
    {
        using var client = new TcpClient { NoDelay = true };
        await client.ConnectAsync(address.Host, address.Port);
        var (stream, buffer, times) = (client.GetStream(), new byte[1 << 16], new List<double>());
        var status = Encoding.ASCII.GetBytes($"HTTP/1.1 {expectedStatus} ");
        while (watch.Elapsed < length)
        {
            var started = Stopwatch.GetTimestamp();
            await stream.WriteAsync(request);
            var (filled, whole) = (0, -1);
            while (whole < 0 || filled < whole)
            {
                var read = await stream.ReadAsync(buffer.AsMemory(filled));
                if (read == 0)
                    throw new InvalidOperationException("The service closed the connection.");
                filled += read;
                whole = Whole(buffer.AsSpan(0, filled));
            }

            if (!buffer.AsSpan().StartsWith(status))
                throw new InvalidOperationException($"{path} answers {Encoding.ASCII.GetString(buffer, 0, Math.Min(filled, 300))}");
            times.Add(Stopwatch.GetElapsedTime(started).TotalSeconds);
        }

        return times;
    }

    // Bytes of the whole answer; -1 while that is not known.
    private int Whole(ReadOnlySpan<byte> answer)
    {
        if (answer.IndexOf(EndOfHeaders) is not (>= 0 and var end))
            return -1;
        var headers = answer[..(end + 2)];
        if (method == "HEAD")
            return end + 4;
        if (headers.IndexOf(Chunked) >= 0)
            return answer.EndsWith(EndOfChunks) ? answer.Length : -1;
        if (headers.IndexOf(LengthHeader) is not (>= 0 and var at) || !Utf8Parser.TryParse(headers[(at + LengthHeader.Length)..], out int body, out _))
            throw new InvalidOperationException("The answer has no length.");
        return end + 4 + body;
    }
}
