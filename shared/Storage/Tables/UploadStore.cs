using System.Runtime.CompilerServices;
using Azure;
using Azure.Data.Tables;
using Marketplace.Core;

namespace Marketplace.Storage;

/// <summary>
/// Uploads by id: 32 random hexadecimal digits, spread over 256 partitions. Those of adapters that are not over have a second row under their owner, written before the first and
/// deleted after it has changed, so that none is missing there; one too many is found out when it matters.
/// </summary>
public sealed class UploadStore
{
    private readonly Table table;

    internal UploadStore(Table table) => this.table = table;

    /// <summary>A new id that nobody can guess.</summary>
    public static string NewId() => Keys.NewId();

    /// <summary>The upload with that id, or null.</summary>
    public async Task<UploadRecord?> GetAsync(string id, CancellationToken ct = default) =>
        IsId(id) && await table.GetAsync(Keys.Upload(id), ct) is { } row ? Read(row) : null;

    /// <summary>Records a new upload.</summary>
    public async Task<AddResult> AddAsync(UploadRecord upload, CancellationToken ct = default)
    {
        if (IsPending(upload))
        {
            var pending = Rows.New(Keys.UploadOf(upload.Owner, upload.Id));
            pending["Bytes"] = upload.Files.Sum(f => f.Size);
            await table.AddAsync(pending, ct);
        }

        return await table.AddAsync(Write(upload), ct) is null ? AddResult.AlreadyExists : AddResult.Added;
    }

    /// <summary>Replaces the upload's row if nobody has written it since it was read.</summary>
    public async Task<UpdateResult> UpdateAsync(UploadRecord upload, CancellationToken ct = default)
    {
        var result = await table.UpdateAsync(Write(upload), upload.ETag, ct);
        if (result == UpdateResult.Updated && upload.Kind == UploadKind.Adapter && !IsPending(upload))
            await table.DeleteAsync(Keys.UploadOf(upload.Owner, upload.Id), ETag.All, ct);
        return result;
    }

    /// <summary>How many uploads of adapters an account has open or in validation, and the bytes that they announced.</summary>
    public async Task<(int Count, long Bytes)> PendingAsync(string owner, CancellationToken ct = default)
    {
        var (count, bytes) = (0, 0L);
        await foreach (var row in table.QueryAsync(Filter.Partition(Keys.UploadsOf(owner)), ct))
            (count, bytes) = (count + 1, bytes + (row.GetInt64("Bytes") ?? 0));
        return (count, bytes);
    }

    /// <summary>Deletes what a process that died left of an account's uploads that are over. Younger than <paramref name="before"/>, a missing upload may be about to be written.</summary>
    public async Task TidyPendingAsync(string owner, DateTimeOffset before, CancellationToken ct = default)
    {
        await foreach (var row in table.QueryAsync(Filter.Partition(Keys.UploadsOf(owner)), ct))
        {
            var upload = await GetAsync(row.RowKey, ct);
            if (upload is null ? row.Timestamp < before : !IsPending(upload))
                await table.DeleteAsync(row.Key(), ETag.All, ct);
        }
    }

    /// <summary>Uploads that are still in a state although their time is over.</summary>
    public async IAsyncEnumerable<UploadRecord> ListOverdueAsync(UploadState state, DateTimeOffset now, [EnumeratorCancellation] CancellationToken ct = default)
    {
        await foreach (var row in table.QueryAsync(Filter.Of($"State eq {state.ToString()} and ExpiresAt lt {now}"), ct))
            yield return Read(row);
    }

    /// <summary>Uploads of all accounts begun since a moment that failed. Reads the whole table, for operators.</summary>
    public async IAsyncEnumerable<UploadRecord> ListFailedAsync(DateTimeOffset since, [EnumeratorCancellation] CancellationToken ct = default)
    {
        await foreach (var row in table.QueryAsync(Filter.Of($"State eq {UploadState.Failed.ToString()} and CreatedAt gt {since}"), ct))
            yield return Read(row);
    }

    private static bool IsPending(UploadRecord upload) => upload is { Kind: UploadKind.Adapter, State: UploadState.Open or UploadState.Queued };

    private static bool IsId(string? id) => id is { Length: 32 } && id.All(char.IsAsciiHexDigitLower);

    private static TableEntity Write(UploadRecord upload)
    {
        var row = Rows.New(Keys.Upload(upload.Id));
        row["Id"] = upload.Id;
        row["Adapter"] = upload.Adapter.ToString();
        row["Owner"] = upload.Owner;
        row["Private"] = upload.Private;
        row["State"] = upload.State.ToString();
        row.SetValue("Files", upload.Files.ToArray());
        row["ExpectedParent"] = upload.ExpectedParent;
        row.SetLong("Message", upload.Message);
        row["CreatedAt"] = upload.CreatedAt;
        row["ExpiresAt"] = upload.ExpiresAt;
        row["VersionNumber"] = upload.Version?.Number;
        row["VersionId"] = upload.Version?.Id;
        row["Kind"] = upload.Kind.ToString();
        row["FailureCode"] = upload.FailureCode;
        row.SetLong("FailureMessage", upload.FailureMessage);
        return row;
    }

    private static UploadRecord Read(TableEntity row) => new(
        row.Text("Id"), row.Adapter(), row.Text("Owner"), row.Flag("Private"), row.Enum<UploadState>("State"),
        [.. row.Value<UploadFileSpec[]>("Files") ?? []], row.GetString("ExpectedParent"), row.GetLong("Message"), row.Time("CreatedAt"),
        row.Time("ExpiresAt"), row.GetInt32("VersionNumber") is { } number ? new VersionPointer(number, row.Text("VersionId")) : null,
        row.GetString("FailureCode"), row.GetLong("FailureMessage"), row.ETag,
        row.GetString("Kind") is null ? UploadKind.Adapter : row.Enum<UploadKind>("Kind"));
}
