using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using Azure;
using Azure.Data.Tables;
using Marketplace.Core;

namespace Marketplace.Storage;

/// <summary>
/// What the Hub's protocol knows of a repository beyond its published versions: that it was created before its first version, what was committed to it that is no adapter yet, and the commit that is
/// being checked. Strangers are never told of any of it.
/// </summary>
/// <param name="Id">The adapter's name.</param>
/// <param name="Private">The privacy of its first version.</param>
/// <param name="CreatedAt">When it was created.</param>
/// <param name="Draft">Files that are not an adapter yet; null if there are none.</param>
/// <param name="Pending">The commit that is being checked; null if none is.</param>
/// <param name="ETag">Guards updates: commits onto one repository meet here.</param>
/// <param name="ForBaseModel">Whether it is to become a base model, which only an admin can commit.</param>
public sealed record RepositoryRecord(AdapterId Id, bool Private, DateTimeOffset CreatedAt, RepositoryDraft? Draft, PendingCommit? Pending, ETag ETag, bool ForBaseModel = false);

/// <summary>Files committed to a repository that are not an adapter yet, by configuration or weights. Void as soon as the newest version is not <paramref name="Base"/> any more.</summary>
/// <param name="Commit">Id of the state: that of the manifest over its files upon <paramref name="Base"/>.</param>
/// <param name="Base">Id of the newest version when it was begun; null if there was none.</param>
/// <param name="Files">All files, in ordinal order of their paths.</param>
/// <param name="Message">What the last commit said.</param>
/// <param name="At">When that was.</param>
public sealed record RepositoryDraft(string Commit, string? Base, ImmutableArray<ManifestFile> Files, string? Message, DateTimeOffset At);

/// <summary>A commit that goes through validation as an upload.</summary>
/// <param name="Commit">The id that its version will have.</param>
/// <param name="UploadId">The upload.</param>
/// <param name="At">When it was sent.</param>
public sealed record PendingCommit(string Commit, string UploadId, DateTimeOffset At);

/// <summary>Repositories by name. Partition: the owner, as with adapters.</summary>
public sealed class RepositoryStore
{
    private readonly Table table;

    internal RepositoryStore(Table table) => this.table = table;

    /// <summary>The repository; null if nothing but versions is known of it.</summary>
    public async Task<RepositoryRecord?> GetAsync(AdapterId id, CancellationToken ct = default) => await table.GetAsync(Keys.AdapterRow(id), ct) is { } row ? Read(row) : null;

    /// <summary>Records a repository that is not known.</summary>
    public async Task<AddResult> AddAsync(RepositoryRecord repository, CancellationToken ct = default) =>
        await table.AddAsync(Write(repository), ct) is null ? AddResult.AlreadyExists : AddResult.Added;

    /// <summary>All that is recorded of an account's repositories.</summary>
    public async IAsyncEnumerable<RepositoryRecord> ListOwnedAsync(string owner, [EnumeratorCancellation] CancellationToken ct = default)
    {
        await foreach (var row in table.QueryAsync(Filter.Partition(Keys.Lower(owner)), ct))
            yield return Read(row);
    }

    /// <summary>Replaces the row if nobody has written it since it was read.</summary>
    public Task<UpdateResult> UpdateAsync(RepositoryRecord repository, CancellationToken ct = default) => table.UpdateAsync(Write(repository), repository.ETag, ct);

    /// <summary>Forgets the row if nobody has written it since it was read.</summary>
    public Task<UpdateResult> DeleteAsync(RepositoryRecord repository, CancellationToken ct = default) => table.DeleteAsync(Keys.AdapterRow(repository.Id), repository.ETag, ct);

    private static TableEntity Write(RepositoryRecord repository)
    {
        var row = Rows.New(Keys.AdapterRow(repository.Id));
        row["Adapter"] = repository.Id.ToString();
        row["Private"] = repository.Private;
        row["CreatedAt"] = repository.CreatedAt;
        row["ForBaseModel"] = repository.ForBaseModel;
        row.SetValue("Draft", repository.Draft);
        row.SetValue("Pending", repository.Pending);
        return row;
    }

    private static RepositoryRecord Read(TableEntity row) =>
        new(row.Adapter(), row.Flag("Private"), row.Time("CreatedAt"), row.Value<RepositoryDraft>("Draft"), row.Value<PendingCommit>("Pending"), row.ETag,
            row.Flag("ForBaseModel"));
}
