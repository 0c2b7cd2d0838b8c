using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Text;

namespace Marketplace.Core;

/// <summary>The name git gives to a file's content: SHA-1 of <c>blob SIZE NUL</c> and the bytes, 40 lower-case hexadecimal digits.</summary>
public static class GitBlobHash
{
    private static readonly SearchValues<char> HexDigits = SearchValues.Create("0123456789abcdef");

    /// <summary>Git's name for <paramref name="content"/>.</summary>
    public static string Of(ReadOnlySpan<byte> content)
    {
        using var hash = Begin(content.Length);
        hash.AppendData(content);
        return Finish(hash);
    }

    /// <summary>A running hash for content of <paramref name="size"/> bytes, which must then be appended whole.</summary>
    [SuppressMessage("Security", "CA5350", Justification = "Git names blobs by SHA-1; nothing here trusts it, SHA-256 identifies content.")]
    public static IncrementalHash Begin(long size)
    {
        var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA1);
        hash.AppendData(Encoding.ASCII.GetBytes($"blob {size}\0"));
        return hash;
    }

    /// <summary>The digits of a running hash.</summary>
    public static string Finish(IncrementalHash hash) => Convert.ToHexStringLower(hash.GetHashAndReset());

    /// <summary>Whether the text has the form of a git hash: 40 lower-case hexadecimal digits.</summary>
    public static bool IsValid([NotNullWhen(true)] string? text) => text is { Length: 40 } && !text.AsSpan().ContainsAnyExcept(HexDigits);
}
