using System.Globalization;
using Marketplace.Core;
using Marketplace.Storage;

namespace Marketplace.Functions.Hub;

/// <summary>A commit as lists show it.</summary>
internal sealed record HubCommit(string Id, string Title, string Message, IReadOnlyList<HubAuthor> Authors, DateTimeOffset Date);

/// <summary>Who made a commit.</summary>
internal sealed record HubAuthor(string User);

/// <summary>The commits that led to a revision: versions, before them what is no version yet, or of what is no adapter the registrations or the one state there is.</summary>
public sealed class HubHistory(MarketplaceStorage storage)
{
    /// <summary>The revision and those before it, newest first, each with its files.</summary>
    internal async Task<IReadOnlyList<(HubCommit Commit, IReadOnlyList<ManifestFile> Files)>> ListAsync(HubRepository repository, HubRevision revision, CancellationToken cancellationToken)
    {
        if (repository.Registrations is [_, ..] registrations)
        {
            return [.. registrations.Select(r => HubBaseModels.Of(registrations, r)).SkipWhile(r => r.Commit != revision.Commit).Select(r => (Commit(r, repository.Id.Owner, r.Title!), (IReadOnlyList<ManifestFile>)r.Files))];
        }

        var commits = new List<(HubCommit, IReadOnlyList<ManifestFile>)>();
        if (revision.Version is null || revision.Version.Id != revision.Commit)
        {
            var said = repository.Draft is { } draft && draft.Commit == revision.Commit ? draft.Message : null;
            commits.Add((Commit(revision, repository.Id.Owner, revision.Title ?? said ?? (revision.Files.IsEmpty ? "Empty repository" : "Not complete yet")), revision.Files));
        }

        if (repository.Adapter is not { } adapter)
            return commits;
        foreach (var version in await storage.Versions.ListAsync(repository.Id, cancellationToken))
        {
            if (adapter.Has(version.Number) && version.Number <= (revision.Version?.Number ?? int.MaxValue))
                commits.Add((Commit(HubRepositories.Of(version), version.PublishedBy, Said(version)), version.Files));
        }

        return commits;
    }

    /// <summary>For every file and folder of the revision the commit since which it is as it is.</summary>
    internal async Task<IReadOnlyDictionary<string, HubLastCommit>> LastAsync(HubRepository repository, HubRevision revision, CancellationToken cancellationToken)
    {
        var commits = await ListAsync(repository, revision, cancellationToken);
        var open = revision.Files.ToDictionary(f => f.Path, f => f.Digest, StringComparer.Ordinal);
        var (last, rank) = (new Dictionary<string, HubLastCommit>(StringComparer.Ordinal), new Dictionary<string, int>(StringComparer.Ordinal));
        for (var i = 0; i < commits.Count && open.Count > 0; i++)
        {
            var before = i + 1 < commits.Count ? commits[i + 1].Files.ToDictionary(f => f.Path, f => f.Digest, StringComparer.Ordinal) : [];
            var commit = commits[i].Commit;
            foreach (var path in open.Where(f => !before.TryGetValue(f.Key, out var digest) || digest != f.Value).Select(f => f.Key).ToList())
            {
                open.Remove(path);
                // Folders are as new as the newest thing in them.
                for (var at = path.Length; at > 0; at = path.LastIndexOf('/', at - 1))
                {
                    if (rank.TryAdd(path[..at], i))
                        last[path[..at]] = new(commit.Id, commit.Title, commit.Date);
                }
            }
        }

        return last;
    }

    private static string Said(VersionRecord version) => version.Message is { Length: > 0 } message ? message
        : version.Lineage is { } lineage ? string.Create(CultureInfo.InvariantCulture, $"Version {version.Number}, made by {lineage.Method}") : string.Create(CultureInfo.InvariantCulture, $"Version {version.Number}");

    // The first line is the title, as with git.
    private static HubCommit Commit(HubRevision revision, string author, string said)
    {
        var lines = said.ReplaceLineEndings("\n").Split('\n', 2);
        return new(revision.Commit, lines[0], lines.Length > 1 ? lines[1].Trim() : "", [new(author)], revision.CreatedAt);
    }
}
