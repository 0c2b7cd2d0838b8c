using System.Globalization;
using System.Text;

namespace Marketplace.Core;

/// <summary>The text that stands for a large file in a git repository with git-lfs: three lines of version, digest and size.</summary>
public static class LfsPointer
{
    /// <summary>Size in bytes above which a file counts as large.</summary>
    public const long Threshold = 1 << 20;

    /// <summary>The pointer to a file.</summary>
    /// <param name="digest">SHA-256 of its bytes.</param>
    /// <param name="size">Its length in bytes.</param>
    public static byte[] Of(Digest digest, long size) =>
        Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"version https://git-lfs.github.com/spec/v1\noid sha256:{digest.Hex}\nsize {size}\n"));
}
