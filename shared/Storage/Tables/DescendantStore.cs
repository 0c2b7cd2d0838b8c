using System.Runtime.CompilerServices;
using Azure;
using Azure.Data.Tables;
using Marketplace.Core;

namespace Marketplace.Storage;

/// <summary>
/// The lineage backwards: which versions were made from which, and what was taken down among their ancestors. A row is written before its child's version row, so
/// that no descendant is missed; readers look for the version row, because some rows are left over from publishes that never finished.
/// </summary>
public sealed class DescendantStore
{
    private readonly Table table;
    private readonly VersionStore versions;
    private bool complete;

    internal DescendantStore(Table table, VersionStore versions) => (this.table, this.versions) = (table, versions);

    /// <summary>Notes that a version, which may not exist yet, is made from those of a lineage.</summary>
    public async Task AddAsync(AdapterId child, int number, Lineage lineage, CancellationToken ct = default)
    {
        foreach (var parent in lineage.Parents.DistinctBy(p => (p.Adapter, p.Number)))
        {
            var row = Rows.New(Keys.Descendant(parent.Adapter, parent.Number, child, number));
            row["Adapter"] = child.ToString();
            row["Number"] = number;
            await table.PutAsync(row, ct);
        }
    }

    /// <summary>The published versions that were made directly from a version.</summary>
    public async IAsyncEnumerable<VersionRecord> ListAsync(AdapterId parent, int number, [EnumeratorCancellation] CancellationToken ct = default)
    {
        var (partition, from, to) = Keys.DescendantsOf(parent, number);
        await foreach (var row in table.QueryAsync(Filter.All(Filter.Partition(partition), Filter.Of($"RowKey ge {from} and RowKey lt {to}")), ct))
        {
            if (await versions.GetAsync(row.Adapter(), row.Number("Number"), ct) is { Lineage: { } lineage } version
                && lineage.Parents.Any(p => p.Adapter == parent && p.Number == number))
                yield return version;
        }
    }

    /// <summary>
    /// Enters the versions that were published before this index was kept. Done once for a deployment; a row more does no harm, and versions that are published meanwhile enter themselves.
    /// </summary>
    public async Task CompleteAsync(CancellationToken ct = default)
    {
        if (complete)
            return;
        if (await table.GetAsync(Keys.DescendantsComplete, ct) is null)
        {
            await foreach (var version in versions.ListAllAsync(ct))
            {
                if (version.Lineage is { } lineage)
                    await AddAsync(version.Adapter, version.Number, lineage, ct);
            }

            await table.PutAsync(Rows.New(Keys.DescendantsComplete), ct);
        }

        complete = true;
    }

    /// <summary>
    /// Notes, at a published version, that something it was made from was taken down, and when. The row stays; whether it still counts is asked of the root: one that was restored and deleted since is
    /// not the one that has its name now.
    /// </summary>
    internal async Task TaintAsync(AdapterId child, int number, AdapterId root, DateTimeOffset at, CancellationToken ct)
    {
        var row = Rows.New(Keys.Taint(child, number, root));
        row["Root"] = root.ToString();
        row["Number"] = number;
        row["At"] = at;
        await table.PutAsync(row, ct);
    }

    /// <summary>Forgets what versions of a deleted adapter, up to a number, were made from, what was made from them, and what was noted at them.</summary>
    internal async Task RemoveThroughAsync(AdapterId adapter, int through, IEnumerable<VersionRecord> versions, CancellationToken ct)
    {
        foreach (var version in versions)
        {
            foreach (var parent in (version.Lineage?.Parents ?? []).DistinctBy(p => (p.Adapter, p.Number)))
                await table.DeleteAsync(Keys.Descendant(parent.Adapter, parent.Number, adapter, version.Number), ETag.All, ct);
        }

        foreach (var partition in new[] { Keys.Adapter(adapter), Keys.TaintsOf(adapter) })
        {
            await foreach (var row in table.QueryAsync(Filter.All(Filter.Partition(partition), Filter.Of($"RowKey lt {Keys.After(through)}")), ct))
                await table.DeleteAsync(row.Key(), ETag.All, ct);
        }
    }

    /// <summary>What was noted at an adapter's versions: number, root and the time of its takedown, of one version or of all.</summary>
    internal async Task<IReadOnlyList<(int Number, AdapterId Root, DateTimeOffset At)>> TaintsAsync(AdapterId child, int? number, CancellationToken ct)
    {
        var found = new List<(int, AdapterId, DateTimeOffset)>();
        var one = number is { } n ? Filter.Of($"RowKey ge {$"{n:D10}|"} and RowKey lt {$"{n:D10}}}"}") : null;
        await foreach (var row in table.QueryAsync(Filter.All(Filter.Partition(Keys.TaintsOf(child)), one), ct))
            found.Add((row.Number("Number"), row.Adapter("Root"), row.Time("At")));
        return found;
    }
}
