using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using System.Text;
using Azure.Data.Tables;
using Marketplace.Core;

namespace Marketplace.Storage;

/// <summary>Which adapters to list.</summary>
public sealed record AdapterQuery
{
    /// <summary>Who asks; adapters that don't exist for the caller are never read.</summary>
    public Caller Caller { get; init; } = Caller.Anonymous;

    /// <summary>Only this account's adapters.</summary>
    public string? Owner { get; init; }

    /// <summary>Only the library of this canonical base model.</summary>
    public string? BaseModel { get; init; }

    /// <summary>Words that must all occur in the name or the base model's spelling.</summary>
    public string? Text { get; init; }

    /// <summary>Tags that the adapter must have, all of them, as <see cref="AdapterTags"/> gives them.</summary>
    public ImmutableArray<string> Tags { get; init; } = [];

    /// <summary>Whether the caller's own unlisted adapters appear; an administrator's query shows everybody's.</summary>
    public bool IncludeUnlisted { get; init; }

    /// <summary>Whether those of the caller's own appear that are down; an administrator's query shows everybody's. They are in no library.</summary>
    public bool IncludeTakenDown { get; init; }

    /// <summary>The continuation of the page before.</summary>
    public string? After { get; init; }

    /// <summary>Most items on the page.</summary>
    public int Limit { get; init; } = 50;
}

/// <summary>Adapters by name, each with its pointer to the main version. Partition: the owner.</summary>
public sealed class AdapterStore
{
    /// <summary>Most rows that one call looks at when few of them match; the page then ends early, with a continuation.</summary>
    public const int MaxScanned = 1000;

    private readonly Table table;
    private readonly LibraryMembers members;
    private readonly RecentReads<AdapterRecord> recent;

    internal AdapterStore(Table table, LibraryMembers members, TimeProvider clock)
    {
        (this.table, this.members, recent) = (table, members, new(clock));
        table.Written += recent.Forget;
    }

    /// <summary>The adapter of that name; null if there is none, or it was deleted. Says nothing about who may see it.</summary>
    public async Task<AdapterRecord?> GetAsync(AdapterId id, CancellationToken ct = default) => await GetRowAsync(id, ct) is { Deletion: null } adapter ? adapter : null;

    /// <summary>The adapter that a version of that number belongs to; null if that one was deleted, whatever has its name now.</summary>
    public async Task<AdapterRecord?> GetAsync(AdapterId id, int number, CancellationToken ct = default) =>
        await GetRowAsync(id, ct) is { } adapter && adapter.Has(number) ? adapter : null;

    /// <summary>The row of that name, also that of a deleted adapter.</summary>
    internal async Task<AdapterRecord?> GetRowAsync(AdapterId id, CancellationToken ct) => await table.GetAsync(Keys.AdapterRow(id), ct) is { } row ? Read(row) : null;

    /// <summary>
    /// The adapter as it was at most a second ago, and never as it was before a write of this process: for reading routes that are asked often. Whoever decides about a write reads with <see cref="GetAsync"/>.
    /// </summary>
    public Task<AdapterRecord?> RecentAsync(AdapterId id, CancellationToken ct = default) =>
        recent.GetAsync(Keys.AdapterRow(id), () => GetAsync(id), keepAbsence: true, ct);

    /// <summary>Takes a name, if nobody has it in any spelling.</summary>
    public async Task<AddResult> CreateAsync(AdapterRecord adapter, CancellationToken ct = default) =>
        await table.AddAsync(Write(adapter), ct) is null ? AddResult.AlreadyExists : AddResult.Added;

    /// <summary>Replaces the adapter's row if nobody has written it since it was read.</summary>
    public Task<UpdateResult> UpdateAsync(AdapterRecord adapter, CancellationToken ct = default) =>
        table.UpdateAsync(Write(adapter), adapter.ETag, ct);

    /// <summary>A page of adapters in order of their names; null if <see cref="AdapterQuery.After"/> is no continuation of such a list.</summary>
    public async Task<Page<AdapterRecord>?> ListAsync(AdapterQuery query, CancellationToken ct = default)
    {
        var after = query.After is null ? null : Continuation.Decode(query.After);
        var partition = query.BaseModel is { } model ? Keys.Model(model) : query.Owner is { } owner ? Keys.Lower(owner) : null;
        if (query.After is not null && (after is null || (partition is not null && after.Value.Partition != partition)))
            return null;

        var items = ImmutableArray.CreateBuilder<AdapterRecord>();
        var (scanned, last) = (0, default(Key));
        var rows = query.BaseModel is null ? ScanAsync(query, after, ct) : ScanLibraryAsync(query, after, ct);
        await foreach (var (key, adapter) in rows)
        {
            // Reached only when the caller can see one more row: whether there is a next page tells nothing about others' adapters.
            if (items.Count == query.Limit || scanned == MaxScanned)
                return new Page<AdapterRecord>(items.ToImmutable(), Continuation.Encode(last));
            (scanned, last) = (scanned + 1, key);
            if (adapter is not null && Matches(adapter, query))
                items.Add(adapter);
        }
        return new Page<AdapterRecord>(items.ToImmutable(), null);
    }

    /// <summary>The adapters whose configuration spells the base model so, of one account or of all.</summary>
    public async IAsyncEnumerable<AdapterRecord> ListBySpellingAsync(string spelling, string? owner, [EnumeratorCancellation] CancellationToken ct = default)
    {
        var filter = Filter.All(owner is null ? null : Filter.Partition(Keys.Lower(owner)), Filter.Of($"Spelling eq {SpellingKey(spelling)}"));
        await foreach (var row in table.QueryAsync(filter, ct))
        {
            if (Read(row) is { Deletion: null } adapter)
                yield return adapter;
        }
    }

    /// <summary>All adapters of one account, whoever may see them, and the rows of deleted ones.</summary>
    internal async IAsyncEnumerable<AdapterRecord> ListRowsAsync(string owner, [EnumeratorCancellation] CancellationToken ct)
    {
        await foreach (var row in table.QueryAsync(Filter.Partition(Keys.Lower(owner)), ct))
            yield return Read(row);
    }

    // A digest, because a spelling may be a path of any length.
    private static string SpellingKey(string spelling) => Digest.Of(Encoding.UTF8.GetBytes(BaseModelStore.Normalize(spelling))).Hex;

    private async IAsyncEnumerable<(Key Key, AdapterRecord? Adapter)> ScanAsync(
        AdapterQuery query, Key? after, [EnumeratorCancellation] CancellationToken ct)
    {
        var filter = Filter.All(
            query.Owner is { } owner ? Filter.Partition(Keys.Lower(owner)) : null,
            after is { } key ? Filter.After(key) : null,
            Visible(query.Caller),
            Listed(query));
        await foreach (var row in table.QueryAsync(filter.Length == 0 ? null : filter, ct, PageSize(query)))
        {
            if (Read(row) is { Deletion: null } adapter && (adapter.Takedown is null || (query.IncludeTakenDown && (query.Caller.IsAdmin || query.Caller.Is(adapter.Id.Owner)))))
                yield return (row.Key(), adapter);
        }
    }

    private async IAsyncEnumerable<(Key Key, AdapterRecord? Adapter)> ScanLibraryAsync(
        AdapterQuery query, Key? after, [EnumeratorCancellation] CancellationToken ct)
    {
        await foreach (var (key, member) in members.ScanAsync(query.BaseModel!, query.Caller, after, PageSize(query), ct))
        {
            // The adapter's own row is the truth; a member row may lag behind it.
            var adapter = await GetAsync(member.Adapter, ct);
            if (adapter is not null && query.Caller.CanSee(adapter))
                yield return (key, adapter);
        }
    }

    private static string? Visible(Caller caller) =>
        caller.IsAdmin ? null
        : caller.Owner is { } owner ? Filter.Of($"Private eq {false} or PartitionKey eq {Keys.Lower(owner)}")
        : Filter.Of($"Private eq {false}");

    private static string? Listed(AdapterQuery query) =>
        !query.IncludeUnlisted ? Filter.Of($"Listed eq {true}")
        : query.Caller.IsAdmin ? null
        : query.Caller.Owner is { } owner ? Filter.Of($"Listed eq {true} or PartitionKey eq {Keys.Lower(owner)}")
        : Filter.Of($"Listed eq {true}");

    private static bool Matches(AdapterRecord adapter, AdapterQuery query) =>
        (query.BaseModel is null || (adapter.BaseModel is { } model && Keys.Model(model) == Keys.Model(query.BaseModel)))
        && (query.Owner is null || string.Equals(adapter.Id.Owner, query.Owner, StringComparison.OrdinalIgnoreCase))
        && (adapter.Listed || (query.IncludeUnlisted && (query.Caller.IsAdmin || query.Caller.Is(adapter.Id.Owner))))
        && (query.Tags.IsEmpty || AdapterTags.Of(adapter) is var tags && query.Tags.All(tags.Contains))
        && Words(query.Text).All(word => $"{adapter.Id} {adapter.BaseModelName}".Contains(word, StringComparison.OrdinalIgnoreCase));

    private static string[] Words(string? text) => text?.Split(' ', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries) ?? [];

    private static int PageSize(AdapterQuery query) =>
        query.Text is null && query.Tags.IsEmpty ? Math.Min(query.Limit + 1, MaxScanned) : MaxScanned;

    private static TableEntity Write(AdapterRecord adapter)
    {
        var row = Rows.New(Keys.AdapterRow(adapter.Id));
        row["Adapter"] = adapter.Id.ToString();
        row["Private"] = adapter.Private;
        row["Listed"] = adapter.Listed;
        row["BaseModelName"] = adapter.BaseModelName;
        row["BaseModel"] = adapter.BaseModel;
        row["Spelling"] = SpellingKey(adapter.BaseModelName);
        row["MainNumber"] = adapter.Main?.Number;
        row["MainId"] = adapter.Main?.Id;
        row["CreatedAt"] = adapter.CreatedAt;
        row["UpdatedAt"] = adapter.UpdatedAt;
        row.SetValue("Summary", adapter.Summary);
        row.SetValue("Takedown", adapter.Takedown);
        row.SetValue("Deletion", adapter.Deletion);
        row["DeletedThrough"] = adapter.DeletedThrough;
        row["DeletedAt"] = adapter.DeletedAt;
        return row;
    }

    private static AdapterRecord Read(TableEntity row) => new(
        row.Adapter(), row.Flag("Private"), row.Flag("Listed"), row.Text("BaseModelName"), row.GetString("BaseModel"),
        row.GetInt32("MainNumber") is { } number ? new VersionPointer(number, row.Text("MainId")) : null,
        row.Time("CreatedAt"), row.Time("UpdatedAt"), row.Value<AdapterSummary>("Summary"), row.ETag,
        row.Value<TakedownMark>("Takedown"), row.Value<DeletionMark>("Deletion"), row.Number("DeletedThrough"), row.GetDateTimeOffset("DeletedAt"));
}
