using System.Runtime.CompilerServices;
using Azure.Data.Tables;
using Marketplace.Core;

namespace Marketplace.Storage;

/// <summary>A deletion that may not be finished.</summary>
internal sealed record DeletionEntry(AdapterId Adapter, IReadOnlyList<string> BaseModels, DateTimeOffset WrittenAt, TableEntity Row);

/// <summary>
/// Which adapters may have been deleted: written before the mark in the adapter's own row, which is the truth. Rows for the sweep go once nothing can be left to do. Rows by base model stay, for readers of
/// what was stored when the adapter was there; they may name too many, never too few.
/// </summary>
internal sealed class DeletionIndex(Table table, TimeProvider clock)
{
    public async Task AddAsync(AdapterId adapter, IReadOnlyCollection<string> baseModels, CancellationToken ct)
    {
        foreach (var baseModel in baseModels)
        {
            var row = Rows.New(Keys.DeletedFrom(baseModel, adapter));
            row["Adapter"] = adapter.ToString();
            row["At"] = clock.GetUtcNow();
            await table.PutAsync(row, ct);
        }

        var entry = Rows.New(Keys.Deleted(adapter));
        entry["Adapter"] = adapter.ToString();
        entry.SetValue("BaseModels", baseModels.ToArray());
        await table.PutAsync(entry, ct);
    }

    /// <summary>All that the sweep may have to finish.</summary>
    public async IAsyncEnumerable<DeletionEntry> ListAsync([EnumeratorCancellation] CancellationToken ct)
    {
        await foreach (var row in table.QueryAsync(Filter.Partition(Keys.Everybody), ct))
            yield return Read(row);
    }

    /// <summary>What is known of an adapter's deletion.</summary>
    public async Task<DeletionEntry?> GetAsync(AdapterId adapter, CancellationToken ct) => await table.GetAsync(Keys.Deleted(adapter), ct) is { } row ? Read(row) : null;

    /// <summary>What may have been deleted since a moment of a base model's adapters.</summary>
    public async IAsyncEnumerable<AdapterId> ListAsync(string baseModel, DateTimeOffset since, [EnumeratorCancellation] CancellationToken ct)
    {
        await foreach (var row in table.QueryAsync(Filter.All(Filter.Partition(Keys.DeletedFrom(baseModel)), Filter.Of($"At ge {since}")), ct))
            yield return row.Adapter();
    }

    /// <summary>Removes an entry unless it was written again.</summary>
    public Task RemoveAsync(DeletionEntry entry, CancellationToken ct) => table.DeleteAsync(entry.Row.Key(), entry.Row.ETag, ct);

    private static DeletionEntry Read(TableEntity row) => new(row.Adapter(), row.Value<string[]>("BaseModels") ?? [], row.Timestamp ?? DateTimeOffset.MaxValue, row);
}
