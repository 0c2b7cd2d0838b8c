using System.Collections.Immutable;
using Azure;
using Azure.Data.Tables;
using Marketplace.Core;

namespace Marketplace.Storage;

/// <summary>A version in another form, such as at a smaller rank, under a commit id of its own.</summary>
/// <param name="Adapter">The adapter.</param>
/// <param name="Commit">Id of the manifest over its files upon the version.</param>
/// <param name="Number">The version's number.</param>
/// <param name="VersionId">The version's id.</param>
/// <param name="Name">Which form: <c>rank8</c>, <c>serving</c>.</param>
/// <param name="Files">All files, in ordinal order of their paths.</param>
/// <param name="Derived">Those that are no files of the version, and where they are.</param>
/// <param name="CreatedAt">When somebody first asked for it.</param>
public sealed record VariantRecord(
    AdapterId Adapter, string Commit, int Number, string VersionId, string Name, ImmutableArray<ManifestFile> Files, ImmutableArray<VariantFile> Derived, DateTimeOffset CreatedAt);

/// <summary>A file among derived data.</summary>
/// <param name="Path">Its path in the revision.</param>
/// <param name="Weights">The weights it was derived from.</param>
/// <param name="Analysis">By what.</param>
/// <param name="Name">Its name there.</param>
public sealed record VariantFile(string Path, Digest Weights, string Analysis, string Name);

/// <summary>
/// Variants by adapter and commit id, so that who was told the id finds what it stands for. Partition: the adapter. Rows never change: the id says which files they are.
/// </summary>
public sealed class VariantStore
{
    private readonly Table table;

    internal VariantStore(Table table) => this.table = table;

    /// <summary>The variant with that id, or null.</summary>
    public async Task<VariantRecord?> GetAsync(AdapterId adapter, string commit, CancellationToken ct = default) =>
        GitBlobHash.IsValid(commit) && await table.GetAsync(Keys.Variant(adapter, commit), ct) is { } row ? Read(row) : null;

    /// <summary>Makes sure that a variant is found by its id.</summary>
    public Task AddAsync(VariantRecord variant, CancellationToken ct = default) => table.AddAsync(Write(variant), ct);

    /// <summary>Forgets the variants of an adapter's versions up to a number.</summary>
    public async Task RemoveThroughAsync(AdapterId adapter, int number, CancellationToken ct = default)
    {
        await foreach (var row in table.QueryAsync(Filter.All(Filter.Partition(Keys.Adapter(adapter)), Filter.Of($"Number le {number}")), ct))
            await table.DeleteAsync(row.Key(), ETag.All, ct);
    }

    private static TableEntity Write(VariantRecord variant)
    {
        var row = Rows.New(Keys.Variant(variant.Adapter, variant.Commit));
        row["Adapter"] = variant.Adapter.ToString();
        row["Number"] = variant.Number;
        row["VersionId"] = variant.VersionId;
        row["Name"] = variant.Name;
        row.SetValue("Files", variant.Files.ToArray());
        row.SetValue("Derived", variant.Derived.ToArray());
        row["CreatedAt"] = variant.CreatedAt;
        return row;
    }

    private static VariantRecord Read(TableEntity row) => new(
        row.Adapter(), row.RowKey, row.Number("Number"), row.Text("VersionId"), row.Text("Name"),
        [.. row.Value<ManifestFile[]>("Files") ?? []], [.. row.Value<VariantFile[]>("Derived") ?? []], row.Time("CreatedAt"));
}
