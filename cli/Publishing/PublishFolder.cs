using System.Security.Cryptography;
using System.Text;
using Marketplace.Cli.Output;
using Marketplace.Core;
using Marketplace.Core.Formats;

namespace Marketplace.Cli.Publishing;

/// <summary>One file to publish.</summary>
/// <param name="Path">Path within the adapter.</param>
/// <param name="FullPath">Where it is here.</param>
/// <param name="Size">Bytes.</param>
internal sealed record PublishFile(string Path, string FullPath, long Size)
{
    /// <summary>Digest of the bytes, once they were read.</summary>
    public Digest Digest { get; init; }
}

/// <summary>The files of a folder that make up an adapter: all but hidden ones.</summary>
internal sealed class PublishFolder
{
    private PublishFolder(string directory, IReadOnlyList<PublishFile> files) => (Directory, Files) = (directory, files);

    /// <summary>The folder.</summary>
    public string Directory { get; }

    /// <summary>Its files in ordinal order of their paths.</summary>
    public IReadOnlyList<PublishFile> Files { get; }

    /// <summary>Bytes of all files.</summary>
    public long TotalBytes => Files.Sum(f => f.Size);

    /// <summary>Looks at the folder, and ends the command where it can't be an adapter's.</summary>
    public static PublishFolder Open(string directory)
    {
        if (!System.IO.Directory.Exists(directory))
        {
            throw CliException.Usage(
                File.Exists(directory) ? $"'{directory}' is a file; an adapter is a folder." : $"There is no folder '{directory}'.",
                $"Name the folder that holds {RepositoryPath.Config} and {RepositoryPath.Weights}.");
        }

        if (!File.Exists(Path.Combine(directory, RepositoryPath.Config)))
            throw CliException.Usage($"'{directory}' has no {RepositoryPath.Config}.", NearMiss(directory));
        var files = new List<PublishFile>();
        foreach (var full in Enumerate(directory))
        {
            var path = Path.GetRelativePath(directory, full).Replace(Path.DirectorySeparatorChar, '/');
            if (!RepositoryPath.IsValid(path))
                throw CliException.Usage($"'{path}' can't be the name of a file in an adapter.", "Rename it, or move it out of the folder.");
            // Through the handle, because a symbolic link has a length of its own.
            using var handle = File.OpenHandle(full);
            files.Add(new PublishFile(path, full, RandomAccess.GetLength(handle)));
        }

        return new PublishFolder(directory, [.. files.OrderBy(f => f.Path, StringComparer.Ordinal)]);
    }

    /// <summary>The files of a base model in a folder; everything else there is left alone.</summary>
    public static PublishFolder OpenBaseModel(string directory)
    {
        if (!System.IO.Directory.Exists(directory))
            throw CliException.Usage($"There is no folder '{directory}'.", $"Name the folder that holds {BaseModelManifest.Config} and the weights.");
        return new PublishFolder(directory, [.. BaseModelManifest.FilesIn(directory).Select(path =>
        {
            var full = Path.Combine(directory, path);
            using var handle = File.OpenHandle(full);
            return new PublishFile(path, full, RandomAccess.GetLength(handle));
        })]);
    }

    /// <summary>Reads every file once for its digest.</summary>
    public async Task<PublishFolder> Hash(ProgressBars.Bar bar, CancellationToken ct)
    {
        var hashed = new List<PublishFile>(Files.Count);
        var done = 0L;
        foreach (var file in Files)
        {
            await using var stream = File.OpenRead(file.FullPath);
            hashed.Add(file with { Digest = Digest.FromHash(await SHA256.HashDataAsync(stream, ct)) });
            bar.Report(done += file.Size);
        }

        return new PublishFolder(Directory, hashed);
    }

    /// <summary>Tells apart what is published: paths and digests.</summary>
    public string ContentKey() =>
        Digest.Of(Encoding.UTF8.GetBytes(string.Join('\n', Files.Select(f => $"{f.Digest} {f.Path}")))).Hex;

    // Links to files are followed (the Hub's cache is made of them), links to folders are not: they may lead in circles.
    private static IEnumerable<string> Enumerate(string directory) =>
        System.IO.Directory.EnumerateFiles(directory).Where(IsVisible)
            .Concat(System.IO.Directory.EnumerateDirectories(directory).Where(d => IsVisible(d) && !IsLink(d)).SelectMany(Enumerate));

    private static bool IsLink(string directory) => new DirectoryInfo(directory).LinkTarget is not null;

    private static bool IsVisible(string path) => !Path.GetFileName(path).StartsWith('.');

    // The usual mistakes: the folder above the adapter's, or a whole model.
    private static string NearMiss(string directory)
    {
        var below = System.IO.Directory.EnumerateDirectories(directory).Where(d => File.Exists(Path.Combine(d, RepositoryPath.Config))).Order().ToList();
        if (below.Count > 0)
            return $"{below.Count} of its subfolders have one; did you mean '{below[0]}'?";
        return File.Exists(Path.Combine(directory, "config.json"))
            ? "It looks like a whole model; the marketplace takes LoRA adapters as PEFT's save_pretrained writes them."
            : $"Name the folder that PEFT's save_pretrained wrote, with {RepositoryPath.Config} and {RepositoryPath.Weights}.";
    }
}
