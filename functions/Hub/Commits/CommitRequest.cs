using System.Collections.Immutable;
using Marketplace.Core;

namespace Marketplace.Functions.Hub.Commits;

/// <summary>What a commit is to do.</summary>
/// <param name="Message">Its first line, and after an empty one the rest.</param>
/// <param name="Parent">The commit it has to follow; null to follow whatever is there.</param>
/// <param name="Operations">In the order they were sent, which does not matter: what is deleted is deleted first.</param>
internal sealed record CommitRequest(string Message, string? Parent, IReadOnlyList<CommitOperation> Operations);

/// <summary>One line of a commit.</summary>
/// <param name="Path">The file or folder.</param>
internal abstract record CommitOperation(string Path);

/// <summary>A file whose bytes came inside the commit.</summary>
/// <param name="Path">The file.</param>
/// <param name="Local">Where its bytes are now.</param>
/// <param name="Size">How many.</param>
/// <param name="Digest">Their SHA-256.</param>
/// <param name="GitSha1">Git's name for them.</param>
internal sealed record PutInline(string Path, string Local, long Size, Digest Digest, string GitSha1) : CommitOperation(Path);

/// <summary>A file whose bytes were sent before, or are in a repository.</summary>
/// <param name="Path">The file.</param>
/// <param name="Oid">Their SHA-256.</param>
/// <param name="Size">How many; a copy within the service does not say.</param>
internal sealed record PutObject(string Path, Digest Oid, long? Size) : CommitOperation(Path);

/// <summary>A file to delete.</summary>
internal sealed record RemoveFile(string Path) : CommitOperation(Path);

/// <summary>A folder to delete with everything in it.</summary>
internal sealed record RemoveFolder(string Path) : CommitOperation(Path);

/// <summary>A file of the state that a commit makes, and where its bytes are: in a local file, staged under a name, or stored already.</summary>
/// <param name="File">The file; of one that is staged only, the git hash is not known yet.</param>
/// <param name="Local">Where its bytes came to lie.</param>
/// <param name="Staged">Its name in staging.</param>
internal sealed record TreeFile(ManifestFile File, string? Local = null, string? Staged = null)
{
    /// <summary>Stands for a git hash that is not known; it is no part of a commit's id.</summary>
    public static string UnknownGitSha1 { get; } = new('0', 40);
}

/// <summary>What became of a commit.</summary>
/// <param name="Commit">The id of the state that is, or once it was checked will be, the newest.</param>
/// <param name="Note">What its client should know besides.</param>
/// <param name="Unchanged">Whether everything was as the commit would have it.</param>
internal sealed record CommitDone(string Commit, string Note = "", bool Unchanged = false);

/// <summary>The files of a state, and its id.</summary>
internal sealed record CommitState(string Id, ImmutableArray<ManifestFile> Files);
