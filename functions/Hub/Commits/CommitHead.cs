using System.Collections.Immutable;
using Marketplace.Core;
using Marketplace.Core.Formats;
using Marketplace.Storage;

namespace Marketplace.Functions.Hub.Commits;

/// <summary>A repository as one look finds it, for a commit to be laid on.</summary>
/// <param name="Adapter">The adapter; null while there is no version.</param>
/// <param name="Record">What is beyond versions; null if nothing is.</param>
/// <param name="Newest">The newest version.</param>
/// <param name="Model">The newest registration, where there is no version.</param>
/// <param name="State">The newest state: the draft, else the newest version or registration, else no files.</param>
internal sealed record CommitHead(AdapterRecord? Adapter, RepositoryRecord? Record, VersionRecord? Newest, BaseModelRegistration? Model, CommitState State)
{
    /// <summary>The newest published state; null if there is none.</summary>
    public CommitState? Published => Newest is not null ? new(Newest.Id, Newest.Files) : Model is not null ? StateOf(Model) : null;

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

        var model = newest is null ? await storage.Registrations.NewestAsync(id.ToString(), cancellationToken) : null;
        return new(adapter, record, newest, model, StateOf(record, newest, model));
    }

    /// <summary>The files of a registration as a commit has them.</summary>
    public static CommitState StateOf(BaseModelRegistration model)
    {
        ImmutableArray<ManifestFile> files = [.. model.Files.Select(f => new ManifestFile(f.Path, f.Digest, f.Size, TreeFile.UnknownGitSha1))];
        return new(VersionManifest.Create(files, null).Id, files);
    }

    private static CommitState StateOf(RepositoryRecord? record, VersionRecord? newest, BaseModelRegistration? model) =>
        record?.Draft is { } draft && draft.Base == newest?.Id ? new(draft.Commit, draft.Files)
        : newest is not null ? new(newest.Id, newest.Files)
        : model is not null ? StateOf(model)
        : new(VersionManifest.Create([], null).Id, []);
}
