using System.Runtime.CompilerServices;
using Azure.Data.Tables;
using Marketplace.Core;

namespace Marketplace.Storage;

/// <summary>
/// Uploads by id: 32 random hexadecimal digits, spread over 256 partitions. Those of adapters that are not over are noted as used by their owner, before the row is written and until after
/// it has changed, so that none is missing there; one too many is found out when it matters.
/// </summary>
public sealed class UploadStore
{
    private readonly Table table;
    private readonly UsageStore usage;

    internal UploadStore(Table table, UsageStore usage) => (this.table, this.usage) = (table, usage);

    /// <summary>A new id that nobody can guess.</summary>
    public static string NewId() => Keys.NewId();

    /// <summary>The upload with that id, or null.</summary>
    public async Task<UploadRecord?> GetAsync(string id, CancellationToken ct = default) =>
        IsId(id) && await table.GetAsync(Keys.Upload(id), ct) is { } row ? Read(row) : null;

    /// <summary>Records a new upload.</summary>
    public async Task<AddResult> AddAsync(UploadRecord upload, CancellationToken ct = default)
    {
        if (IsPending(upload))
            await usage.BeginAsync(upload, ct);
        return await table.AddAsync(Write(upload), ct) is null ? AddResult.AlreadyExists : AddResult.Added;
    }

    /// <summary>Replaces the upload's row if nobody has written it since it was read.</summary>
    public async Task<UpdateResult> UpdateAsync(UploadRecord upload, CancellationToken ct = default)
    {
        var result = await table.UpdateAsync(Write(upload), upload.ETag, ct);
        if (result == UpdateResult.Updated && upload.Kind == UploadKind.Adapter && !IsPending(upload))
            await usage.EndAsync(upload.Owner, upload.Id, ct);
        return result;
    }

    /// <summary>Forgets what a process that died left noted of an account's uploads that are over. Noted after <paramref name="before"/>, a missing upload may be about to be written.</summary>
    public async Task TidyAsync(string owner, DateTimeOffset before, CancellationToken ct = default)
    {
        await foreach (var (id, notedAt) in usage.ListUploadsAsync(owner, ct))
        {
            var upload = await GetAsync(id, ct);
            if (upload is null ? notedAt < before : !IsPending(upload))
                await usage.EndAsync(owner, id, ct);
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
