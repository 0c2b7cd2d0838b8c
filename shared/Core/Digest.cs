using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;

namespace Marketplace.Core;

/// <summary>SHA-256 of some bytes, written as 64 lower-case hexadecimal digits.</summary>
public readonly record struct Digest
{
    private static readonly SearchValues<char> HexDigits = SearchValues.Create("0123456789abcdef");

    private readonly string? hex;

    private Digest(string hex) => this.hex = hex;

    /// <summary>The 64 lower-case hexadecimal digits.</summary>
    public string Hex => hex ?? throw new InvalidOperationException("An empty digest has no value.");

    /// <summary>The digest of <paramref name="bytes"/>.</summary>
    public static Digest Of(ReadOnlySpan<byte> bytes) => FromHash(SHA256.HashData(bytes));

    /// <summary>Wraps the 32 bytes that a SHA-256 computation returned.</summary>
    public static Digest FromHash(ReadOnlySpan<byte> hash) =>
        hash.Length == SHA256.HashSizeInBytes
            ? new Digest(Convert.ToHexStringLower(hash))
            : throw new ArgumentException("A SHA-256 hash has 32 bytes.", nameof(hash));

    /// <summary>Parses 64 lower-case hexadecimal digits; anything else is refused.</summary>
    public static bool TryParse([NotNullWhen(true)] string? text, out Digest digest)
    {
        var valid = text is { Length: 64 } && !text.AsSpan().ContainsAnyExcept(HexDigits);
        digest = valid ? new Digest(text!) : default;
        return valid;
    }

    /// <summary>Parses 64 lower-case hexadecimal digits.</summary>
    /// <exception cref="FormatException">The text is not a digest.</exception>
    public static Digest Parse(string text) =>
        TryParse(text, out var digest) ? digest : throw new FormatException($"'{text}' is not a SHA-256 digest.");

    /// <inheritdoc/>
    public override string ToString() => hex ?? "";
}
