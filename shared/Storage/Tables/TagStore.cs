using Azure;
using Marketplace.Core;

namespace Marketplace.Storage;

/// <summary>Names that an owner gives to versions. A tag is set once; to move it, delete it first.</summary>
public sealed class TagStore
{
    private readonly Table table;

    internal TagStore(Table table) => this.table = table;

    /// <summary>Letters, digits, <c>.</c>, <c>_</c> and <c>-</c>, at most 100, and nothing that names a version already.</summary>
    public static bool IsValid(string tag) =>
        tag is { Length: > 0 and <= 100 } && tag is not ("main" or "HEAD") && tag.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-')
        && !(tag.StartsWith('v') ? tag[1..] : tag).All(char.IsAsciiDigit)
        && !(tag.Length == 40 && tag.All(char.IsAsciiHexDigitLower));

    /// <summary>Sets a tag that does not exist.</summary>
    public async Task<AddResult> AddAsync(AdapterId adapter, string tag, int number, CancellationToken ct = default)
    {
        var row = Rows.New(Keys.Tag(adapter, tag));
        row["Number"] = number;
        return await table.AddAsync(row, ct) is null ? AddResult.AlreadyExists : AddResult.Added;
    }

    /// <summary>The number of the version that a tag names, or null.</summary>
    public async Task<int?> GetAsync(AdapterId adapter, string tag, CancellationToken ct = default) =>
        IsValid(tag) ? (await table.GetAsync(Keys.Tag(adapter, tag), ct))?.Number("Number") : null;

    /// <summary>All tags of an adapter and the numbers they name.</summary>
    public async Task<IReadOnlyDictionary<string, int>> ListAsync(AdapterId adapter, CancellationToken ct = default)
    {
        var tags = new SortedDictionary<string, int>(StringComparer.Ordinal);
        await foreach (var row in table.QueryAsync(Filter.Partition(Keys.Adapter(adapter)), ct))
            tags[row.RowKey] = row.Number("Number");
        return tags;
    }

    /// <summary>Removes the tags of versions up to a number.</summary>
    internal async Task RemoveThroughAsync(AdapterId adapter, int through, CancellationToken ct)
    {
        await foreach (var row in table.QueryAsync(Filter.All(Filter.Partition(Keys.Adapter(adapter)), Filter.Of($"Number le {through}")), ct))
            await table.DeleteAsync(row.Key(), row.ETag, ct);
    }

    /// <summary>Removes a tag; false if there is none.</summary>
    public async Task<bool> DeleteAsync(AdapterId adapter, string tag, CancellationToken ct = default) =>
        IsValid(tag) && await table.DeleteAsync(Keys.Tag(adapter, tag), ETag.All, ct) == UpdateResult.Updated;
}
