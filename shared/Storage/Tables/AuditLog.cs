using System.Globalization;
using Azure.Data.Tables;
using Marketplace.Core;

namespace Marketplace.Storage;

/// <summary>Which events to list.</summary>
public sealed record AuditQuery
{
    /// <summary>Not before this.</summary>
    public required DateTimeOffset From { get; init; }

    /// <summary>Before this.</summary>
    public required DateTimeOffset To { get; init; }

    /// <summary>Only what this account did.</summary>
    public string? Actor { get; init; }

    /// <summary>Only what was done to this.</summary>
    public string? Subject { get; init; }

    /// <summary>Only this.</summary>
    public string? Action { get; init; }

    /// <summary>The continuation of the page before.</summary>
    public string? After { get; init; }

    /// <summary>Most events on the page.</summary>
    public int Limit { get; init; } = 50;
}

/// <summary>
/// What happened, day by day. Each day is spread over several partitions, because everything that is written writes here; within one the newest come first. A list merges the parts.
/// </summary>
public sealed class AuditLog
{
    /// <summary>The actor of what the service does by itself; no account can have this name.</summary>
    public const string Service = "$service";

    /// <summary>Days that one call looks at when few events match; the page then ends early, with a continuation.</summary>
    public const int MaxDays = 31;

    private const int TransactionRows = 100;
    private const string WholeDay = "0"; // before every row

    private readonly Table table;

    internal AuditLog(Table table) => this.table = table;

    /// <summary>Notes an event. With a key, writing the same event of the same moment again changes nothing.</summary>
    public async Task WriteAsync(AuditEvent audit, string? key = null, CancellationToken ct = default)
    {
        var row = Rows.New(Keys.Audit(audit.At, key is null ? Keys.NewId() : Keys.Hash(key)[..32]));
        row["At"] = audit.At;
        row["Actor"] = audit.Actor;
        row["ActorKey"] = Keys.Lower(audit.Actor);
        row["Action"] = audit.Action;
        row["Subject"] = audit.Subject;
        row["SubjectKey"] = Keys.Lower(audit.Subject);
        row.SetLong("Detail", audit.Detail);
        row["Via"] = audit.Via ?? AuditScope.Current?.Via;
        await table.AddAsync(row, ct);
        AuditScope.Current?.Wrote();
    }

    /// <summary>The events of a day (UTC) in order of time.</summary>
    public async Task<IReadOnlyList<AuditEvent>> ListAsync(DateOnly day, CancellationToken ct = default)
    {
        var events = new List<AuditEvent>();
        for (var part = 0; part < Keys.AuditSpread; part++)
        {
            await foreach (var row in table.QueryAsync(Filter.Partition(Keys.Audit(day, part)), ct))
                events.Add(Read(row));
        }
        return [.. events.OrderBy(e => e.At)];
    }

    /// <summary>A page of events, newest first; null if <see cref="AuditQuery.After"/> is no continuation of such a list.</summary>
    public async Task<Page<AuditEvent>?> ListAsync(AuditQuery query, CancellationToken ct = default)
    {
        var (day, after) = (DateOnly.FromDateTime(query.To.UtcDateTime), Keys.AuditBefore(query.To));
        if (query.After is { } continuation)
        {
            if (Continuation.Decode(continuation) is not { } place
                || !DateOnly.TryParseExact(place.Partition, "yyyyMMdd", CultureInfo.InvariantCulture, DateTimeStyles.None, out day))
                return null;
            after = place.Row;
        }

        var first = DateOnly.FromDateTime(query.From.UtcDateTime);
        var found = new List<TableEntity>();
        for (var looked = 0; day >= first; day = day.AddDays(-1), after = WholeDay)
        {
            if (looked++ == MaxDays)
                return Page(found, Keys.Continuation(day, WholeDay));
            found.AddRange(await DayAsync(day, after, query, query.Limit + 1 - found.Count, ct));
            if (found.Count > query.Limit)
                return Page(found[..query.Limit], Keys.Continuation(day, LastOf(found[..query.Limit], day)));
            if (day == DateOnly.MinValue)
                break;
        }

        return Page(found, null);
    }

    /// <summary>Removes the events of days before one; returns how many there were.</summary>
    internal async Task<int> SweepAsync(DateOnly before, CancellationToken ct)
    {
        var (removed, rows) = (0, new List<TableEntity>());
        async Task FlushAsync()
        {
            await table.DeleteAllAsync(rows, ct);
            removed += rows.Count;
            rows.Clear();
        }

        await foreach (var row in table.QueryAsync(Filter.Of($"PartitionKey lt {Keys.AuditDay(before)}"), ct))
        {
            if (rows.Count == TransactionRows || (rows.Count > 0 && rows[0].PartitionKey != row.PartitionKey))
                await FlushAsync();
            rows.Add(row);
        }

        if (rows.Count > 0)
            await FlushAsync();
        return removed;
    }

    // As many of each part as are wanted of all: the newest of them together are the day's.
    private async Task<IEnumerable<TableEntity>> DayAsync(DateOnly day, string after, AuditQuery query, int count, CancellationToken ct)
    {
        var wanted = Filter.All(
            Filter.Of($"RowKey gt {after}"),
            Filter.Of($"RowKey lt {Keys.AuditBefore(query.From)}"),
            query.Actor is { } actor ? Filter.Of($"ActorKey eq {Keys.Lower(actor)}") : null,
            query.Subject is { } subject ? Filter.Of($"SubjectKey eq {Keys.Lower(subject)}") : null,
            query.Action is { } action ? Filter.Of($"Action eq {action}") : null);
        var parts = await Task.WhenAll(Enumerable.Range(0, Keys.AuditSpread).Select(async part =>
        {
            var rows = new List<TableEntity>();
            await foreach (var row in table.QueryAsync(Filter.All(Filter.Partition(Keys.Audit(day, part)), wanted), ct, Math.Min(count, 1000)))
            {
                rows.Add(row);
                if (rows.Count == count)
                    break;
            }

            return rows;
        }));
        return parts.SelectMany(rows => rows).OrderBy(r => r.RowKey, StringComparer.Ordinal).Take(count);
    }

    // Where the page ended, if it ended on that day: it may be full of events of the days after.
    private static string LastOf(List<TableEntity> page, DateOnly day) =>
        page.Count > 0 && page[^1].PartitionKey.StartsWith(Keys.AuditDay(day), StringComparison.Ordinal) ? page[^1].RowKey : WholeDay;

    private static Page<AuditEvent> Page(List<TableEntity> rows, Key? next) =>
        new([.. rows.Select(Read)], next is { } key ? Continuation.Encode(key) : null);

    private static AuditEvent Read(TableEntity row) => new(
        row.Time("At"), row.Text("Actor"), row.Text("Action"), row.Text("Subject"), row.GetLong("Detail"), row.GetString("Via"));
}
