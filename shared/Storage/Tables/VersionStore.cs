using System.Collections.Immutable;
using System.Globalization;
using System.Runtime.CompilerServices;
using Azure;
using Azure.Data.Tables;
using Marketplace.Core;

namespace Marketplace.Storage;

/// <summary>
/// Versions of adapters. Partition: the adapter; row: the number, counted down so that the newest comes first. Creating the row is the
/// commit of a publish, and storage arbitrates who gets a number.
/// </summary>
public sealed class VersionStore
{
    /// <summary>Most files of a version; bounded by what fits into one row.</summary>
    public const int MaxFiles = 500;

    private readonly Table table;
    private readonly AdapterStore adapters;
    private readonly TagStore tags;

    internal VersionStore(Table table, AdapterStore adapters, TagStore tags) => (this.table, this.adapters, this.tags) = (table, adapters, tags);

    /// <summary>Creates the row of a version, if its number is free.</summary>
    /// <exception cref="StorageLimitException">The version does not fit into a row.</exception>
    public async Task<AddResult> AddAsync(VersionRecord version, CancellationToken ct = default)
    {
        if (version.Files.Length > MaxFiles)
            throw new StorageLimitException($"The version has {version.Files.Length} files; {MaxFiles} are allowed.");
        return await table.AddAsync(Write(version), ct) is null ? AddResult.AlreadyExists : AddResult.Added;
    }

    /// <summary>The version with that number, or null.</summary>
    public async Task<VersionRecord?> GetAsync(AdapterId adapter, int number, CancellationToken ct = default) =>
        number > 0 && await table.GetAsync(Keys.Version(adapter, number), ct) is { } row ? Read(row) : null;

    /// <summary>The version with that id of 40 hexadecimal digits, or null.</summary>
    public Task<VersionRecord?> GetByIdAsync(AdapterId adapter, string id, CancellationToken ct = default) =>
        FirstAsync(Filter.All(Partition(adapter), Filter.Of($"VersionId eq {id}")), ct);

    /// <summary>The version that an upload or a job has made, or null.</summary>
    public Task<VersionRecord?> FindByUploadAsync(AdapterId adapter, string uploadId, CancellationToken ct = default) =>
        FirstAsync(Filter.All(Partition(adapter), Filter.Of($"UploadId eq {uploadId}")), ct);

    /// <summary>The version with the highest number, or null. The adapter's pointer may lag behind it for a moment.</summary>
    public Task<VersionRecord?> NewestAsync(AdapterId adapter, CancellationToken ct = default) => FirstAsync(Partition(adapter), ct);

    /// <summary>All versions, newest first.</summary>
    public async Task<IReadOnlyList<VersionRecord>> ListAsync(AdapterId adapter, CancellationToken ct = default)
    {
        var versions = new List<VersionRecord>();
        await foreach (var row in table.QueryAsync(Partition(adapter), ct))
            versions.Add(Read(row));
        return versions;
    }

    /// <summary>All versions of all adapters of an account.</summary>
    internal async IAsyncEnumerable<VersionRecord> ListOwnedAsync(string owner, [EnumeratorCancellation] CancellationToken ct)
    {
        var (from, to) = Keys.PartitionsOf(owner);
        await foreach (var row in table.QueryAsync(Filter.Of($"PartitionKey ge {from} and PartitionKey lt {to}"), ct))
            yield return Read(row);
    }

    /// <summary>All versions of all adapters, for what is rebuilt from them.</summary>
    internal async IAsyncEnumerable<VersionRecord> ListAllAsync([EnumeratorCancellation] CancellationToken ct)
    {
        await foreach (var row in table.QueryAsync(null, ct))
            yield return Read(row);
    }

    /// <summary>The version that <c>main</c>, a number, <c>v</c> and a number, an id or a tag names; null if none has that name.</summary>
    public async Task<VersionRecord?> ResolveAsync(AdapterId adapter, string revision, CancellationToken ct = default)
    {
        if (revision == "main")
            return (await adapters.GetAsync(adapter, ct))?.Main is { } main ? await GetAsync(adapter, main.Number, ct) : null;
        if (revision.Length == 40 && revision.All(char.IsAsciiHexDigitLower))
            return await GetByIdAsync(adapter, revision, ct);
        var digits = revision.StartsWith('v') ? revision[1..] : revision;
        if (int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out var number))
            return await GetAsync(adapter, number, ct);
        return await tags.GetAsync(adapter, revision, ct) is { } tagged ? await GetAsync(adapter, tagged, ct) : null;
    }

    /// <summary>Removes the row of a version of a deleted adapter. Its number is never given out again, so that nobody else's row can be hit.</summary>
    internal Task RemoveAsync(VersionRecord version, CancellationToken ct) => table.DeleteAsync(Keys.Version(version.Adapter, version.Number), ETag.All, ct);

    private static string Partition(AdapterId adapter) => Filter.Partition(Keys.Adapter(adapter));

    private async Task<VersionRecord?> FirstAsync(string filter, CancellationToken ct)
    {
        await foreach (var row in table.QueryAsync(filter, ct, pageSize: 1))
            return Read(row);
        return null;
    }

    private static TableEntity Write(VersionRecord version)
    {
        var row = Rows.New(Keys.Version(version.Adapter, version.Number));
        row["Adapter"] = version.Adapter.ToString();
        row["Number"] = version.Number;
        row["VersionId"] = version.Id;
        row["Parent"] = version.Parent;
        row.SetValue("Files", version.Files.Select(f => f).ToArray());
        row["CreatedAt"] = version.CreatedAt;
        row["PublishedBy"] = version.PublishedBy;
        row.SetLong("Message", version.Message);
        row["BaseModelName"] = version.BaseModelName;
        row.SetValue("Lineage", version.Lineage);
        row["UploadId"] = version.UploadId;
        row["Private"] = version.Private;
        row["Weights"] = version.Weights.Hex;
        row["Config"] = version.Config.Hex;
        row.SetValue("Summary", version.Summary);
        return row;
    }

    private static VersionRecord Read(TableEntity row) => new(
        row.Adapter(), row.Number("Number"), row.Text("VersionId"), row.GetString("Parent"), [.. row.Value<ManifestFile[]>("Files") ?? []],
        row.Time("CreatedAt"), row.Text("PublishedBy"), row.GetLong("Message"), row.Text("BaseModelName"), row.Value<Lineage>("Lineage"),
        row.Text("UploadId"), row.Flag("Private"), Digest.Parse(row.Text("Weights")), Digest.Parse(row.Text("Config")),
        row.Value<AdapterSummary>("Summary"));
}
