using System.Runtime.CompilerServices;
using Azure.Data.Tables;
using Marketplace.Core;

namespace Marketplace.Storage;

/// <summary>A row of the index.</summary>
internal sealed record TakedownEntry(AdapterId Adapter, bool Purged, DateTimeOffset WrittenAt, TableEntity Row);

/// <summary>
/// Which adapters may be down, and because of which: written before the mark in the adapter's own row, which is the truth, and removed by the sweep only, long after. So
/// it may name too many, never too few, and is short, since little is ever taken down.
/// </summary>
internal sealed class TakedownIndex(Table table)
{
    public Task AddAsync(AdapterId adapter, CancellationToken ct) => PutAsync(Keys.TakenDown(adapter), adapter, false, ct);

    public async Task AddAsync(AdapterId root, AdapterId child, CancellationToken ct)
    {
        await PutAsync(Keys.TakenDownBecause(root, child), child, false, ct);
        await AddAsync(child, ct);
    }

    public IAsyncEnumerable<TakedownEntry> ListAsync(CancellationToken ct) => ListAsync(Keys.Everybody, ct);

    /// <summary>What went down because of a root.</summary>
    public IAsyncEnumerable<TakedownEntry> ListAsync(AdapterId root, CancellationToken ct) => ListAsync(Keys.Adapter(root), ct);

    /// <summary>Notes that nothing is left to be done about an adapter.</summary>
    public Task PurgedAsync(AdapterId adapter, CancellationToken ct) => PutAsync(Keys.TakenDown(adapter), adapter, true, ct);

    /// <summary>Removes an entry unless it was written again.</summary>
    public Task RemoveAsync(TakedownEntry entry, CancellationToken ct) => table.DeleteAsync(entry.Row.Key(), entry.Row.ETag, ct);

    private async IAsyncEnumerable<TakedownEntry> ListAsync(string partition, [EnumeratorCancellation] CancellationToken ct)
    {
        await foreach (var row in table.QueryAsync(Filter.Partition(partition), ct))
            yield return new(row.Adapter(), row.Flag("Purged"), row.Timestamp ?? DateTimeOffset.MaxValue, row);
    }

    private async Task PutAsync(Key key, AdapterId adapter, bool purged, CancellationToken ct)
    {
        var row = Rows.New(key);
        row["Adapter"] = adapter.ToString();
        row["Purged"] = purged;
        await table.PutAsync(row, ct);
    }
}
