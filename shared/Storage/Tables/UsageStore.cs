using System.Runtime.CompilerServices;
using Azure.Data.Tables;
using Marketplace.Core;

namespace Marketplace.Storage;

/// <summary>What an account has published.</summary>
/// <param name="Bytes">Bytes of all versions.</param>
/// <param name="Adapters">Adapters.</param>
/// <param name="EvaluationSetBytes">Bytes of evaluation sets.</param>
public readonly record struct Usage(long Bytes, int Adapters, long EvaluationSetBytes)
{
    /// <summary>Both together.</summary>
    public static Usage operator +(Usage a, Usage b) => new(a.Bytes + b.Bytes, a.Adapters + b.Adapters, a.EvaluationSetBytes + b.EvaluationSetBytes);

    /// <summary>What is left of the first.</summary>
    public static Usage operator -(Usage a, Usage b) => new(a.Bytes - b.Bytes, a.Adapters - b.Adapters, a.EvaluationSetBytes - b.EvaluationSetBytes);
}

/// <summary>
/// What accounts are charged. An account's partition has a row for each thing it is charged for (a version by its upload or job, an adapter, a set's bytes) and one with their total; both
/// change in one transaction. So a charge may be repeated, by anybody, after any crash, and counts once; two at a time can't both take the last room. A charge comes before what it is
/// for; one whose version never came is given back by <see cref="UsageRecount"/>.
/// </summary>
public sealed class UsageStore
{
    private readonly Table table;
    private readonly Quotas quotas;
    private readonly TimeProvider clock;

    internal UsageStore(Table table, Quotas quotas, TimeProvider clock) => (this.table, this.quotas, this.clock) = (table, quotas, clock);

    private readonly record struct Charge(Key Key, Usage Amount);

    /// <summary>What the account has.</summary>
    public async Task<Usage> GetAsync(string owner, CancellationToken ct = default) =>
        await table.GetAsync(Keys.UsageTotal(owner), ct) is { } row ? Read(row) : default;

    /// <summary>What the account may have.</summary>
    public async Task<Quotas> QuotasAsync(string owner, CancellationToken ct = default) => (await OverridesAsync(owner, ct)).Over(quotas);

    /// <summary>What an admin has set for the account.</summary>
    public async Task<QuotaOverrides> OverridesAsync(string owner, CancellationToken ct = default) =>
        await table.GetAsync(Keys.UsageQuota(owner), ct) is { } row ? row.Value<QuotaOverrides>("Quota") ?? new() : new();

    /// <summary>Sets what the account may have, in place of what was set before.</summary>
    public async Task SetQuotaAsync(string owner, QuotaOverrides overrides, CancellationToken ct = default)
    {
        var row = Rows.New(Keys.UsageQuota(owner));
        row.SetValue("Quota", overrides);
        await table.PutAsync(row, ct);
    }

    /// <summary>Charges a version that is about to be published, and with the first one its adapter; says why if there is no room.</summary>
    public async Task<QuotaExcess?> ChargeAsync(VersionRecord version, CancellationToken ct = default) =>
        await ChargeAsync(version.Adapter.Owner, ChargesOf(version), await QuotasAsync(version.Adapter.Owner, ct), ct);

    /// <summary>Charges the bytes of a version of a set that is about to be published; says why if there is no room.</summary>
    public async Task<QuotaExcess?> ChargeSetAsync(AdapterId set, Digest digest, long bytes, CancellationToken ct = default) =>
        await ChargeAsync(set.Owner, [ChargeOf(set, digest, bytes)], await QuotasAsync(set.Owner, ct), ct);

    /// <summary>Gives back what a deleted set was charged.</summary>
    public async Task ReleaseSetAsync(AdapterId set, CancellationToken ct = default)
    {
        var prefix = Keys.UsageSet(set, Digest.Of([])).Row[..^64];
        await foreach (var row in table.QueryAsync(Filter.All(Filter.Partition(Keys.Usage(set.Owner)), Filter.Of($"RowKey ge {prefix} and RowKey lt {prefix + "~"}")), ct))
            await RefundAsync(set.Owner, row.Key(), ct);
    }

    /// <summary>The accounts that are charged for something.</summary>
    internal async IAsyncEnumerable<string> ListOwnersAsync([EnumeratorCancellation] CancellationToken ct)
    {
        await foreach (var row in table.QueryAsync(Filter.Of($"RowKey eq {Keys.UsageTotal("").Row}"), ct))
            yield return row.PartitionKey;
    }

    /// <summary>Charges what is published and was not charged, and gives back what was charged before <paramref name="before"/> and is not published.</summary>
    internal async Task AgreeAsync(
        string owner, IReadOnlyList<VersionRecord> versions, IReadOnlyList<(AdapterId Set, EvaluationSetVersion Version)> sets, DateTimeOffset before, CancellationToken ct)
    {
        var wanted = versions.SelectMany(ChargesOf).Concat(sets.Select(s => ChargeOf(s.Set, s.Version.Digest, s.Version.Bytes))).DistinctBy(c => c.Key).ToDictionary(c => c.Key);
        var present = new HashSet<Key>();
        await foreach (var row in table.QueryAsync(Filter.Partition(Keys.Usage(owner)), ct))
        {
            if (row.RowKey == Keys.UsageTotal(owner).Row || row.RowKey == Keys.UsageQuota(owner).Row)
                continue;
            present.Add(row.Key());
            if (!wanted.ContainsKey(row.Key()) && row.Time("At") < before)
                await RefundAsync(owner, row.Key(), ct);
        }

        foreach (var charge in wanted.Values.Where(c => !present.Contains(c.Key)))
            await ChargeAsync(owner, [charge], null, ct);
    }

    private static Charge[] ChargesOf(VersionRecord version) =>
    [
        new(Keys.UsageAdapter(version.Adapter), new Usage(0, 1, 0)),
        new(Keys.UsageVersion(version.Adapter, version.UploadId), new Usage(version.Files.Sum(f => f.Size), 0, 0)),
    ];

    private static Charge ChargeOf(AdapterId set, Digest digest, long bytes) => new(Keys.UsageSet(set, digest), new Usage(0, 0, bytes));

    private async Task<QuotaExcess?> ChargeAsync(string owner, IReadOnlyList<Charge> charges, Quotas? limits, CancellationToken ct)
    {
        while (true)
        {
            var missing = new List<Charge>(charges.Count);
            foreach (var charge in charges)
            {
                if (await table.GetAsync(charge.Key, ct) is null)
                    missing.Add(charge);
            }

            if (missing.Count == 0)
                return null;
            var total = await table.GetAsync(Keys.UsageTotal(owner), ct);
            var used = total is null ? default : Read(total);
            var asked = missing.Aggregate(default(Usage), (sum, c) => sum + c.Amount);
            if (limits is not null && Excess(owner, limits, used, asked) is { } excess)
                return excess;
            var rows = missing.Select(c => new TableTransactionAction(TableTransactionActionType.Add, Write(c.Key, c.Amount)));
            if (await table.TransactAsync([.. rows, Total(owner, total, used + asked)], ct))
                return null;
        }
    }

    private async Task RefundAsync(string owner, Key key, CancellationToken ct)
    {
        while (await table.GetAsync(key, ct) is { } row && await table.GetAsync(Keys.UsageTotal(owner), ct) is { } total)
        {
            if (await table.TransactAsync(
                [new(TableTransactionActionType.Delete, row, row.ETag), Total(owner, total, Read(total) - Read(row))], ct))
            {
                return;
            }
        }
    }

    private TableTransactionAction Total(string owner, TableEntity? before, Usage now) => before is null
        ? new(TableTransactionActionType.Add, Write(Keys.UsageTotal(owner), now))
        : new(TableTransactionActionType.UpdateReplace, Write(Keys.UsageTotal(owner), now), before.ETag);

    private static QuotaExcess? Excess(string owner, Quotas limits, Usage used, Usage asked) =>
        asked.Bytes > 0 && used.Bytes + asked.Bytes > limits.Bytes ? new(owner, "bytes", limits.Bytes, used.Bytes, asked.Bytes)
        : asked.Adapters > 0 && used.Adapters + asked.Adapters > limits.Adapters ? new(owner, "adapters", limits.Adapters, used.Adapters, asked.Adapters)
        : asked.EvaluationSetBytes > 0 && used.EvaluationSetBytes + asked.EvaluationSetBytes > limits.EvaluationSetBytes
            ? new(owner, "bytes of evaluation sets", limits.EvaluationSetBytes, used.EvaluationSetBytes, asked.EvaluationSetBytes)
        : null;

    private TableEntity Write(Key key, Usage usage)
    {
        var row = Rows.New(key);
        row["Bytes"] = usage.Bytes;
        row["Adapters"] = usage.Adapters;
        row["EvaluationSetBytes"] = usage.EvaluationSetBytes;
        row["At"] = clock.GetUtcNow();
        return row;
    }

    private static Usage Read(TableEntity row) => new(row.GetInt64("Bytes") ?? 0, row.Number("Adapters"), row.GetInt64("EvaluationSetBytes") ?? 0);
}
