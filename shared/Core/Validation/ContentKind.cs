namespace Marketplace.Core.Validation;

/// <summary>What a file is by its first bytes, whatever its name.</summary>
internal enum ContentKind
{
    Other,
    LfsPointer,
    Pickle,
}

internal static class ContentKinds
{
    /// <summary>Bytes that <see cref="Of"/> wants to see.</summary>
    public const int PrefixLength = 64;

    public static ContentKind Of(ReadOnlySpan<byte> prefix)
    {
        if (prefix.StartsWith("version https://git-lfs.github.com/spec/"u8) || prefix.StartsWith("version https://hawser.github.com/spec/"u8))
            return ContentKind.LfsPointer;

        // torch.save writes a zip archive with pickles inside; before version 1.6 it wrote bare pickles. A pickle begins with its
        // protocol, 80 02 to 80 05. So may the length of a safetensors header, but only that is followed by a brace.
        var isZip = prefix.StartsWith("PK\x03\x04"u8);
        var isPickle = prefix is [0x80, >= 2 and <= 5, ..] && !(prefix.Length > 8 && prefix[8] == (byte)'{');
        return isZip || isPickle ? ContentKind.Pickle : ContentKind.Other;
    }
}
