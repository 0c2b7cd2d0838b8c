namespace Marketplace.Storage;

/// <summary>What happened, day by day; each day is spread over several partitions.</summary>
public sealed class AuditLog
{
    private readonly Table table;

    internal AuditLog(Table table) => this.table = table;

    /// <summary>Notes an event. With a key, writing the same event again changes nothing.</summary>
    public async Task WriteAsync(AuditEvent audit, string? key = null, CancellationToken ct = default)
    {
        var row = Rows.New(Keys.Audit(audit.At, key is null ? Keys.NewId() : Keys.Hash(key)[..32]));
        row["At"] = audit.At;
        row["Actor"] = audit.Actor;
        row["Action"] = audit.Action;
        row["Subject"] = audit.Subject;
        row.SetLong("Detail", audit.Detail);
        await table.AddAsync(row, ct);
    }

    /// <summary>The events of a day (UTC) in order of time.</summary>
    public async Task<IReadOnlyList<AuditEvent>> ListAsync(DateOnly day, CancellationToken ct = default)
    {
        var events = new List<AuditEvent>();
        for (var part = 0; part < Keys.AuditSpread; part++)
        {
            await foreach (var row in table.QueryAsync(Filter.Partition(Keys.Audit(day, part)), ct))
                events.Add(new(row.Time("At"), row.Text("Actor"), row.Text("Action"), row.Text("Subject"), row.GetLong("Detail")));
        }
        return [.. events.OrderBy(e => e.At)];
    }
}
