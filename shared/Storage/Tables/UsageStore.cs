using System.Runtime.CompilerServices;
using Azure;
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

/// <summary>An account's use of the marketplace, as one look finds it.</summary>
/// <param name="Published">What it has published.</param>
/// <param name="Uploads">Its uploads of adapters that are open or in validation.</param>
/// <param name="UploadBytes">The bytes that they announced.</param>
/// <param name="Quotas">What it may have.</param>
/// <param name="Set">What an admin has set for it.</param>
public sealed record AccountUsage(Usage Published, int Uploads, long UploadBytes, Quotas Quotas, QuotaOverrides Set);

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

    /// <summary>What the account has and may have.</summary>
    public async Task<AccountUsage> GetAsync(string owner, CancellationToken ct = default) => (await LookAsync(owner, ct)).Account;

    /// <summary>What the account may have.</summary>
    public async Task<Quotas> QuotasAsync(string owner, CancellationToken ct = default) => ReadQuota(await table.GetAsync(Keys.UsageQuota(owner), ct)).Over(quotas);

    /// <summary>Sets what the account may have, in place of what was set before.</summary>
    public async Task SetQuotaAsync(string owner, QuotaOverrides overrides, CancellationToken ct = default)
    {
        var row = Rows.New(Keys.UsageQuota(owner));
        row.SetValue("Quota", overrides);
        await table.PutAsync(row, ct);
    }

    /// <summary>Charges a version that is about to be published, and with the first one its adapter; says why if there is no room.</summary>
    public async Task<QuotaExcess?> ChargeAsync(VersionRecord version, CancellationToken ct = default) =>
        await ChargeAsync(version.Adapter.Owner, ChargesOf(version), limited: true, ct, instead: Keys.UsageDraft(version.Adapter));

    /// <summary>Charges the bytes of a version of a set that is about to be published; says why if there is no room.</summary>
    public async Task<QuotaExcess?> ChargeSetAsync(AdapterId set, Digest digest, long bytes, CancellationToken ct = default) =>
        await ChargeAsync(set.Owner, [ChargeOf(set, digest, bytes)], limited: true, ct);

    /// <summary>
    /// Charges a repository for a draft, in place of the one before it; says why if there is no room. Of two that are written at once the last charge stays, until the recount sees which draft does.
    /// </summary>
    public async Task<QuotaExcess?> ChargeDraftAsync(AdapterId repository, long bytes, CancellationToken ct = default)
    {
        var (owner, key, amount) = (repository.Owner, Keys.UsageDraft(repository), new Usage(bytes, 0, 0));
        while (true)
        {
            var present = await table.GetAsync(key, ct);
            if (present is not null && Read(present) == amount)
                return null;
            var (account, total) = await LookAsync(owner, ct);
            var before = present is null ? default : Read(present);
            if (Excess(owner, account.Quotas, account.Published - before, amount) is { } excess && amount.Bytes > before.Bytes)
                return excess;
            var row = present is null
                ? new TableTransactionAction(TableTransactionActionType.Add, Write(key, amount))
                : new TableTransactionAction(TableTransactionActionType.UpdateReplace, Write(key, amount), present.ETag);
            if (await table.TransactAsync([row, Total(owner, total, account.Published - before + amount)], ct))
                return null;
        }
    }

    /// <summary>Bytes that a repository is charged for its draft.</summary>
    public async Task<long> DraftBytesAsync(AdapterId repository, CancellationToken ct = default) => await table.GetAsync(Keys.UsageDraft(repository), ct) is { } row ? Read(row).Bytes : 0;

    /// <summary>Gives back what a draft was charged.</summary>
    public Task ReleaseDraftAsync(AdapterId repository, CancellationToken ct = default) => RefundAsync(repository.Owner, Keys.UsageDraft(repository), ct);

    /// <summary>Gives back what a deleted set was charged.</summary>
    public async Task ReleaseSetAsync(AdapterId set, CancellationToken ct = default)
    {
        var prefix = Keys.UsageSet(set, Digest.Of([])).Row[..^64];
        await foreach (var row in table.QueryAsync(Range(set.Owner, prefix), ct))
            await RefundAsync(set.Owner, row.Key(), ct);
    }

    /// <summary>Gives back what a version of a deleted adapter was charged.</summary>
    internal Task ReleaseAsync(VersionRecord version, CancellationToken ct) => RefundAsync(version.Adapter.Owner, Keys.UsageVersion(version.Adapter, version.UploadId), ct);

    /// <summary>Gives back what a deleted adapter was charged beside its versions.</summary>
    internal Task ReleaseAsync(AdapterId adapter, CancellationToken ct) => RefundAsync(adapter.Owner, Keys.UsageAdapter(adapter), ct);

    /// <summary>Notes an upload as begun.</summary>
    internal Task BeginAsync(UploadRecord upload, CancellationToken ct)
    {
        var row = Rows.New(Keys.UsageUpload(upload.Owner, upload.Id));
        row["Bytes"] = upload.Files.Sum(f => f.Size);
        row["At"] = clock.GetUtcNow();
        return table.PutAsync(row, ct);
    }

    /// <summary>Notes that an upload is over.</summary>
    internal Task EndAsync(string owner, string uploadId, CancellationToken ct) => table.DeleteAsync(Keys.UsageUpload(owner, uploadId), ETag.All, ct);

    /// <summary>The uploads that are noted, and since when.</summary>
    internal async IAsyncEnumerable<(string Id, DateTimeOffset At)> ListUploadsAsync(string owner, [EnumeratorCancellation] CancellationToken ct)
    {
        await foreach (var row in table.QueryAsync(Range(owner, Keys.UsageUploads), ct))
            yield return (row.RowKey[Keys.UsageUploads.Length..], row.Time("At"));
    }

    /// <summary>The accounts that are charged for something.</summary>
    internal async IAsyncEnumerable<string> ListOwnersAsync([EnumeratorCancellation] CancellationToken ct)
    {
        await foreach (var row in table.QueryAsync(Filter.Of($"RowKey eq {Keys.UsageTotal("").Row}"), ct))
            yield return row.PartitionKey;
    }

    /// <summary>
    /// Charges what is published and was not charged, and gives back what was charged before <paramref name="before"/> and is not published; returns how many charges that concerned.
    /// </summary>
    internal async Task<int> AgreeAsync(
        string owner, IReadOnlyList<VersionRecord> versions, IReadOnlyList<(AdapterId Set, EvaluationSetVersion Version)> sets, IReadOnlyList<RepositoryRecord> drafts, DateTimeOffset before,
        CancellationToken ct)
    {
        var wanted = versions.SelectMany(ChargesOf).Concat(sets.Select(s => ChargeOf(s.Set, s.Version.Digest, s.Version.Bytes))).Concat(drafts.Select(ChargeOf))
            .DistinctBy(c => c.Key).ToDictionary(c => c.Key);
        var (present, changed) = (new HashSet<Key>(), 0);
        await foreach (var row in table.QueryAsync(Filter.Partition(Keys.Usage(owner)), ct))
        {
            if (row.RowKey.StartsWith(Keys.UsageHead, StringComparison.Ordinal))
                continue;
            present.Add(row.Key());
            if ((wanted.TryGetValue(row.Key(), out var charge) && charge.Amount == Read(row)) || row.Time("At") >= before)
                continue;
            // A draft's charge changes with the draft.
            present.Remove(row.Key());
            await RefundAsync(owner, row.Key(), ct);
            changed++;
        }

        foreach (var charge in wanted.Values.Where(c => !present.Contains(c.Key)))
        {
            await ChargeAsync(owner, [charge], limited: false, ct);
            changed++;
        }

        return changed;
    }

    private async Task<(AccountUsage Account, TableEntity? Total)> LookAsync(string owner, CancellationToken ct)
    {
        var (total, quota, uploads, bytes) = (default(TableEntity), default(TableEntity), 0, 0L);
        await foreach (var row in table.QueryAsync(Range(owner, Keys.UsageHead), ct))
        {
            if (row.RowKey == Keys.UsageTotal(owner).Row)
                total = row;
            else if (row.RowKey == Keys.UsageQuota(owner).Row)
                quota = row;
            else
                (uploads, bytes) = (uploads + 1, bytes + (row.GetInt64("Bytes") ?? 0));
        }

        var set = ReadQuota(quota);
        return (new(total is null ? default : Read(total), uploads, bytes, set.Over(quotas), set), total);
    }

    private static string Range(string owner, string prefix) =>
        Filter.All(Filter.Partition(Keys.Usage(owner)), Filter.Of($"RowKey ge {prefix} and RowKey lt {prefix + "~"}"));

    private static Charge[] ChargesOf(VersionRecord version) =>
    [
        new(Keys.UsageAdapter(version.Adapter), new Usage(0, 1, 0)),
        new(Keys.UsageVersion(version.Adapter, version.UploadId), new Usage(version.Files.Sum(f => f.Size), 0, 0)),
    ];

    private static Charge ChargeOf(RepositoryRecord repository) => new(Keys.UsageDraft(repository.Id), new Usage(repository.Draft?.Files.Sum(f => f.Size) ?? 0, 0, 0));

    private static Charge ChargeOf(AdapterId set, Digest digest, long bytes) => new(Keys.UsageSet(set, digest), new Usage(0, 0, bytes));

    // Where there is no room, that of the draft which becomes the version is given up for it; otherwise it is released when the draft is over.
    private async Task<QuotaExcess?> ChargeAsync(string owner, IReadOnlyList<Charge> charges, bool limited, CancellationToken ct, Key? instead = null)
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
            var (account, total) = await LookAsync(owner, ct);
            var (used, asked) = (account.Published, missing.Aggregate(default(Usage), (sum, c) => sum + c.Amount));
            var rows = missing.Select(c => new TableTransactionAction(TableTransactionActionType.Add, Write(c.Key, c.Amount))).ToList();
            if (limited && Excess(owner, account.Quotas, used, asked) is { } excess)
            {
                if (instead is not { } key || await table.GetAsync(key, ct) is not { } draft || Excess(owner, account.Quotas, used - Read(draft), asked) is not null)
                    return excess;
                rows.Add(new(TableTransactionActionType.Delete, draft, draft.ETag));
                used -= Read(draft);
            }

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

    private static QuotaOverrides ReadQuota(TableEntity? row) => row?.Value<QuotaOverrides>("Quota") ?? new();

    private static Usage Read(TableEntity row) => new(row.GetInt64("Bytes") ?? 0, row.Number("Adapters"), row.GetInt64("EvaluationSetBytes") ?? 0);
}
