using System.Collections.Immutable;
using Marketplace.Core;
using Marketplace.Functions.Http;
using Marketplace.Functions.Hub.Commits;
using Marketplace.Storage;

namespace Marketplace.Functions.Hub;

/// <summary>
/// Repositories and revisions as a caller may see them. Versions are commits under their own ids. Who may write to a repository also sees what it has committed that is no version yet; for
/// everybody else <c>main</c> is the newest version, and without one there is no repository.
/// </summary>
public sealed class HubRepositories(MarketplaceStorage storage)
{
    /// <summary>Other words for the newest state.</summary>
    internal static bool IsMain(string revision) => revision is "main" or "HEAD" or "refs/heads/main";

    /// <summary>The repository, or that there is none.</summary>
    internal Task<Found<HubRepository>> FindAsync(Caller caller, string owner, string name, CancellationToken cancellationToken) =>
        FindAsync(caller, owner, name, storage.Adapters.GetAsync, cancellationToken);

    /// <summary>The same with the adapter's row as somebody else reads it.</summary>
    internal async Task<Found<HubRepository>> FindAsync(
        Caller caller, string owner, string name, Func<AdapterId, CancellationToken, Task<AdapterRecord?>> read, CancellationToken cancellationToken)
    {
        if (!AdapterId.TryCreate(owner, name, out var id))
            return HubProblems.RepoNotFound($"{owner}/{name}");
        var adapter = await read(id, cancellationToken);
        if (adapter is not null && !caller.MayKnow(adapter))
            return HubProblems.RepoNotFound(id.ToString());
        if (adapter is { Takedown: not null })
            return Problems.TakenDown(await TakedownViews.PublicAsync(adapter, storage, caller, cancellationToken));
        var record = caller.Is(id.Owner) || caller.IsAdmin ? await storage.Repositories.GetAsync(id, cancellationToken) : null;
        return adapter is null && record is null ? HubProblems.RepoNotFound(id.ToString()) : new HubRepository(adapter?.Id ?? record!.Id, adapter, record);
    }

    /// <summary>The repository at a revision: <c>main</c>, a tag, a number or a commit id.</summary>
    internal async Task<Found<HubRevision>> RevisionAsync(HubRepository repository, string revision, CancellationToken cancellationToken)
    {
        // ASP.NET leaves %2F in route values as it was sent.
        revision = revision.Replace("%2F", "/", StringComparison.OrdinalIgnoreCase);
        if (IsMain(revision))
            return await HeadAsync(repository, cancellationToken);
        if (repository.Draft is { } draft && draft.Commit == revision)
            return Of(repository, draft);
        if (repository.Adapter is not null && await storage.Versions.ResolveAsync(repository.Id, revision, cancellationToken) is { } version && repository.Adapter.Has(version.Number))
            return Of(version);
        if (repository.Adapter is null && Empty(repository) is var empty && empty.Commit == revision)
            return empty;
        if (repository.Record is { Pending: { } pending } record && pending.Commit == revision)
            return await HubVerdicts.DescribeAsync(storage, record, pending, cancellationToken);
        return HubProblems.RevisionNotFound(repository.Id.ToString(), revision);
    }

    /// <summary>The newest state: the draft, else the newest version, else no files.</summary>
    internal async Task<HubRevision> HeadAsync(HubRepository repository, CancellationToken cancellationToken) =>
        repository.Draft is { } draft ? Of(repository, draft)
        : repository.Adapter?.Main is { } main && await storage.Versions.GetAsync(repository.Id, main.Number, cancellationToken) is { } version ? Of(version)
        : Empty(repository);

    /// <summary>A version as a revision.</summary>
    internal static HubRevision Of(VersionRecord version) => new(version.Adapter, version.Id, version.Files, version.CreatedAt, version);

    private static HubRevision Of(HubRepository repository, RepositoryDraft draft) => new(repository.Id, draft.Commit, draft.Files, draft.At, null);

    private static HubRevision Empty(HubRepository repository) =>
        new(repository.Id, VersionManifest.Create([], null).Id, ImmutableArray<ManifestFile>.Empty, repository.Record?.CreatedAt ?? default, null);
}
