using System.Security.Cryptography;
using Marketplace.Core;
using Marketplace.Core.Formats;
using Marketplace.Core.Validation;
using Marketplace.Functions.Http;
using Marketplace.Storage;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.Functions.Hub.Commits;

/// <summary>Sees that the bytes of a commit are where they have to be: as content for a draft, as content or sealed in staging for an upload.</summary>
public sealed class CommitBytes(MarketplaceStorage storage)
{
    /// <summary>A file by the digest of its bytes; null if the caller has sent none, and sees none in an adapter.</summary>
    internal async Task<TreeFile?> FindAsync(Caller caller, PutObject put, CancellationToken cancellationToken)
    {
        if (await CommitObjects.StagedAsync(storage, caller.Owner!, put.Oid, put.Size, cancellationToken) is { } item)
            return new TreeFile(new ManifestFile(put.Path, put.Oid, item.Size, TreeFile.UnknownGitSha1), Staged: item.Name);
        return await CommitObjects.VisibleAsync(storage, caller, put.Oid, put.Size, cancellationToken) is { } present ? new TreeFile(present) : null;
    }

    /// <summary>Makes all files content that the repository uses, having read what was staged once; refuses what can't become an adapter's.</summary>
    internal async Task<Found<IReadOnlyList<TreeFile>>> KeepAsync(string owner, AdapterId id, IReadOnlyList<TreeFile> tree, string folder, CancellationToken cancellationToken)
    {
        var kept = new List<TreeFile>(tree.Count);
        foreach (var file in tree)
        {
            var (local, spooled) = (file, file.Staged is not null);
            if (spooled)
            {
                var (found, problem) = await SpoolAsync(owner, file, folder, cancellationToken);
                if (found is null)
                    return problem!;
                local = found;
            }

            if (local.Local is { } path)
            {
                if (!IsSafetensors(file) && PickleContent.IsPickle(path))
                    return HubProblems.BadRequest(CommitIssues.Line(new(IssueCodes.Pickle, "error", file.File.Path, "The content is a pickle or a zip archive, which no adapter here may have. Save it as safetensors, or leave it out.")));
                await storage.Content.PutAsync(local.File.Digest, path, cancellationToken);
            }
            else if (!await storage.Content.TouchAsync(file.File.Digest, cancellationToken))
            {
                return Gone(file);
            }

            await storage.ContentIndex.AddAsync(local.File.Digest, id, cancellationToken);
            kept.Add(local);
            if (spooled)
                File.Delete(local.Local!);
        }

        return new Found<IReadOnlyList<TreeFile>>(kept, null);
    }

    /// <summary>Stores what came inline and seals what was staged; the files as an upload announces them.</summary>
    internal async Task<Found<IReadOnlyList<UploadFileSpec>>> SettleAsync(AdapterId id, IReadOnlyList<TreeFile> tree, VersionRecord? newest, CancellationToken cancellationToken)
    {
        var files = new List<UploadFileSpec>(tree.Count);
        foreach (var file in tree)
        {
            var (path, digest, size) = (file.File.Path, file.File.Digest, file.File.Size);
            if (file.Staged is { } name)
            {
                if (!await storage.StagedObjects.SealAsync(name, size, cancellationToken))
                    return Gone(file);
                files.Add(new(path, size, digest, Staged: name));
                continue;
            }

            if (file.Local is { } local)
                await storage.Content.PutAsync(digest, local, cancellationToken);
            else if (!await storage.Content.TouchAsync(digest, cancellationToken))
                return Gone(file);
            // What the newest version has is used by that.
            if (newest?.Files.Any(f => f.Digest == digest) != true)
                await storage.ContentIndex.AddAsync(digest, id, cancellationToken);
            files.Add(new(path, size, digest, Stored: true));
        }

        return new Found<IReadOnlyList<UploadFileSpec>>(files, null);
    }

    /// <summary>Removes staged objects that are content now.</summary>
    internal async Task ForgetAsync(string owner, IReadOnlyList<TreeFile> tree, CancellationToken cancellationToken)
    {
        foreach (var file in tree)
        {
            if (file.Staged is { } name)
                await CommitObjects.RemoveAsync(storage, owner, file.File.Digest, name, cancellationToken);
        }
    }

    private async Task<Found<TreeFile>> SpoolAsync(string owner, TreeFile file, string folder, CancellationToken cancellationToken)
    {
        var (name, size, local) = (file.Staged!, file.File.Size, Path.Combine(folder, $"staged-{file.Staged}"));
        if (!await storage.StagedObjects.SealAsync(name, size, cancellationToken))
            return Gone(file);
        var spooled = await storage.StagedObjects.SpoolAsync(name, size, local, cancellationToken);
        if (spooled.Outcome != SpoolOutcome.Ok)
            return Gone(file);
        if (spooled.Digest != file.File.Digest)
        {
            await CommitObjects.RemoveAsync(storage, owner, file.File.Digest, name, cancellationToken);
            return HubProblems.BadRequest(CommitIssues.Line(new(IssueCodes.DigestMismatch, "error", file.File.Path, $"It was announced as {file.File.Digest}, and {spooled.Digest} arrived.")));
        }

        return file with { File = file.File with { GitSha1 = await GitSha1Async(local, size, cancellationToken) }, Local = local };
    }

    private static async Task<string> GitSha1Async(string local, long size, CancellationToken cancellationToken)
    {
        using IncrementalHash hash = GitBlobHash.Begin(size);
        await using var stream = new FileStream(local, FileMode.Open, FileAccess.Read, FileShare.Read, 1, FileOptions.Asynchronous | FileOptions.SequentialScan);
        var buffer = new byte[1 << 20];
        while (await stream.ReadAsync(buffer, cancellationToken) is var read and > 0)
            hash.AppendData(buffer, 0, read);
        return GitBlobHash.Finish(hash);
    }

    private static bool IsSafetensors(TreeFile file) => file.File.Path.EndsWith(".safetensors", StringComparison.OrdinalIgnoreCase);

    private static ProblemHttpResult Gone(TreeFile file) => HubProblems.BadRequest($"'{file.File.Path}': the bytes of {file.File.Digest} are not there; send them again.");
}
