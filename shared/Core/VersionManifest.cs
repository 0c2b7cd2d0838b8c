using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Marketplace.Core;

/// <summary>One file of an adapter version.</summary>
/// <param name="Path">Where it lies; a valid <see cref="RepositoryPath"/>.</param>
/// <param name="Digest">SHA-256 of its bytes.</param>
/// <param name="Size">Its length in bytes.</param>
/// <param name="GitSha1">Git's name for the same bytes (<see cref="GitBlobHash"/>); follows from them, hence no part of the version's identity.</param>
public sealed record ManifestFile(string Path, Digest Digest, long Size, string GitSha1);

/// <summary>
/// What an adapter version is: its files and the version it was published upon. The id is the first 40 hexadecimal digits of SHA-256
/// over the canonical bytes, so equal content on an equal parent is the same version, and going back to earlier content is a new one.
/// </summary>
public sealed class VersionManifest
{
    private VersionManifest(ImmutableArray<ManifestFile> files, string? parent)
    {
        (Files, Parent) = (files, parent);
        Id = Convert.ToHexStringLower(SHA256.HashData(CanonicalBytes()))[..40];
    }

    /// <summary>40 lower-case hexadecimal digits; Hub clients know it as the commit id.</summary>
    public string Id { get; }

    /// <summary>The files in ordinal order of their paths.</summary>
    public ImmutableArray<ManifestFile> Files { get; }

    /// <summary>The id of the version before this one; null for the first.</summary>
    public string? Parent { get; }

    /// <summary>The file at that path, or null.</summary>
    public ManifestFile? Find(string path) => Files.FirstOrDefault(f => f.Path == path);

    /// <summary>A manifest over files given in any order.</summary>
    /// <exception cref="ArgumentException"><see cref="TryCreate"/> would refuse.</exception>
    public static VersionManifest Create(IEnumerable<ManifestFile> files, string? parentId) =>
        TryCreate(files, parentId, out var manifest, out var problem) ? manifest : throw new ArgumentException(problem, nameof(files));

    /// <summary>
    /// A manifest over files given in any order. Refused are invalid and repeated paths, a path that is a file and a folder at once,
    /// negative sizes, malformed git hashes and malformed parents.
    /// </summary>
    public static bool TryCreate(
        IEnumerable<ManifestFile> files, string? parentId,
        [NotNullWhen(true)] out VersionManifest? manifest, [NotNullWhen(false)] out string? problem)
    {
        ImmutableArray<ManifestFile> sorted = [.. files.OrderBy(f => f.Path, StringComparer.Ordinal)];
        problem = parentId is not null && !GitBlobHash.IsValid(parentId) ? $"'{parentId}' is not a version id." : Problem(sorted);
        manifest = problem is null ? new VersionManifest(sorted, parentId) : null;
        return manifest is not null;
    }

    /// <summary>
    /// The bytes that are hashed: UTF-8 lines ended by a line feed, <c>adapter-version 1</c>, then <c>parent ID</c> if there is one,
    /// then <c>DIGEST SIZE PATH</c> for each file. Paths have no line feeds, so no two manifests share their bytes.
    /// </summary>
    public byte[] CanonicalBytes()
    {
        var text = new StringBuilder("adapter-version 1\n");
        if (Parent is not null)
            text.Append("parent ").Append(Parent).Append('\n');
        foreach (var file in Files)
            text.Append(CultureInfo.InvariantCulture, $"{file.Digest.Hex} {file.Size} {file.Path}\n");
        return Encoding.UTF8.GetBytes(text.ToString());
    }

    private static string? Problem(ImmutableArray<ManifestFile> files)
    {
        var paths = new HashSet<string>(StringComparer.Ordinal);
        foreach (var file in files)
        {
            if (!RepositoryPath.IsValid(file.Path))
                return $"'{file.Path}' is not a valid path.";
            if (!paths.Add(file.Path))
                return $"'{file.Path}' occurs twice.";
            if (file.Size < 0 || !GitBlobHash.IsValid(file.GitSha1))
                return $"'{file.Path}' has an invalid size or git hash.";
        }

        // Every ancestor folder of every file; none of them may be a file.
        foreach (var path in paths)
        {
            for (var slash = path.IndexOf('/', StringComparison.Ordinal); slash > 0; slash = path.IndexOf('/', slash + 1))
            {
                if (paths.Contains(path[..slash]))
                    return $"'{path[..slash]}' is a file and a folder.";
            }
        }

        return null;
    }
}
