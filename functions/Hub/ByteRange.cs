using System.Globalization;

namespace Marketplace.Functions.Hub;

/// <summary>The part of a file that a request asks for.</summary>
/// <param name="From">The first byte.</param>
/// <param name="Length">How many.</param>
internal readonly record struct ByteRange(long From, long Length)
{
    private const string Unit = "bytes=";

    /// <summary>
    /// The range of a <c>Range</c> header over <paramref name="size"/> bytes: <c>a-b</c>, <c>a-</c>, <c>-n</c>. Null where there is none or one that may be ignored (another unit, several ranges, no range at all);
    /// a length of 0 where it begins beyond the end.
    /// </summary>
    public static ByteRange? Parse(string? header, long size)
    {
        if (header is null || !header.StartsWith(Unit, StringComparison.OrdinalIgnoreCase) || header[Unit.Length..].Trim().Split('-') is not [var first, var last])
            return null;
        if (first.Length == 0)
            return Number(last) is { } count ? Last(count, size) : null;
        if (Number(first) is not { } from)
            return null;
        if (last.Length == 0)
            return new(from, Math.Max(0, size - from));
        return Number(last) is { } to && to >= from ? new(from, Math.Max(0, Math.Min(to, size - 1) - from + 1)) : null;
    }

    private static ByteRange Last(long count, long size) => Math.Min(count, size) is var length ? new(size - length, length) : default;

    private static long? Number(string text) => long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : null;
}
