using Azure;
using Marketplace.Core;

namespace Marketplace.Storage;

/// <summary>
/// Which versions, and which registrations of base models, use which bytes. A row is written before its version's row, so a version's bytes are always found here; a row whose
/// version does not exist, or has other files, is left over from a publish that never finished.
/// </summary>
public sealed class ContentIndex
{
    private readonly Table table;
    private readonly VersionStore versions;
    private readonly RegistrationStore registrations;

    internal ContentIndex(Table table, VersionStore versions, RegistrationStore registrations) =>
        (this.table, this.versions, this.registrations) = (table, versions, registrations);

    /// <summary>Notes that a version uses some bytes.</summary>
    public async Task AddAsync(ContentUse use, CancellationToken ct = default)
    {
        var row = Rows.New(Keys.ContentUse(use.Digest, use.Adapter, use.Number));
        row["Adapter"] = use.Adapter.ToString();
        row["Number"] = use.Number;
        row["Owner"] = use.Owner;
        row["Private"] = use.Private;
        await table.PutAsync(row, ct);
    }

    /// <summary>Notes that a registration of a base model uses some bytes.</summary>
    public async Task AddAsync(Digest digest, string baseModel, int number, CancellationToken ct = default)
    {
        var row = Rows.New(Keys.ContentUse(digest, baseModel, number));
        row["BaseModel"] = baseModel;
        row["Number"] = number;
        await table.PutAsync(row, ct);
    }

    /// <summary>Forgets that a version uses some bytes; when nobody else does, the sweep removes them.</summary>
    internal Task RemoveAsync(Digest digest, AdapterId adapter, int number, CancellationToken ct) => table.DeleteAsync(Keys.ContentUse(digest, adapter, number), ETag.All, ct);

    /// <summary>The published uses of some bytes by adapters.</summary>
    public async IAsyncEnumerable<ContentUse> ListAsync(Digest digest, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken ct = default)
    {
        await foreach (var row in table.QueryAsync(Filter.Partition(digest.Hex), ct))
        {
            if (row.RowKey.StartsWith(Keys.BaseModelUse, StringComparison.Ordinal))
                continue;
            var use = new ContentUse(digest, row.Adapter(), row.Number("Number"), row.Text("Owner"), row.Flag("Private"));
            if (await versions.GetAsync(use.Adapter, use.Number, ct) is { } version && version.Files.Any(f => f.Digest == digest))
                yield return use;
        }
    }

    /// <summary>Whether any published version, or any registration of a base model, uses the bytes.</summary>
    public async Task<bool> IsUsedAsync(Digest digest, CancellationToken ct = default)
    {
        await foreach (var _ in ListAsync(digest, ct))
            return true;
        await foreach (var row in table.QueryAsync(Filter.Partition(digest.Hex), ct))
        {
            if (row.RowKey.StartsWith(Keys.BaseModelUse, StringComparison.Ordinal)
                && await registrations.GetAsync(row.Text("BaseModel"), row.Number("Number"), ct) is { } model && model.Files.Any(f => f.Digest == digest))
                return true;
        }

        return false;
    }
}
