using Marketplace.Core;
using Marketplace.Core.Formats;
using Marketplace.Storage;

namespace Marketplace.Functions.Hub.Commits;

/// <summary>A repository as one look finds it, for a commit to be laid on.</summary>
/// <param name="Adapter">The adapter; null while there is no version.</param>
/// <param name="Record">What is beyond versions; null if nothing is.</param>
/// <param name="Newest">The newest version.</param>
/// <param name="Registrations">The base model's registrations, newest first, where there is no version.</param>
/// <param name="State">The newest state: the draft, else the newest version or registration, else no files.</param>
internal sealed record CommitHead(AdapterRecord? Adapter, RepositoryRecord? Record, VersionRecord? Newest, IReadOnlyList<BaseModelRegistration> Registrations, CommitState State)
{
    /// <summary>The newest published state; null if there is none.</summary>
    public CommitState? Published => PublishedOf(Newest, Registrations);

    /// <summary>The id that a state will have.</summary>
    /// <param name="kind">What its files are.</param>
    /// <param name="files">Its files.</param>
    public string IdOf(TreeKind kind, IReadOnlyList<ManifestFile> files)
    {
        if (kind != TreeKind.BaseModel)
            return VersionManifest.Create(files, Newest?.Id).Id;
        var digest = BaseModelManifest.Of(files.Select(f => new BaseModelFile(f.Path, f.Digest, f.Size))).Digest;
        return HubBaseModels.Commit(Registrations, new BaseModelRegistration(
            "", int.MaxValue, digest, "", [.. files.Select(f => new BaseModelFile(f.Path, f.Digest, f.Size))], "", default, null, ""));
    }

    /// <summary>Looks.</summary>
    public static async Task<CommitHead> LoadAsync(MarketplaceStorage storage, AdapterId id, CancellationToken cancellationToken)
    {
        var record = await storage.Repositories.GetAsync(id, cancellationToken);
        var newest = await storage.Versions.NewestAsync(id, cancellationToken);
        var adapter = await storage.Adapters.GetAsync(id, cancellationToken);
        // Whoever published it may have died before the adapter's row followed.
        if (newest is not null && newest.Number > (adapter?.Main?.Number ?? 0))
        {
            newest = await storage.Commit.CompleteAsync(newest, cancellationToken);
            adapter = await storage.Adapters.GetAsync(id, cancellationToken);
        }

        IReadOnlyList<BaseModelRegistration> registrations = newest is null ? await storage.Registrations.ListAsync(id.ToString(), cancellationToken) : [];
        var state = record?.Draft is { } draft && draft.Base == newest?.Id ? new(draft.Commit, draft.Files) : PublishedOf(newest, registrations) ?? new(VersionManifest.Create([], null).Id, []);
        return new(adapter, record, newest, registrations, state);
    }

    private static CommitState? PublishedOf(VersionRecord? newest, IReadOnlyList<BaseModelRegistration> registrations)
    {
        if (newest is not null)
            return new(newest.Id, newest.Files);
        return registrations is [var registration, ..] && HubBaseModels.Of(registrations, registration) is var revision ? new(revision.Commit, revision.Files) : null;
    }
}
