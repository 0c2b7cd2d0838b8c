using System.Buffers.Binary;
using System.Collections.Frozen;
using System.Collections.Immutable;
using System.Text.Json;

namespace Marketplace.Core.Formats;

/// <summary>
/// The validated header of a safetensors file: 8 bytes of little-endian length N, N bytes of JSON, then the data. Everything is checked
/// here, once, so that whoever holds a header may trust it: the tensors lie side by side from the start of the data to its end.
/// </summary>
public sealed class SafetensorsHeader
{
    /// <summary>Bytes of the field that gives the JSON's length.</summary>
    public const int LengthBytes = 8;

    private readonly FrozenDictionary<string, TensorInfo> byName;

    internal SafetensorsHeader(long jsonLength, long fileLength, IEnumerable<TensorInfo> tensors, ImmutableSortedDictionary<string, string> metadata)
    {
        (DataStart, FileLength, Metadata) = (LengthBytes + jsonLength, fileLength, metadata);
        Tensors = [.. tensors.OrderBy(t => t.Begin).ThenBy(t => t.End).ThenBy(t => t.Name, StringComparer.Ordinal)];
        byName = Tensors.ToFrozenDictionary(t => t.Name, StringComparer.Ordinal);
    }

    /// <summary>Where the data area begins in the file.</summary>
    public long DataStart { get; }

    /// <summary>Length of the whole file.</summary>
    public long FileLength { get; }

    /// <summary>The tensors in the order of their data.</summary>
    public ImmutableArray<TensorInfo> Tensors { get; }

    /// <summary>The entry <c>__metadata__</c>, in ordinal order of its keys; empty where absent.</summary>
    public ImmutableSortedDictionary<string, string> Metadata { get; }

    /// <summary>The tensor of that name, or null.</summary>
    public TensorInfo? Find(string name) => byName.GetValueOrDefault(name);

    /// <summary>Parses the header at the start of <paramref name="file"/>, which is the whole file.</summary>
    public static SafetensorsParse Parse(ReadOnlySpan<byte> file, SafetensorsLimits? limits = null)
    {
        limits ??= SafetensorsLimits.Default;
        if (file.Length < LengthBytes)
            return Failed(TooShort(file.Length));
        if (CheckLength(BinaryPrimitives.ReadUInt64LittleEndian(file), file.Length, limits, out var jsonLength) is { } problem)
            return Failed(problem);
        var parser = new SafetensorsHeaderParser(limits, file.Length - LengthBytes - jsonLength);
        JsonReaderState state = default;
        parser.Feed(file.Slice(LengthBytes, (int)jsonLength), final: true, ref state, out _);
        return parser.Finish(jsonLength, file.Length);
    }

    /// <summary>
    /// Parses the header from a stream that stands at the start of a file of <paramref name="fileLength"/> bytes; afterwards the stream
    /// stands at the data if the header is valid. The JSON is read in pieces and never held whole.
    /// </summary>
    /// <exception cref="EndOfStreamException">The stream ended before <paramref name="fileLength"/>.</exception>
    public static SafetensorsParse Parse(Stream stream, long fileLength, SafetensorsLimits? limits = null)
    {
        limits ??= SafetensorsLimits.Default;
        if (fileLength < LengthBytes)
            return Failed(TooShort(fileLength));
        Span<byte> prefix = stackalloc byte[LengthBytes];
        stream.ReadExactly(prefix);
        if (CheckLength(BinaryPrimitives.ReadUInt64LittleEndian(prefix), fileLength, limits, out var jsonLength) is { } problem)
            return Failed(problem);

        var parser = new SafetensorsHeaderParser(limits, fileLength - LengthBytes - jsonLength);
        JsonReaderState state = default;
        var buffer = new byte[(int)Math.Min(jsonLength, 64 << 10)];
        var (filled, unread) = (0, jsonLength);
        bool more;
        do
        {
            // A token longer than the buffer: the parser's own limits end this long before the header's length does.
            if (filled == buffer.Length && unread > 0)
                Array.Resize(ref buffer, (int)Math.Min(2L * buffer.Length, filled + unread));
            var count = (int)Math.Min(unread, buffer.Length - filled);
            stream.ReadExactly(buffer, filled, count);
            (filled, unread) = (filled + count, unread - count);
            more = parser.Feed(buffer.AsSpan(0, filled), final: unread == 0, ref state, out var consumed);
            buffer.AsSpan(consumed, filled - consumed).CopyTo(buffer);
            filled -= consumed;
            more = more && parser.CheckPending(filled);
        }
        while (more && unread > 0);
        return parser.Finish(jsonLength, fileLength);
    }

    private static SafetensorsParse Failed(SafetensorsProblem problem) => new(null, [problem]);

    private static SafetensorsProblem TooShort(long length) =>
        new(SafetensorsError.TooShort, null, $"The file has {length} bytes; a safetensors file has at least {LengthBytes}.");

    private static SafetensorsProblem? CheckLength(ulong declared, long fileLength, SafetensorsLimits limits, out long jsonLength)
    {
        jsonLength = (long)Math.Min(declared, long.MaxValue);
        if (declared > (ulong)limits.HeaderBytes)
            return new(SafetensorsError.HeaderTooLarge, null, $"The header claims {declared} bytes; at most {limits.HeaderBytes} are allowed.");
        if (jsonLength > fileLength - LengthBytes)
            return new(SafetensorsError.HeaderBeyondFile, null, $"The header claims {declared} bytes, the file has {fileLength}.");
        return null;
    }
}
