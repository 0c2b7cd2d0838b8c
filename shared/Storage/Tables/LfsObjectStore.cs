using System.Runtime.CompilerServices;
using Azure;
using Azure.Data.Tables;
using Marketplace.Core;

namespace Marketplace.Storage;

/// <summary>An object that an account was given an address for.</summary>
/// <param name="Owner">The account; nobody else can commit it.</param>
/// <param name="Oid">The SHA-256 it is said to have.</param>
/// <param name="Name">Where in <see cref="ObjectStaging"/> it goes.</param>
/// <param name="Size">The size it is said to have.</param>
/// <param name="CreatedAt">When the address was made.</param>
public sealed record LfsObject(string Owner, Digest Oid, string Name, long Size, DateTimeOffset CreatedAt);

/// <summary>
/// Objects of Git LFS on their way in, by account and SHA-256. One SHA-256 may have several: each request for addresses makes new ones, so that clients which send the same file at the same time don't
/// get in each other's way. Partition: the account and the first digits of the SHA-256.
/// </summary>
public sealed class LfsObjectStore
{
    private readonly Table table;

    internal LfsObjectStore(Table table) => this.table = table;

    /// <summary>Notes an object, before its address is given away.</summary>
    public Task AddAsync(LfsObject item, CancellationToken ct = default)
    {
        var row = Rows.New(Keys.LfsObject(item.Owner, item.Oid, item.Name));
        row["Owner"] = item.Owner;
        row["Oid"] = item.Oid.Hex;
        row["Name"] = item.Name;
        row["Size"] = item.Size;
        row["CreatedAt"] = item.CreatedAt;
        return table.PutAsync(row, ct);
    }

    /// <summary>The account's objects of that SHA-256.</summary>
    public async Task<IReadOnlyList<LfsObject>> ListAsync(string owner, Digest oid, CancellationToken ct = default)
    {
        var (partition, from, to) = Keys.LfsObjectsOf(owner, oid);
        var found = new List<LfsObject>();
        await foreach (var row in table.QueryAsync(Filter.All(Filter.Partition(partition), Filter.Of($"RowKey ge {from} and RowKey lt {to}")), ct))
            found.Add(Read(row));
        return found;
    }

    /// <summary>How many objects the account has, and of how many bytes: those that were sent, and those that may be.</summary>
    public async Task<(int Count, long Bytes)> SumAsync(string owner, CancellationToken ct = default)
    {
        var (from, to) = Keys.PartitionsOf(owner);
        var (count, bytes) = (0, 0L);
        await foreach (var row in table.QueryAsync(Filter.Of($"PartitionKey ge {from} and PartitionKey lt {to}"), ct))
            (count, bytes) = (count + 1, bytes + (row.GetInt64("Size") ?? 0));
        return (count, bytes);
    }

    /// <summary>Forgets an object.</summary>
    public Task DeleteAsync(string owner, Digest oid, string name, CancellationToken ct = default) => table.DeleteAsync(Keys.LfsObject(owner, oid, name), ETag.All, ct);

    /// <summary>Objects of all accounts that were noted before a moment.</summary>
    internal async IAsyncEnumerable<LfsObject> ListOldAsync(DateTimeOffset before, [EnumeratorCancellation] CancellationToken ct)
    {
        await foreach (var row in table.QueryAsync(Filter.Of($"CreatedAt lt {before}"), ct))
            yield return Read(row);
    }

    private static LfsObject Read(TableEntity row) =>
        new(row.Text("Owner"), Digest.Parse(row.Text("Oid")), row.Text("Name"), row.GetInt64("Size") ?? 0, row.Time("CreatedAt"));
}
