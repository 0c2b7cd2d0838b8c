using System.Text.Json.Serialization;
using Marketplace.Core;

namespace Marketplace.Functions.Hub;

/// <summary>A file or a folder of a revision.</summary>
/// <param name="Type"><c>file</c> or <c>directory</c>.</param>
/// <param name="Oid">Git's name for it; of a large file, for the pointer to it.</param>
/// <param name="Size">Bytes; 0 of a folder.</param>
/// <param name="Path">From the root.</param>
/// <param name="Lfs">Digest and size of a large file.</param>
internal sealed record HubTreeEntry(string Type, string Oid, long Size, string Path, HubLargeFile? Lfs)
{
    /// <summary>The commit that brought it, where that was asked for.</summary>
    public HubLastCommit? LastCommit { get; init; }

    /// <summary>Whether it is a file.</summary>
    [JsonIgnore]
    public bool IsFile => Type == "file";
}

/// <summary>A large file, in the tree's words.</summary>
internal sealed record HubLargeFile(string Oid, long Size, int PointerSize);

/// <summary>The commit that last changed something.</summary>
internal sealed record HubLastCommit(string Id, string Title, DateTimeOffset Date);

/// <summary>A revision's files and folders, as git would name them.</summary>
internal static class HubTree
{
    /// <summary>A file's entry.</summary>
    public static HubTreeEntry File(ManifestFile file)
    {
        if (file.Size <= LfsPointer.Threshold && !IsPointerOnly(file))
            return new("file", file.GitSha1, file.Size, file.Path, null);
        var pointer = LfsPointer.Of(file.Digest, file.Size);
        return new("file", GitBlobHash.Of(pointer), file.Size, file.Path, new(file.Digest.Hex, file.Size, pointer.Length));
    }

    /// <summary>Every file and folder in ordinal order of the paths.</summary>
    public static List<HubTreeEntry> Of(HubRevision revision)
    {
        var files = revision.Files.Select(File).ToList();
        var folders = GitTreeHash.Folders(files.Select(f => (f.Path, f.Oid)));
        return [.. files.Concat(folders.Select(f => new HubTreeEntry("directory", f.Value, 0, f.Key, null))).OrderBy(e => e.Path, StringComparer.Ordinal)];
    }

    // Of a base model's files only digests are known; what stands for git's name is that of the pointer.
    private static bool IsPointerOnly(ManifestFile file) => file.GitSha1 == GitBlobHash.Of(LfsPointer.Of(file.Digest, file.Size));
}
