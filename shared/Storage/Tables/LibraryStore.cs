using System.Collections.Concurrent;
using Azure.Data.Tables;
using Azure.Storage.Blobs;
using Marketplace.Core;

namespace Marketplace.Storage;

/// <summary>The adapters of each base model, and the clusterings made of them. Partition: the base model.</summary>
public sealed class LibraryStore
{
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

    /// <summary>
    /// The members that exist for the caller, in ordinal order of their names. Each is checked against the adapter's own row, which is
    /// the truth about its privacy and base model; a member row may lag behind.
    /// </summary>
    public async Task<IReadOnlyList<LibraryMember>> ListMembersAsync(string baseModel, Caller caller, CancellationToken ct = default)
    {
        var found = new ConcurrentBag<LibraryMember>();
        var rows = members.ScanAsync(baseModel, caller, null, null, ct);
        await Parallel.ForEachAsync(rows, new ParallelOptions { MaxDegreeOfParallelism = 16, CancellationToken = ct }, async (row, token) =>
        {
            if (await ConfirmAsync(row.Member, caller, token) is { } member)
                found.Add(member);
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
        await adapters.GetAsync(member.Adapter, ct) is { BaseModel: { } model } adapter && Keys.Model(model) == Keys.Model(member.BaseModel) && caller.CanSee(adapter)
            ? member with { Private = adapter.Private }
            : null;

    /// <summary>Stores a clustering: its body first, then the rows that name it.</summary>
    public async Task AddSnapshotAsync(ClusterSnapshot snapshot, CancellationToken ct = default)
    {
        await Body(snapshot.Id).UploadAsync(BinaryData.FromString(snapshot.BodyJson), overwrite: true, ct);
        await snapshots.AddAsync(Write(Keys.Snapshot(snapshot.Id), snapshot), ct);
        await snapshots.AddAsync(Write(Keys.SnapshotOf(snapshot.BaseModel, snapshot.CreatedAt, snapshot.Id), snapshot), ct);
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
        return row;
    }

    private static ClusterSnapshot Read(TableEntity row, string body) => new(
        row.Text("Id"), row.Text("BaseModel"), row.GetString("Owner"), row.Time("CreatedAt"), row.Text("JobId"), body);

    private BlobClient Body(string id) => bodies.GetBlobClient($"{id}.json");
}
