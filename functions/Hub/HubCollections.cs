using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using Marketplace.Core;
using Marketplace.Storage;
using Microsoft.Extensions.Caching.Memory;

namespace Marketplace.Functions.Hub;

/// <summary>
/// Collections as repositories that can be read: the files of each member that the caller may see under a folder of its own, and a card written from the collection. The commit id is that of the manifest over those files,
/// so that callers who see the same members see the same commit, and a commit that was read stays readable while nothing changes.
/// </summary>
public sealed class HubCollections(MarketplaceStorage storage, HubVersions versions) : IDisposable
{
    private const int SideBySide = 16;
    private const int MaxFiles = 100_000;

    private readonly MemoryCache known = new(new MemoryCacheOptions { SizeLimit = MaxFiles });

    /// <summary>The collection as the caller sees it.</summary>
    /// <param name="collection">With the members that the caller may see.</param>
    /// <param name="cancellationToken">Stops.</param>
    internal async Task<HubRevision> RevisionAsync(CollectionRecord collection, CancellationToken cancellationToken)
    {
        // All that the revision is made of: versions are known by their ids.
        var key = Digest.Of(Encoding.UTF8.GetBytes(string.Join('\n',
            [collection.Id.ToString(), collection.JobId, collection.CreatedAt.ToString("O", CultureInfo.InvariantCulture), .. collection.Members.Select(m => $"{m.Version.Id} {m.Adapter} {m.Label}")])));
        if (known.TryGetValue(key, out HubRevision? revision))
            return revision!;
        revision = await MakeAsync(collection, cancellationToken);
        return known.Set(key, revision, new MemoryCacheEntryOptions { Size = revision.Files.Length });
    }

    /// <inheritdoc/>
    public void Dispose() => known.Dispose();

    private async Task<HubRevision> MakeAsync(CollectionRecord collection, CancellationToken cancellationToken)
    {
        var members = new ConcurrentDictionary<CollectionMember, VersionRecord>();
        await Parallel.ForEachAsync(collection.Members, new ParallelOptions { MaxDegreeOfParallelism = SideBySide, CancellationToken = cancellationToken }, async (member, stop) =>
        {
            // The row is at hand: the collection was read by it.
            if (await storage.Adapters.RecentAsync(member.Adapter, stop) is { } adapter
                && await versions.GetAsync(adapter, member.Version, stop) is { Version: { } version })
                members[member] = version;
        });
        var present = collection.Members.Where(members.ContainsKey).DistinctBy(m => m.Label).ToList();
        var card = Encoding.UTF8.GetBytes(Card(collection, [.. present.Select(m => (m, members[m]))]));
        var files = present.SelectMany(m => members[m].Files.Select(f => f with { Path = $"{CollectionLabel.ToFolder(m.Label)}/{f.Path}" })).Where(f => RepositoryPath.IsValid(f.Path));
        var manifest = VersionManifest.Create([new ManifestFile(RepositoryPath.Card, Digest.Of(card), card.Length, GitBlobHash.Of(card)), .. files], null);
        return new HubRevision(collection.Id, manifest.Id, manifest.Files, collection.CreatedAt, null)
        {
            Elsewhere = ImmutableDictionary.Create<string, HubPlace>(StringComparer.Ordinal).Add(RepositoryPath.Card, new HubPlace.Written(card)),
            Title = "Collection",
        };
    }

    private static string Card(CollectionRecord collection, IReadOnlyList<(CollectionMember Member, VersionRecord Version)> members)
    {
        var card = new StringBuilder();
        void Line(string text = "") => card.Append(text).Append('\n');

        Line("---");
        Line($"base_model: {collection.BaseModel}");
        Line("base_model_relation: adapter");
        Line("library_name: peft");
        Line("tags:\n- lora\n- collection");
        Line("---");
        Line();
        Line($"# {collection.Id.Name}");
        Line();
        Line(string.Create(CultureInfo.InvariantCulture, $"{members.Count} adapters for `{collection.BaseModel}` that one job made together ({collection.MadeBy}, {collection.CreatedAt.UtcDateTime:yyyy-MM-dd}). Each is in a folder of its own:"));
        Line("`PeftModel.from_pretrained(base, ID, subfolder=FOLDER)`.");
        Line();
        Line("| folder | adapter | version |\n|---|---|---|");
        foreach (var (member, version) in members)
            Line($"| `{CollectionLabel.ToFolder(member.Label)}` | `{member.Adapter}` | {version.Number} (`{version.Id}`) |");
        return card.ToString();
    }
}
