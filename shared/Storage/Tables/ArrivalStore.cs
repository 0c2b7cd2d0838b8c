using Azure.Data.Tables;
using Marketplace.Core;

namespace Marketplace.Storage;

/// <summary>Adapters placed into clusterings after these were made. Partition: the clustering; a later version takes its adapter's row over.</summary>
public sealed class ArrivalStore
{
    private readonly Table table;
    private readonly AdapterStore adapters;

    internal ArrivalStore(Table table, AdapterStore adapters) => (this.table, this.adapters) = (table, adapters);

    /// <summary>Notes an arrival; again, or after a later version of the adapter has arrived, it changes nothing.</summary>
    public async Task PutAsync(Arrival arrival, CancellationToken ct = default)
    {
        while (true)
        {
            var present = await table.GetAsync(Keys.Arrival(arrival.SnapshotId, arrival.Adapter), ct);
            if (present is null)
            {
                if (await table.AddAsync(Write(arrival), ct) is not null)
                    return;
            }
            else if (present.Number("VersionNumber") >= arrival.Version.Number
                || await table.UpdateAsync(Write(arrival), present.ETag, ct) == UpdateResult.Updated)
            {
                return;
            }
        }
    }

    /// <summary>The arrivals of a clustering that exist for the caller, in ordinal order of their names. Whether an adapter does is what its own row says.</summary>
    public async Task<IReadOnlyList<Arrival>> ListAsync(string snapshotId, Caller caller, CancellationToken ct = default)
    {
        var found = new List<Arrival>();
        await foreach (var row in table.QueryAsync(Filter.Partition(snapshotId), ct))
        {
            if (await adapters.GetAsync(row.Adapter(), row.Number("VersionNumber"), ct) is { } adapter && caller.CanSee(adapter))
                found.Add(Read(row));
        }

        return found;
    }

    /// <summary>One adapter's arrival in a clustering; null if it did not arrive there. The caller has made sure that the adapter may be seen.</summary>
    public async Task<Arrival?> GetAsync(string snapshotId, AdapterId adapter, CancellationToken ct = default) =>
        await table.GetAsync(Keys.Arrival(snapshotId, adapter), ct) is { } row ? Read(row) : null;

    /// <summary>Removes an arrival of one of an adapter's versions up to a number.</summary>
    internal async Task RemoveThroughAsync(string snapshotId, AdapterId adapter, int through, CancellationToken ct)
    {
        while (await table.GetAsync(Keys.Arrival(snapshotId, adapter), ct) is { } row && row.Number("VersionNumber") <= through)
        {
            if (await table.DeleteAsync(row.Key(), row.ETag, ct) != UpdateResult.Conflict)
                return;
        }
    }

    private static TableEntity Write(Arrival arrival)
    {
        var row = Rows.New(Keys.Arrival(arrival.SnapshotId, arrival.Adapter));
        row["Adapter"] = arrival.Adapter.ToString();
        row["VersionNumber"] = arrival.Version.Number;
        row["VersionId"] = arrival.Version.Id;
        row["Cluster"] = arrival.Cluster;
        row["Cosine"] = arrival.Cosine;
        row["Outlier"] = arrival.Outlier;
        row["At"] = arrival.At;
        return row;
    }

    private static Arrival Read(TableEntity row) => new(
        row.PartitionKey, row.Adapter(), new VersionPointer(row.Number("VersionNumber"), row.Text("VersionId")), row.Text("Cluster"),
        row.GetDouble("Cosine") ?? 0, row.Flag("Outlier"), row.Time("At"));
}
