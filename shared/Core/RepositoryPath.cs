using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Text;

namespace Marketplace.Core;

/// <summary>
/// Where a file lies in an adapter: segments joined by <c>/</c>. The rule accepts what every Hub client can fetch and no client refuses:
/// no empty, <c>.</c>, <c>..</c>, <c>.git</c> or <c>.cache</c> segment, no control character, none of <c>\ : * ? " &lt; &gt; | # %</c>,
/// well-formed Unicode, at most 255 bytes of UTF-8 in a segment and 1024 in all.
/// </summary>
public static class RepositoryPath
{
    /// <summary>The configuration file of an adapter.</summary>
    public const string Config = "adapter_config.json";

    /// <summary>The weights file of an adapter.</summary>
    public const string Weights = "adapter_model.safetensors";

    /// <summary>The model card.</summary>
    public const string Card = "README.md";

    /// <summary>Most bytes of UTF-8 that a path may have.</summary>
    public const int MaxBytes = 1024;

    /// <summary>Most bytes of UTF-8 that one segment may have.</summary>
    public const int MaxSegmentBytes = 255;

    private static readonly SearchValues<char> Forbidden = SearchValues.Create("\\:*?\"<>|#%");
    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>Whether <paramref name="path"/> may name a file of an adapter.</summary>
    public static bool IsValid([NotNullWhen(true)] string? path)
    {
        if (string.IsNullOrEmpty(path) || path.Length > MaxBytes || path.AsSpan().ContainsAny(Forbidden) || path.Any(char.IsControl))
            return false;
        var bytes = 0;
        foreach (var range in path.AsSpan().Split('/'))
        {
            var segment = path.AsSpan()[range];
            if (segment.IsEmpty || IsReserved(segment) || Utf8Length(segment) is not (> 0 and <= MaxSegmentBytes and var length))
                return false;
            bytes += length + 1;
        }

        return bytes - 1 <= MaxBytes;
    }

    private static bool IsReserved(ReadOnlySpan<char> segment) =>
        segment is "." or ".."
        || segment.Equals(".git", StringComparison.OrdinalIgnoreCase)
        || segment.Equals(".cache", StringComparison.OrdinalIgnoreCase);

    // -1 where a surrogate stands alone: such a string has no UTF-8 form.
    private static int Utf8Length(ReadOnlySpan<char> segment)
    {
        for (var i = 0; i < segment.Length; i++)
        {
            if (char.IsLowSurrogate(segment[i]) || (char.IsHighSurrogate(segment[i]) && (++i == segment.Length || !char.IsLowSurrogate(segment[i]))))
                return -1;
        }

        return StrictUtf8.GetByteCount(segment);
    }
}
