using System.Runtime.CompilerServices;
using Azure;
using Azure.Data.Tables;
using Azure.Storage.Blobs;
using Marketplace.Core;

namespace Marketplace.Storage;

/// <summary>The adapters of each base model, and the clusterings made of them. Partition: the base model.</summary>
public sealed class LibraryStore
{
    private readonly Table members;
    private readonly Table snapshots;
    private readonly BlobContainerClient bodies;

    internal LibraryStore(Table members, Table snapshots, BlobContainerClient bodies) =>
        (this.members, this.snapshots, this.bodies) = (members, snapshots, bodies);

    /// <summary>Enters an adapter or moves it to another version, never back to an earlier one.</summary>
    public async Task PutMemberAsync(LibraryMember member, CancellationToken ct = default)
    {
        while (true)
        {
            var present = await members.GetAsync(Keys.Member(member.BaseModel, member.Adapter), ct);
            if (present is null)
            {
                if (await members.AddAsync(Write(member), ct) is not null)
                    return;
            }
            else if (present.Number("VersionNumber") > member.Version.Number
                || await members.UpdateAsync(Write(member), present.ETag, ct) == UpdateResult.Updated)
            {
                return;
            }
        }
    }

    /// <summary>Takes an adapter out of a library.</summary>
    public Task RemoveMemberAsync(string baseModel, AdapterId adapter, CancellationToken ct = default) =>
        members.DeleteAsync(Keys.Member(baseModel, adapter), ETag.All, ct);

    /// <summary>The members that exist for the caller, in ordinal order of their names.</summary>
    public async Task<IReadOnlyList<LibraryMember>> ListMembersAsync(string baseModel, Caller caller, CancellationToken ct = default)
    {
        var found = new List<LibraryMember>();
        await foreach (var (_, member) in ScanAsync(baseModel, caller, null, null, ct))
            found.Add(member);
        return found;
    }

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

    internal async IAsyncEnumerable<(Key Key, LibraryMember Member)> ScanAsync(
        string baseModel, Caller caller, Key? after, int? pageSize, [EnumeratorCancellation] CancellationToken ct)
    {
        var visible = caller.IsAdmin ? null
            : caller.Owner is { } owner ? Filter.Of($"Private eq {false} or Owner eq {Keys.Lower(owner)}")
            : Filter.Of($"Private eq {false}");
        var filter = Filter.All(Filter.Partition(Keys.Model(baseModel)), after is { } key ? Filter.After(key) : null, visible);
        await foreach (var row in members.QueryAsync(filter, ct, pageSize))
            yield return (row.Key(), ReadMember(row));
    }

    private static TableEntity Write(LibraryMember member)
    {
        var row = Rows.New(Keys.Member(member.BaseModel, member.Adapter));
        row["BaseModel"] = member.BaseModel;
        row["Adapter"] = member.Adapter.ToString();
        row["Owner"] = Keys.Lower(member.Adapter.Owner);
        row["Private"] = member.Private;
        row["VersionNumber"] = member.Version.Number;
        row["VersionId"] = member.Version.Id;
        row["Weights"] = member.Weights.Hex;
        row["Config"] = member.Config.Hex;
        return row;
    }

    private static LibraryMember ReadMember(TableEntity row) => new(
        row.Text("BaseModel"), row.Adapter(), row.Flag("Private"), new VersionPointer(row.Number("VersionNumber"), row.Text("VersionId")),
        Digest.Parse(row.Text("Weights")), Digest.Parse(row.Text("Config")));

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
