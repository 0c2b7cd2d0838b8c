using System.Collections.Concurrent;
using Azure.Data.Tables;
using Azure.Storage.Blobs;
using Marketplace.Core;
using Marketplace.Core.Methods;

namespace Marketplace.Storage;

/// <summary>The adapters of each base model, and the clusterings made of them. Partition: the base model.</summary>
public sealed class LibraryStore
{
    private const string States = "libraries/"; // where states are, among the bodies

    private const int Together = 24; // members of one owner from which on its adapters are read as one list

    private readonly LibraryMembers members;
    private readonly AdapterStore adapters;
    private readonly Table snapshots;
    private readonly BlobContainerClient bodies;
    private readonly LibraryRows rows;

    internal LibraryStore(LibraryMembers members, AdapterStore adapters, Table snapshots, BlobContainerClient bodies, TimeProvider clock) =>
        (this.members, this.adapters, this.snapshots, this.bodies, rows) = (members, adapters, snapshots, bodies, new LibraryRows(members, clock));

    /// <summary>Enters an adapter or moves it to another version, never back to an earlier one.</summary>
    public Task PutMemberAsync(LibraryMember member, CancellationToken ct = default) => members.PutAsync(member, ct);

    /// <summary>Takes an adapter out of a library.</summary>
    public Task RemoveMemberAsync(string baseModel, AdapterId adapter, CancellationToken ct = default) => members.RemoveAsync(baseModel, adapter, ct);

    /// <summary>Takes what an adapter's versions up to a number left out of a library, and out of what arrived in its clusterings.</summary>
    internal async Task RemoveThroughAsync(string baseModel, AdapterId adapter, int through, ArrivalStore arrivals, CancellationToken ct)
    {
        await members.RemoveThroughAsync(baseModel, adapter, through, ct);
        await foreach (var row in snapshots.QueryAsync(Filter.Partition(Keys.SnapshotsOf(baseModel)), ct))
            await arrivals.RemoveThroughAsync(row.Text("Id"), adapter, through, ct);
    }

    /// <summary>
    /// The members that exist for the caller, in ordinal order of their names. Each is checked against the adapter's own row, which is
    /// the truth about its privacy and base model; a member row may lag behind. Rows of an owner with many members are read together.
    /// </summary>
    public Task<IReadOnlyList<LibraryMember>> ListMembersAsync(string baseModel, Caller caller, CancellationToken ct = default) =>
        ListMembersAsync(baseModel, caller, derived: true, ct);

    /// <summary>The same; without <paramref name="derived"/> only adapters that somebody trained, none that was merged of others or subtracted from one.</summary>
    public async Task<IReadOnlyList<LibraryMember>> ListMembersAsync(string baseModel, Caller caller, bool derived, CancellationToken ct)
    {
        var rows = new List<LibraryMember>();
        await foreach (var row in members.ScanAsync(baseModel, caller, null, null, ct))
            rows.Add(row.Member);
        var found = new ConcurrentBag<LibraryMember>();
        await Parallel.ForEachAsync(
            rows.GroupBy(m => Keys.Lower(m.Adapter.Owner), StringComparer.Ordinal).SelectMany(Batches), new ParallelOptions { MaxDegreeOfParallelism = 16, CancellationToken = ct },
            async (batch, token) =>
            {
                var known = batch.Length < Together ? null : await OwnAsync(batch[0].Adapter.Owner, token);
                foreach (var member in batch)
                {
                    var adapter = known is null ? await adapters.GetAsync(member.Adapter, token) : known.GetValueOrDefault(Keys.Adapter(member.Adapter));
                    if (Confirmed(member, adapter, caller) is { } confirmed && (derived || !confirmed.Derived))
                        found.Add(confirmed);
                }
            });
        return [.. found.OrderBy(m => Keys.Adapter(m.Adapter), StringComparer.Ordinal)];
    }

    /// <summary>
    /// The members whose rows say that the caller may see them, in no order, from memory but for what was written since the last look. Rows may lag, and those of members that left stay for
    /// minutes: nothing may be said of a member before <see cref="ConfirmAsync"/>.
    /// </summary>
    public Task<IReadOnlyList<LibraryMember>> ScanMembersAsync(string baseModel, Caller caller, CancellationToken ct = default) => rows.LookAsync(baseModel, caller, ct);

    /// <summary>The member as its adapter's own row has it; null if it does not exist for the caller, or is of another library.</summary>
    public async Task<LibraryMember?> ConfirmAsync(LibraryMember member, Caller caller, CancellationToken ct = default) =>
        Confirmed(member, await adapters.GetAsync(member.Adapter, ct), caller);

    private static LibraryMember? Confirmed(LibraryMember member, AdapterRecord? adapter, Caller caller) =>
        adapter is { BaseModel: { } model } && Keys.Model(model) == Keys.Model(member.BaseModel) && adapter.Has(member.Version.Number) && caller.CanSee(adapter)
            ? member with { Private = adapter.Private, Derived = adapter.Summary?.DerivedBy is not null } : null;

    // One scan of a partition instead of many point reads; few members are read side by side.
    private static IEnumerable<LibraryMember[]> Batches(IEnumerable<LibraryMember> owned)
    {
        LibraryMember[] all = [.. owned];
        return all.Length >= Together ? [all] : all.Select(m => new[] { m });
    }

    private async Task<Dictionary<string, AdapterRecord>> OwnAsync(string owner, CancellationToken ct)
    {
        var own = new Dictionary<string, AdapterRecord>(StringComparer.Ordinal);
        await foreach (var adapter in adapters.ListRowsAsync(owner, ct))
            own[Keys.Adapter(adapter.Id)] = adapter;
        return own;
    }

    /// <summary>Stores the state of a library for a job, under its digest; again it is as if new, so that the sweep leaves it to that job.</summary>
    public async Task<Digest> PutStateAsync(ReadOnlyMemory<byte> state, CancellationToken ct = default)
    {
        var digest = Digest.Of(state.Span);
        await State(digest).UploadAsync(BinaryData.FromBytes(state), overwrite: true, ct);
        return digest;
    }

    /// <summary>The state of a library under its digest; null if it is not stored.</summary>
    public Task<BinaryData?> ReadStateAsync(Digest digest, CancellationToken ct = default) => State(digest).ReadAsync(ct);

    /// <summary>Removes states that no job can want any more: each is stored when its job is asked for.</summary>
    internal Task<int> SweepStatesAsync(DateTimeOffset before, CancellationToken ct) => bodies.DeleteOldAsync(States, _ => Task.FromResult(true), before, ct);

    /// <summary>Stores a clustering that newcomers can't be placed into.</summary>
    public Task AddSnapshotAsync(ClusterSnapshot snapshot, CancellationToken ct = default) => AddSnapshotAsync(snapshot, null, ct);

    /// <summary>Stores a clustering: its body and what places newcomers first, then the rows that name it. Again it changes nothing.</summary>
    public async Task AddSnapshotAsync(ClusterSnapshot snapshot, MbcPlacement? placement, CancellationToken ct = default)
    {
        if (placement is not null)
            await PlacementBlob(snapshot.Id).UploadAsync(BinaryData.FromBytes(placement.ToBytes()), overwrite: true, ct);
        await Body(snapshot.Id).UploadAsync(BinaryData.FromString(snapshot.BodyJson), overwrite: true, ct);
        await snapshots.AddAsync(Write(Keys.Snapshot(snapshot.Id), snapshot), ct);
        await snapshots.AddAsync(Write(Keys.SnapshotOf(snapshot.BaseModel, snapshot.CreatedAt, snapshot.Id), snapshot), ct);
    }

    /// <summary>What places newcomers into a clustering; null if it has no clusters, or is older than placements.</summary>
    public async Task<MbcPlacement?> ReadPlacementAsync(string id, CancellationToken ct = default) =>
        await PlacementBlob(id).ReadAsync(ct) is { } stored ? MbcPlacement.Parse(stored.ToMemory()) : null;

    /// <summary>The newest clustering of a library by one similarity, for everybody or one owner's own, without its body; null if there is none.</summary>
    /// <param name="baseModel">The library.</param>
    /// <param name="owner">Whose own; null for everybody's.</param>
    /// <param name="similarity">What was compared.</param>
    /// <param name="before">Only clusterings older than this.</param>
    /// <param name="ct">Stops.</param>
    public async Task<ClusterSnapshot?> NewestSnapshotAsync(
        string baseModel, string? owner, string similarity, DateTimeOffset? before = null, CancellationToken ct = default)
    {
        var whose = owner is null ? Filter.Of($"Public eq {true}") : Filter.Of($"Owner eq {Keys.Lower(owner)}");
        var filter = Filter.All(
            Filter.Partition(Keys.SnapshotsOf(baseModel)), whose, Filter.Of($"Similarity eq {similarity}"),
            before is { } limit ? Filter.Of($"CreatedAt lt {limit}") : null);
        await foreach (var row in snapshots.QueryAsync(filter, ct, pageSize: 1))
            return Read(row, "");
        return null;
    }

    /// <summary>The clusterings of a library that the caller may see, newest first, without their bodies.</summary>
    public async Task<IReadOnlyList<ClusterSnapshot>> ListSnapshotsAsync(string baseModel, Caller caller, CancellationToken ct = default)
    {
        var visible = caller.IsAdmin ? null
            : caller.Owner is { } owner ? Filter.Of($"Public eq {true} or Owner eq {Keys.Lower(owner)}")
            : Filter.Of($"Public eq {true}");
        var found = new List<ClusterSnapshot>();
        await foreach (var row in snapshots.QueryAsync(Filter.All(Filter.Partition(Keys.SnapshotsOf(baseModel)), visible), ct))
            found.Add(Read(row, ""));
        return found;
    }

    /// <summary>A clustering with its body; null if it does not exist for the caller.</summary>
    public async Task<ClusterSnapshot?> GetSnapshotAsync(string id, Caller caller, CancellationToken ct = default)
    {
        if (id.Length is < 2 or > 64 || !id.All(char.IsAsciiHexDigitLower) || await snapshots.GetAsync(Keys.Snapshot(id), ct) is not { } row)
            return null;
        var snapshot = Read(row, "");
        if (snapshot.Owner is { } owner && !caller.IsAdmin && !caller.Is(owner))
            return null;
        return snapshot with { BodyJson = (await Body(id).ReadAsync(ct))?.ToString() ?? "" };
    }

    private static TableEntity Write(Key key, ClusterSnapshot snapshot)
    {
        var row = Rows.New(key);
        row["Id"] = snapshot.Id;
        row["BaseModel"] = snapshot.BaseModel;
        row["Public"] = snapshot.Owner is null;
        row["Owner"] = snapshot.Owner is { } owner ? Keys.Lower(owner) : null;
        row["CreatedAt"] = snapshot.CreatedAt;
        row["JobId"] = snapshot.JobId;
        row["Similarity"] = snapshot.Similarity;
        row.SetLong("Summary", snapshot.SummaryJson);
        return row;
    }

    private static ClusterSnapshot Read(TableEntity row, string body) => new(
        row.Text("Id"), row.Text("BaseModel"), row.GetString("Owner"), row.Time("CreatedAt"), row.Text("JobId"), body, row.Text("Similarity"),
        row.GetLong("Summary") ?? "");

    private BlobClient Body(string id) => bodies.GetBlobClient($"{id}.json");

    private BlobClient PlacementBlob(string id) => bodies.GetBlobClient($"{id}.placement.safetensors");

    private BlobClient State(Digest digest) => bodies.GetBlobClient($"{States}{digest.Hex}.json");
}
