using System.Collections.Concurrent;
using Marketplace.Core;

namespace Marketplace.Storage.Jobs;

/// <summary>
/// Published bytes on the local disk, by digest: never stale, checked when downloaded. The oldest files go when the cache outgrows its bound.
/// </summary>
public sealed class ContentCache(ContentStore content, string folder, long maxBytes)
{
    private readonly ConcurrentDictionary<string, SemaphoreSlim> locks = new(StringComparer.Ordinal);
    private readonly Lock trim = new();
    private long unseen; // bytes downloaded since all files were last looked at
    private bool looked;

    /// <summary>The local file with this content; null if the store has none.</summary>
    public async Task<string?> GetAsync(Digest digest, CancellationToken cancellationToken)
    {
        // Private adapters are cached as well: nobody else on the machine may read them.
        if (OperatingSystem.IsWindows())
            Directory.CreateDirectory(folder);
        else
            Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var path = Path.Combine(folder, digest.Hex);
        var gate = locks.GetOrAdd(digest.Hex, _ => new SemaphoreSlim(1));
        await gate.WaitAsync(cancellationToken);
        try
        {
            if (File.Exists(path))
            {
                File.SetLastAccessTimeUtc(path, DateTime.UtcNow);
                return path;
            }

            await content.DownloadAsync(digest, path, cancellationToken);
        }
        catch (FileNotFoundException)
        {
            return null;
        }
        finally
        {
            gate.Release();
        }

        TrimSometimes(path);
        return path;
    }

    // Looking at all files after every download would cost more than the downloads, once there are thousands.
    private void TrimSometimes(string keep)
    {
        lock (trim)
        {
            unseen += new FileInfo(keep) is { Exists: true } file ? file.Length : 0;
            if (looked && unseen < maxBytes / 16)
                return;
            (looked, unseen) = (true, 0);
            Trim(keep);
        }
    }

    // A file in use stays readable on Unix after its name is gone; elsewhere the deletion fails and comes again. Partial files of running downloads, and files that other
    // processes delete, go at any time.
    private void Trim(string keep)
    {
        var files = new DirectoryInfo(folder).GetFiles().Where(f => !f.Name.EndsWith(".partial", StringComparison.Ordinal)).OrderByDescending(f => f.LastAccessTimeUtc).ToList();
        var total = 0L;
        foreach (var file in files)
        {
            try
            {
                total += file.Length;
                if (total > maxBytes && file.FullName != keep)
                    file.Delete();
            }
            catch (IOException)
            {
                continue;
            }
        }
    }
}
