using System.Collections.Immutable;
using Marketplace.Core;
using Marketplace.Storage;

namespace Marketplace.Functions.Hub;

/// <summary>A repository that exists for a caller.</summary>
/// <param name="Id">Its name as first spelled.</param>
/// <param name="Adapter">The adapter; null while there is no version.</param>
/// <param name="Record">What was created or committed beyond versions; only for who may write to it.</param>
internal sealed record HubRepository(AdapterId Id, AdapterRecord? Adapter, RepositoryRecord? Record)
{
    /// <summary>The collection that it is, with the members that the caller may see; null of an adapter.</summary>
    public CollectionRecord? Collection { get; init; }

    /// <summary>The registrations of the base model that it is, newest first; empty of an adapter.</summary>
    public IReadOnlyList<BaseModelRegistration> Registrations { get; init; } = [];

    /// <summary>Whether strangers must not know of it.</summary>
    public bool Private => Adapter?.Private ?? Record?.Private ?? Collection?.Private ?? false;

    /// <summary>Id of the newest version; null if there is none.</summary>
    public string? Newest => Adapter?.Main?.Id;

    /// <summary>The draft, unless a version was published since it was begun.</summary>
    public RepositoryDraft? Draft => Record?.Draft is { } draft && draft.Base == Newest ? draft : null;
}

/// <summary>A revision of a repository: files under a commit id.</summary>
/// <param name="Repository">The repository's name.</param>
/// <param name="Commit">40 hexadecimal digits.</param>
/// <param name="Files">Its files, in ordinal order of their paths.</param>
/// <param name="CreatedAt">When it was made.</param>
/// <param name="Version">The version it is, or is made from; null of a draft.</param>
internal sealed record HubRevision(AdapterId Repository, string Commit, ImmutableArray<ManifestFile> Files, DateTimeOffset CreatedAt, VersionRecord? Version)
{
    /// <summary>Where the bytes of files are that are not content, by path.</summary>
    public ImmutableDictionary<string, HubPlace> Elsewhere { get; init; } = ImmutableDictionary.Create<string, HubPlace>(StringComparer.Ordinal);

    /// <summary>What a list of commits says of it; null where its version or draft says it.</summary>
    public string? Title { get; init; }

    /// <summary>The file at that path, or null.</summary>
    public ManifestFile? Find(string path) => Files.FirstOrDefault(f => f.Path == path);
}
