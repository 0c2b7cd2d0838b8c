using System.Collections.Immutable;
using Marketplace.Core;
using Marketplace.Functions.Http;

namespace Marketplace.Functions.Hub.Commits;

/// <summary>The files that a commit makes of those that are there.</summary>
internal static class CommitTree
{
    /// <summary>Deletes what is to be deleted, then puts what is to be put.</summary>
    /// <param name="head">The files that are there.</param>
    /// <param name="operations">What to do.</param>
    /// <param name="find">Finds bytes by their digest beyond those that are there; null if the caller has none.</param>
    /// <param name="maxFiles">Most files that may be there afterwards.</param>
    public static async Task<Found<IReadOnlyList<TreeFile>>> ApplyAsync(
        ImmutableArray<ManifestFile> head, IReadOnlyList<CommitOperation> operations, Func<PutObject, Task<TreeFile?>> find, int maxFiles)
    {
        var files = head.ToDictionary(f => f.Path, f => new TreeFile(f), StringComparer.Ordinal);
        foreach (var operation in operations)
        {
            if (operation is RemoveFile && !files.Remove(operation.Path))
                return Missing(operation.Path);
            if (operation is not RemoveFolder)
                continue;
            var inside = files.Keys.Where(path => path.StartsWith(operation.Path + "/", StringComparison.Ordinal)).ToList();
            if (inside.Count == 0)
                return Missing(operation.Path);
            inside.ForEach(path => files.Remove(path));
        }

        // Before any is looked for.
        if (operations.Count(o => o is PutInline or PutObject) > maxFiles)
            return TooMany(maxFiles);
        var put = new HashSet<string>(StringComparer.Ordinal);
        foreach (var operation in operations.Where(o => o is PutInline or PutObject))
        {
            if (!put.Add(operation.Path))
                return HubProblems.BadRequest($"'{operation.Path}' occurs twice in the commit.");
            if (operation is PutInline inline)
                files[inline.Path] = new TreeFile(new ManifestFile(inline.Path, inline.Digest, inline.Size, inline.GitSha1), Local: inline.Local);
            else if (Present(head, (PutObject)operation) is { } present)
                files[operation.Path] = new TreeFile(present with { Path = operation.Path });
            else if (await find((PutObject)operation) is { } found)
                files[operation.Path] = found with { File = found.File with { Path = operation.Path } };
            else
                return HubProblems.BadRequest($"'{operation.Path}': there is no object {((PutObject)operation).Oid}; send it first.");
        }

        if (files.Count > maxFiles)
            return TooMany(maxFiles);
        if (files.Keys.GroupBy(path => path, StringComparer.OrdinalIgnoreCase).FirstOrDefault(g => g.Count() > 1) is { } same)
            return HubProblems.BadRequest($"'{string.Join("' and '", same)}' differ only in case.");
        ImmutableArray<TreeFile> sorted = [.. files.Values.OrderBy(f => f.File.Path, StringComparer.Ordinal)];
        return VersionManifest.TryCreate(sorted.Select(f => f.File), null, out _, out var problem) ? new Found<IReadOnlyList<TreeFile>>(sorted, null) : HubProblems.BadRequest(problem);
    }

    /// <summary>Whether two states have the same files.</summary>
    public static bool Same(IEnumerable<ManifestFile> a, IEnumerable<ManifestFile> b) =>
        a.Select(f => (f.Path, f.Digest)).ToHashSet().SetEquals(b.Select(f => (f.Path, f.Digest)));

    private static Microsoft.AspNetCore.Http.HttpResults.ProblemHttpResult TooMany(int maxFiles) =>
        HubProblems.BadRequest($"A repository has at most {maxFiles} files; with this commit it would have more.");

    private static ManifestFile? Present(ImmutableArray<ManifestFile> head, PutObject put) =>
        head.FirstOrDefault(f => f.Digest == put.Oid && (put.Size is null || put.Size == f.Size));

    private static Microsoft.AspNetCore.Http.HttpResults.ProblemHttpResult Missing(string path) =>
        HubProblems.EntryNotFound(path, $"A file with this name doesn't exist: '{path}'.");
}
