using System.Collections.Immutable;
using System.Text.Json;
using Azure;
using Azure.Data.Tables;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;
using Marketplace.Core;
using Marketplace.Core.Api;

namespace Marketplace.Storage;

/// <summary>
/// Collections. Partition: the owner. A row names the job that made the collection and a body in blob storage, written before it; the same name made again by another job
/// is replaced under the row's ETag, and the versions it named stay.
/// </summary>
public sealed class CollectionStore
{
    private const int SideBySide = 16;

    private readonly Table table;
    private readonly BlobContainerClient bodies;
    private readonly AdapterStore adapters;
    private readonly RecentReads<CollectionRecord> recent;

    internal CollectionStore(Table table, BlobContainerClient bodies, AdapterStore adapters, TimeProvider clock)
    {
        (this.table, this.bodies, this.adapters, recent) = (table, bodies, adapters, new(clock));
        table.Written += recent.Forget;
    }

    /// <summary>Stores a collection, new or in place of an earlier one of that name.</summary>
    public async Task PutAsync(CollectionRecord collection, CancellationToken ct = default)
    {
        var body = JsonSerializer.Serialize(new Body(collection.RequestJson, [.. collection.Members.Select(m => new Entry(m.Label, m.Adapter.ToString(), m.Version.Number, m.Version.Id))]), ApiJson.Options);
        await Blob(collection.JobId).UploadAsync(BinaryData.FromString(body), overwrite: true, ct);
        while (true)
        {
            var present = await table.GetAsync(Keys.Collection(collection.Id), ct);
            if (present is null ? await table.AddAsync(Write(collection), ct) is not null
                : await table.UpdateAsync(Write(collection), present.ETag, ct) == UpdateResult.Updated)
            {
                return;
            }
        }
    }

    /// <summary>A collection with the members that the caller may see; null if it does not exist for the caller.</summary>
    public async Task<CollectionRecord?> GetAsync(AdapterId id, Caller caller, CancellationToken ct = default)
    {
        if (await table.GetAsync(Keys.Collection(id), ct) is not { } row || !Visible(row, caller))
            return null;
        var whole = await WithBodyAsync(Read(row), ct);
        var seen = ImmutableArray.CreateBuilder<CollectionMember>();
        foreach (var member in whole.Members)
        {
            if (await adapters.GetAsync(member.Adapter, member.Version.Number, ct) is { } record && caller.CanSee(record))
                seen.Add(member);
        }

        return whole with { Members = seen.ToImmutable() };
    }

    /// <summary>
    /// The same for reading routes that are asked often: collection and members' adapters as they were at most a second ago, and never as they were before a write of this process.
    /// </summary>
    public async Task<CollectionRecord?> RecentAsync(AdapterId id, Caller caller, CancellationToken ct = default)
    {
        var whole = await recent.GetAsync(Keys.Collection(id), WholeAsync, keepAbsence: true, ct);
        if (whole is null || !caller.CanSee(whole.Id.Owner, whole.Private))
            return null;
        var seen = new bool[whole.Members.Length];
        await Parallel.ForAsync(0, seen.Length, new ParallelOptions { MaxDegreeOfParallelism = SideBySide, CancellationToken = ct }, async (i, stop) =>
            seen[i] = await adapters.RecentAsync(whole.Members[i].Adapter, stop) is { } record && record.Has(whole.Members[i].Version.Number) && caller.CanSee(record));
        return whole with { Members = [.. whole.Members.Where((_, i) => seen[i])] };

        async Task<CollectionRecord?> WholeAsync() =>
            await table.GetAsync(Keys.Collection(id), CancellationToken.None) is { } row ? await WithBodyAsync(Read(row), CancellationToken.None) : null;
    }

    /// <summary>An owner's collections, as far as they exist for the caller, without members, in ordinal order of their names.</summary>
    public async Task<IReadOnlyList<CollectionRecord>> ListAsync(string owner, Caller caller, CancellationToken ct = default)
    {
        var found = new List<CollectionRecord>();
        await foreach (var row in table.QueryAsync(Filter.Partition(Keys.Lower(owner)), ct))
        {
            if (Visible(row, caller))
                found.Add(Read(row));
        }
        return found;
    }

    /// <summary>Forgets a collection; the versions it named stay. False if there is none.</summary>
    public async Task<bool> DeleteAsync(AdapterId id, CancellationToken ct = default) => await table.DeleteAsync(Keys.Collection(id), ETag.All, ct) == UpdateResult.Updated;

    /// <summary>
    /// Removes bodies that no row names: of collections that were deleted or made anew by another job. A job writes its body, again if it is delivered again,
    /// shortly before its row, so that one which was old when listed and has no row afterwards is nobody's.
    /// </summary>
    internal async Task<int> SweepAsync(DateTimeOffset before, CancellationToken ct)
    {
        HashSet<string>? named = null;
        return await bodies.DeleteOldAsync("", async name => !(named ??= await NamedAsync(ct)).Contains(name), before, ct);
    }

    private async Task<HashSet<string>> NamedAsync(CancellationToken ct)
    {
        var named = new HashSet<string>(StringComparer.Ordinal);
        await foreach (var row in table.QueryAsync(null, ct))
            named.Add(Name(row.Text("JobId")));
        return named;
    }

    private async Task<CollectionRecord> WithBodyAsync(CollectionRecord collection, CancellationToken ct)
    {
        var body = JsonSerializer.Deserialize<Body>((await Blob(collection.JobId).ReadAsync(ct))!, ApiJson.Options)!;
        return collection with
        {
            RequestJson = body.Request,
            Members = [.. body.Members.Select(m => new CollectionMember(m.Label, AdapterId.Parse(m.Adapter), new VersionPointer(m.Number, m.VersionId)))],
        };
    }

    private static bool Visible(TableEntity row, Caller caller) => !row.Flag("Private") || caller.IsAdmin || caller.Is(AdapterId.Parse(row.Text("Id")).Owner);

    private static TableEntity Write(CollectionRecord collection)
    {
        var row = Rows.New(Keys.Collection(collection.Id));
        row["Id"] = collection.Id.ToString();
        row["Private"] = collection.Private;
        row["BaseModel"] = collection.BaseModel;
        row["MadeBy"] = collection.MadeBy;
        row["CreatedAt"] = collection.CreatedAt;
        row["JobId"] = collection.JobId;
        return row;
    }

    private static CollectionRecord Read(TableEntity row) => new(
        AdapterId.Parse(row.Text("Id")), row.Flag("Private"), row.Text("BaseModel"), row.Text("MadeBy"), row.Time("CreatedAt"), row.Text("JobId"), "", []);

    private BlobClient Blob(string jobId) => bodies.GetBlobClient(Name(jobId));

    private static string Name(string jobId) => $"{jobId}.json";

    private sealed record Body(string Request, ImmutableArray<Entry> Members);

    private sealed record Entry(string Label, string Adapter, int Number, string VersionId);
}
