namespace Marketplace.Core.Validation;

/// <summary>One file of an adapter to be validated.</summary>
/// <param name="Path">Where it lies in the adapter.</param>
/// <param name="Size">Its length in bytes.</param>
/// <param name="Open">Opens it at its start; called at most once. The stream need not seek.</param>
public sealed record AdapterFile(string Path, long Size, Func<Stream> Open)
{
    /// <summary>A file in memory.</summary>
    public static AdapterFile FromBytes(string path, ReadOnlyMemory<byte> bytes) =>
        new(path, bytes.Length, () => new MemoryStream(bytes.ToArray(), writable: false));

    /// <summary>A file on disk.</summary>
    public static AdapterFile FromFile(string path, string file) => new(
        path, new FileInfo(file).Length, () => new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0, FileOptions.SequentialScan));

    /// <summary>The files of a folder and the folders in it, in ordinal order of their paths; folders named <c>.git</c> or <c>.cache</c> are left out.</summary>
    public static IReadOnlyList<AdapterFile> FromFolder(string folder) =>
        [.. Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories)
            .Select(file => (Path: System.IO.Path.GetRelativePath(folder, file).Replace(System.IO.Path.DirectorySeparatorChar, '/'), File: file))
            .Where(f => !f.Path.Split('/').SkipLast(1).Any(s => s is ".git" or ".cache"))
            .OrderBy(f => f.Path, StringComparer.Ordinal)
            .Select(f => FromFile(f.Path, f.File))];
}
