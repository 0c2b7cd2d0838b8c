using System.Buffers;
using System.Buffers.Text;
using System.Security.Cryptography;
using Marketplace.Core;

namespace Marketplace.Functions.Hub.Commits;

/// <summary>
/// The bytes of a file that comes as base64 in pieces: decoded into a local file and hashed on the way, however long they are.
/// </summary>
internal sealed class InlineContent(string local) : IAsyncDisposable
{
    private const int Piece = 96 * 1024;

    private readonly FileStream file = new(local, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.Read, 1, FileOptions.Asynchronous);
    private readonly IncrementalHash sha256 = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private readonly byte[] text = ArrayPool<byte>.Shared.Rent(Piece);
    private readonly byte[] bytes = ArrayPool<byte>.Shared.Rent(Piece);
    private int pending;

    /// <summary>Where the bytes go.</summary>
    public string Local => local;

    /// <summary>Bytes so far.</summary>
    public long Size { get; private set; }

    /// <summary>Takes more of the text; false if it is no base64.</summary>
    public async ValueTask<bool> AppendAsync(ReadOnlyMemory<byte> more, CancellationToken cancellationToken)
    {
        while (!more.IsEmpty)
        {
            var taken = Math.Min(more.Length, Piece - pending);
            more[..taken].CopyTo(text.AsMemory(pending));
            (pending, more) = (pending + taken, more[taken..]);
            // The last four may be padded, and nobody knows yet which are the last.
            if (pending == Piece && !await DecodeAsync(Piece - 4, cancellationToken))
                return false;
        }

        return true;
    }

    /// <summary>Decodes what is left, and names the bytes; null if the text is no base64.</summary>
    public async Task<(Digest Digest, string GitSha1)?> FinishAsync(CancellationToken cancellationToken)
    {
        if (pending % 4 != 0 || !await DecodeAsync(pending, cancellationToken, last: true))
            return null;
        await file.FlushAsync(cancellationToken);
        // Git's hash begins with the size, so that it takes a second look.
        using var git = GitBlobHash.Begin(Size);
        file.Position = 0;
        while (await file.ReadAsync(bytes, cancellationToken) is var read and > 0)
            git.AppendData(bytes, 0, read);
        return (Digest.FromHash(sha256.GetHashAndReset()), GitBlobHash.Finish(git));
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        ArrayPool<byte>.Shared.Return(text);
        ArrayPool<byte>.Shared.Return(bytes);
        sha256.Dispose();
        await file.DisposeAsync();
    }

    private async ValueTask<bool> DecodeAsync(int length, CancellationToken cancellationToken, bool last = false)
    {
        if (Base64.DecodeFromUtf8(text.AsSpan(0, length), bytes, out var consumed, out var written, last) != OperationStatus.Done || consumed != length)
            return false;
        text.AsSpan(length, pending - length).CopyTo(text);
        (pending, Size) = (pending - length, Size + written);
        sha256.AppendData(bytes, 0, written);
        await file.WriteAsync(bytes.AsMemory(0, written), cancellationToken);
        return true;
    }
}
