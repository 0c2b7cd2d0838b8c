using Marketplace.Core;

namespace Marketplace.Storage;

/// <summary>
/// Which versions use which bytes. A row is written before its version's row, so a version's bytes are always found here; a row whose
/// version does not exist, or has other files, is left over from a publish that never finished.
/// </summary>
public sealed class ContentIndex
{
    private readonly Table table;
    private readonly VersionStore versions;

    internal ContentIndex(Table table, VersionStore versions) => (this.table, this.versions) = (table, versions);

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

    /// <summary>The published uses of some bytes.</summary>
    public async IAsyncEnumerable<ContentUse> ListAsync(Digest digest, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken ct = default)
    {
        await foreach (var row in table.QueryAsync(Filter.Partition(digest.Hex), ct))
        {
            var use = new ContentUse(digest, row.Adapter(), row.Number("Number"), row.Text("Owner"), row.Flag("Private"));
            if (await versions.GetAsync(use.Adapter, use.Number, ct) is { } version && version.Files.Any(f => f.Digest == digest))
                yield return use;
        }
    }

    /// <summary>Whether any published version uses the bytes.</summary>
    public async Task<bool> IsUsedAsync(Digest digest, CancellationToken ct = default)
    {
        await foreach (var _ in ListAsync(digest, ct))
            return true;
        return false;
    }
}
