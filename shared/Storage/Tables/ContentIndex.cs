using Azure;
using Marketplace.Core;

namespace Marketplace.Storage;

/// <summary>
/// Which versions, which registrations of base models, and which repositories by what is no version yet, use which bytes. A row is written before its version's row, so a version's bytes are always found here; a row whose
/// version does not exist, or has other files, is left over from a publish that never finished.
/// </summary>
public sealed class ContentIndex
{
    private readonly Table table;
    private readonly VersionStore versions;
    private readonly RegistrationStore registrations;
    private readonly RepositoryStore repositories;
    private readonly UploadStore uploads;

    internal ContentIndex(Table table, VersionStore versions, RegistrationStore registrations, RepositoryStore repositories, UploadStore uploads) =>
        (this.table, this.versions, this.registrations, this.repositories, this.uploads) = (table, versions, registrations, repositories, uploads);

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

    /// <summary>Notes that a repository's draft, or the commit that is being checked, uses some bytes.</summary>
    public Task AddAsync(Digest digest, AdapterId repository, CancellationToken ct = default)
    {
        var row = Rows.New(Keys.ContentUse(digest, repository));
        row["Adapter"] = repository.ToString();
        return table.PutAsync(row, ct);
    }

    /// <summary>Forgets that a version uses some bytes; when nobody else does, the sweep removes them.</summary>
    internal Task RemoveAsync(Digest digest, AdapterId adapter, int number, CancellationToken ct) => table.DeleteAsync(Keys.ContentUse(digest, adapter, number), ETag.All, ct);

    /// <summary>The published uses of some bytes by adapters.</summary>
    public IAsyncEnumerable<ContentUse> ListAsync(Digest digest, CancellationToken ct = default) => ListAsync(Filter.Partition(digest.Hex), digest, ct);

    /// <summary>
    /// The published uses by adapters that the caller may see, as far as the rows know: privacy is that of the version's first day, so that who gets one has to look at the adapter itself. What is private to
    /// others is not read, and takes no time.
    /// </summary>
    public IAsyncEnumerable<ContentUse> ListAsync(Digest digest, Caller caller, CancellationToken ct = default) => ListAsync(
        Filter.All(
            Filter.Partition(digest.Hex),
            caller.IsAdmin ? null : caller.Owner is { } owner ? Filter.Of($"Private eq {false} or Owner eq {owner}") : Filter.Of($"Private eq {false}")),
        digest, ct);

    private async IAsyncEnumerable<ContentUse> ListAsync(string filter, Digest digest, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken ct)
    {
        await foreach (var row in table.QueryAsync(filter, ct))
        {
            if (row.RowKey.StartsWith(Keys.BaseModelUse, StringComparison.Ordinal) || row.RowKey.StartsWith(Keys.RepositoryUse, StringComparison.Ordinal))
                continue;
            var use = new ContentUse(digest, row.Adapter(), row.Number("Number"), row.Text("Owner"), row.Flag("Private"));
            if (await versions.GetAsync(use.Adapter, use.Number, ct) is { } version && version.Files.Any(f => f.Digest == digest))
                yield return use;
        }
    }

    /// <summary>Whether any published version, any registration of a base model, or what was committed and is no version yet, uses the bytes.</summary>
    public async Task<bool> IsUsedAsync(Digest digest, CancellationToken ct = default)
    {
        await foreach (var _ in ListAsync(digest, ct))
            return true;
        await foreach (var row in table.QueryAsync(Filter.Partition(digest.Hex), ct))
        {
            if (row.RowKey.StartsWith(Keys.BaseModelUse, StringComparison.Ordinal)
                && await registrations.GetAsync(row.Text("BaseModel"), row.Number("Number"), ct) is { } model && model.Files.Any(f => f.Digest == digest))
                return true;
            if (row.RowKey.StartsWith(Keys.RepositoryUse, StringComparison.Ordinal) && await repositories.GetAsync(row.Adapter(), ct) is { } repository && await UsesAsync(repository, digest, ct))
                return true;
        }

        return false;
    }

    private async Task<bool> UsesAsync(RepositoryRecord repository, Digest digest, CancellationToken ct) =>
        (repository.Draft is { } draft && draft.Files.Any(f => f.Digest == digest))
        || (repository.Pending is { } pending && await uploads.GetAsync(pending.UploadId, ct) is { } upload
            && (upload.State is UploadState.Open or UploadState.Queued || upload.CanBeRetried) && upload.Files.Any(f => f.Stored && f.Sha256 == digest));
}
