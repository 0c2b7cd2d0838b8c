using System.Runtime.CompilerServices;
using Azure;
using Azure.Data.Tables;
using Marketplace.Core;

namespace Marketplace.Storage;

/// <summary>The member rows of libraries. Partition: the base model. They follow the adapters' rows, and may lag behind them.</summary>
internal sealed class LibraryMembers(Table table)
{
    public async Task PutAsync(LibraryMember member, CancellationToken ct)
    {
        while (true)
        {
            var present = await table.GetAsync(Keys.Member(member.BaseModel, member.Adapter), ct);
            if (present is null)
            {
                if (await table.AddAsync(Write(member), ct) is not null)
                    return;
            }
            else if (present.Number("VersionNumber") > member.Version.Number
                || await table.UpdateAsync(Write(member), present.ETag, ct) == UpdateResult.Updated)
            {
                return;
            }
        }
    }

    public Task RemoveAsync(string baseModel, AdapterId adapter, CancellationToken ct) =>
        table.DeleteAsync(Keys.Member(baseModel, adapter), ETag.All, ct);

    /// <summary>Removes a row that one of an adapter's versions up to a number wrote.</summary>
    public async Task RemoveThroughAsync(string baseModel, AdapterId adapter, int through, CancellationToken ct)
    {
        while (await table.GetAsync(Keys.Member(baseModel, adapter), ct) is { } row && row.Number("VersionNumber") <= through)
        {
            if (await table.DeleteAsync(row.Key(), row.ETag, ct) != UpdateResult.Conflict)
                return;
        }
    }

    public async IAsyncEnumerable<(Key Key, LibraryMember Member)> ScanAsync(
        string baseModel, Caller caller, Key? after, int? pageSize, [EnumeratorCancellation] CancellationToken ct)
    {
        var visible = caller.IsAdmin ? null
            : caller.Owner is { } owner ? Filter.Of($"Private eq {false} or Owner eq {Keys.Lower(owner)}")
            : Filter.Of($"Private eq {false}");
        var filter = Filter.All(Filter.Partition(Keys.Model(baseModel)), after is { } key ? Filter.After(key) : null, visible);
        await foreach (var row in table.QueryAsync(filter, ct, pageSize))
            yield return (row.Key(), Read(row));
    }

    /// <summary>The rows written after a moment, all of them if there is none, each with the service's timestamp.</summary>
    public async IAsyncEnumerable<(string Row, DateTimeOffset Written, LibraryMember Member)> ChangedAsync(
        string baseModel, DateTimeOffset? after, [EnumeratorCancellation] CancellationToken ct)
    {
        var filter = Filter.All(Filter.Partition(Keys.Model(baseModel)), after is { } moment ? Filter.Of($"Timestamp gt {moment}") : null);
        await foreach (var row in table.QueryAsync(filter, ct))
            yield return (row.RowKey, row.Timestamp ?? default, Read(row));
    }

    private static TableEntity Write(LibraryMember member)
    {
        var row = Rows.New(Keys.Member(member.BaseModel, member.Adapter));
        row["BaseModel"] = member.BaseModel;
        row["Adapter"] = member.Adapter.ToString();
        row["Owner"] = Keys.Lower(member.Adapter.Owner);
        row["Private"] = member.Private;
        row["VersionNumber"] = member.Version.Number;
        row["VersionId"] = member.Version.Id;
        row["Weights"] = member.Weights.Hex;
        row["Config"] = member.Config.Hex;
        return row;
    }

    private static LibraryMember Read(TableEntity row) => new(
        row.Text("BaseModel"), row.Adapter(), row.Flag("Private"), new VersionPointer(row.Number("VersionNumber"), row.Text("VersionId")),
        Digest.Parse(row.Text("Weights")), Digest.Parse(row.Text("Config")));
}
