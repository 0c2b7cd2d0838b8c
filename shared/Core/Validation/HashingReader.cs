using System.Security.Cryptography;

namespace Marketplace.Core.Validation;

/// <summary>
/// Reads a file once and hashes every byte on the way, with SHA-256 and, if wanted, as a git blob. The two hashes and whatever else
/// is done to a piece run side by side, since each costs about as much as reading.
/// </summary>
internal sealed class HashingReader : Stream
{
    private const int Side = 1 << 16;

    private readonly Stream source;
    private readonly long size;
    private readonly IncrementalHash sha256 = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private readonly IncrementalHash? git;
    private readonly byte[] prefix;
    private long position;

    public HashingReader(Stream source, long size, bool gitHash)
    {
        (this.source, this.size) = (source, size);
        git = gitHash ? GitBlobHash.Begin(size) : null;
        prefix = new byte[(int)Math.Min(size, ContentKinds.PrefixLength)];
        source.ReadExactly(prefix);
        Hash(prefix, prefix.Length, null);
    }

    /// <summary>The first bytes; reading gives them again.</summary>
    public ReadOnlySpan<byte> Prefix => prefix;

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => size;

    public override long Position
    {
        get => position;
        set => throw new NotSupportedException();
    }

    /// <summary>Reads a piece, and hashes it while <paramref name="process"/> looks at it.</summary>
    public int Read(byte[] buffer, int length, Action<byte[], int>? process)
    {
        var count = (int)Math.Min(length, size - position);
        var again = (int)Math.Clamp(prefix.Length - position, 0, count);
        prefix.AsSpan((int)Math.Min(position, prefix.Length), again).CopyTo(buffer);
        source.ReadExactly(buffer, again, count - again);
        position += count;
        if (again > 0 && count > 0)
        {
            process?.Invoke(buffer, count);
            process = null;
        }

        Hash(again == 0 ? buffer : buffer[again..count], count - again, process);
        return count;
    }

    public override int Read(byte[] buffer, int offset, int count)
    {
        var piece = offset == 0 ? buffer : new byte[count];
        var read = Read(piece, count, null);
        if (offset != 0)
            piece.AsSpan(0, read).CopyTo(buffer.AsSpan(offset));
        return read;
    }

    /// <summary>Reads and hashes what is left, then gives both digests.</summary>
    /// <exception cref="IOException">The file is longer than its size said.</exception>
    public (Digest Digest, string? GitSha1) Finish(byte[] buffer, Action<byte[], int>? process = null)
    {
        while (Read(buffer, buffer.Length, process) > 0)
        {
        }

        if (source.Read(buffer, 0, 1) != 0)
            throw new IOException($"The file has more than the {size} bytes it was said to have.");
        return (Digest.FromHash(sha256.GetHashAndReset()), git is null ? null : GitBlobHash.Finish(git));
    }

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        sha256.Dispose();
        git?.Dispose();
        source.Dispose();
        base.Dispose(disposing);
    }

    private void Hash(byte[] buffer, int length, Action<byte[], int>? process)
    {
        if (length < Side)
        {
            process?.Invoke(buffer, length);
            sha256.AppendData(buffer, 0, length);
            git?.AppendData(buffer, 0, length);
            return;
        }

        if (git is null)
        {
            // The look is short, and leaves the piece in the cache for the hash.
            process?.Invoke(buffer, length);
            sha256.AppendData(buffer, 0, length);
            return;
        }

        Parallel.Invoke(
            () =>
            {
                process?.Invoke(buffer, length);
                sha256.AppendData(buffer, 0, length);
            },
            () => git.AppendData(buffer, 0, length));
    }
}
