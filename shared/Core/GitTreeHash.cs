using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Text;

namespace Marketplace.Core;

/// <summary>
/// The names that git gives to folders: SHA-1 of <c>tree SIZE NUL</c> and an entry for each child, <c>MODE NAME NUL</c> and the 20 bytes of the child's own name, folders sorted as if they ended in <c>/</c>.
/// </summary>
public static class GitTreeHash
{
    private const string FileMode = "100644";
    private const string FolderMode = "40000";

    /// <summary>The name of every folder.</summary>
    /// <param name="files">Paths of files, segments joined by <c>/</c>, and git's names for what they hold, as 40 hexadecimal digits.</param>
    /// <returns>Names of folders by their paths, without that of the root.</returns>
    public static IReadOnlyDictionary<string, string> Folders(IEnumerable<(string Path, string Hash)> files)
    {
        var folders = new SortedDictionary<string, string>(StringComparer.Ordinal);
        Hash("", [.. files], folders);
        folders.Remove("");
        return folders;
    }

    [SuppressMessage("Security", "CA5350", Justification = "Git names folders by SHA-1; nothing here trusts it.")]
    private static string Hash(string folder, List<(string Path, string Hash)> files, SortedDictionary<string, string> folders)
    {
        var from = folder.Length == 0 ? 0 : folder.Length + 1;
        var children = new List<(byte[] Order, byte[] Entry)>();
        foreach (var child in files.GroupBy(f => f.Path[from..].Split('/', 2)[0], StringComparer.Ordinal))
        {
            var path = folder.Length == 0 ? child.Key : $"{folder}/{child.Key}";
            var isFile = child.Any(f => f.Path == path);
            var hash = isFile ? child.Single(f => f.Path == path).Hash : Hash(path, [.. child], folders);
            byte[] entry = [.. Encoding.UTF8.GetBytes($"{(isFile ? FileMode : FolderMode)} {child.Key}\0"), .. Convert.FromHexString(hash)];
            children.Add((Encoding.UTF8.GetBytes(isFile ? child.Key : child.Key + "/"), entry));
        }

        children.Sort((a, b) => a.Order.AsSpan().SequenceCompareTo(b.Order));
        byte[] body = [.. children.SelectMany(c => c.Entry)];
        return folders[folder] = Convert.ToHexStringLower(SHA1.HashData([.. Encoding.ASCII.GetBytes($"tree {body.Length}\0"), .. body]));
    }
}
