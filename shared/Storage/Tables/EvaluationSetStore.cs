using System.Collections.Immutable;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text.Json;
using Azure;
using Azure.Data.Tables;
using Marketplace.Core;
using Marketplace.Core.Api;
using Marketplace.Core.Evaluation;

namespace Marketplace.Storage;

/// <summary>
/// Evaluation sets. Order of a publish: the canonical bytes as content, a row that says who uses them, the version's row, which is the commit (storage arbitrates
/// who gets a number), then the set's row, which alone says who may see it. Every step may be repeated; publishing the bytes of the newest version again gives that version.
/// </summary>
public sealed class EvaluationSetStore
{
    private readonly Table sets;
    private readonly Table versions;
    private readonly ContentStore content;
    private readonly TimeProvider clock;

    internal EvaluationSetStore(Table sets, Table versions, ContentStore content, TimeProvider clock) =>
        (this.sets, this.versions, this.content, this.clock) = (sets, versions, content, clock);

    /// <summary>Publishes a version and returns it.</summary>
    /// <param name="id">The set's name.</param>
    /// <param name="set">The set.</param>
    /// <param name="isPrivate">Whether only the owner may see it; counts for the first version.</param>
    /// <param name="publishedBy">The account.</param>
    /// <param name="message">A line about the version.</param>
    /// <param name="ct">Stops.</param>
    public async Task<(EvaluationSetRecord Set, EvaluationSetVersion Version)> PublishAsync(
        AdapterId id, EvaluationSet set, bool isPrivate, string publishedBy, string? message = null, CancellationToken ct = default)
    {
        await content.PutAsync(set.Digest, set.Bytes, ct);
        while (true)
        {
            var head = await NewestAsync(id, ct);
            if (head?.Digest == set.Digest)
                return (await AdvanceAsync(id, head, isPrivate, ct), head);
            var version = new EvaluationSetVersion((head?.Number ?? 0) + 1, set.Digest, set.Header, set.Items.Length, set.Bytes.Length, clock.GetUtcNow(), publishedBy, message);
            await versions.PutAsync(Rows.New(Keys.EvaluationSetUse(set.Digest, id, version.Number)), ct);
            if (await versions.AddAsync(Write(id, version), ct) is not null)
                return (await AdvanceAsync(id, version, isPrivate, ct), version);
        }
    }

    /// <summary>The set of that name; null if there is none. Says nothing about who may see it.</summary>
    public async Task<EvaluationSetRecord?> GetAsync(AdapterId id, CancellationToken ct = default) =>
        await sets.GetAsync(Keys.AdapterRow(id), ct) is { } row ? Read(row) : null;

    /// <summary>The set, as far as it exists for the caller.</summary>
    public async Task<EvaluationSetRecord?> GetAsync(AdapterId id, Caller caller, CancellationToken ct = default) =>
        await GetAsync(id, ct) is { Main: not null } set && caller.CanSee(set.Id.Owner, set.Private) ? set : null;

    /// <summary>The version that <c>main</c>, a number or a digest names; null if none has that name. Says nothing about who may see it.</summary>
    public async Task<EvaluationSetVersion?> ResolveAsync(AdapterId id, string revision, CancellationToken ct = default)
    {
        if (revision == "main")
            return (await GetAsync(id, ct))?.Main;
        if (int.TryParse(revision, NumberStyles.None, CultureInfo.InvariantCulture, out var number))
            return number > 0 && await versions.GetAsync(Keys.Version(id, number), ct) is { } row ? ReadVersion(row) : null;
        return Digest.TryParse(revision, out var digest) ? (await ListVersionsAsync(id, ct)).FirstOrDefault(v => v.Digest == digest) : null;
    }

    /// <summary>All versions, newest first.</summary>
    public async Task<IReadOnlyList<EvaluationSetVersion>> ListVersionsAsync(AdapterId id, CancellationToken ct = default)
    {
        var found = new List<EvaluationSetVersion>();
        await foreach (var row in versions.QueryAsync(Filter.Partition(Keys.Adapter(id)), ct))
            found.Add(ReadVersion(row));
        return found;
    }

    /// <summary>All versions of all sets of an account.</summary>
    internal async IAsyncEnumerable<(AdapterId Set, EvaluationSetVersion Version)> ListOwnedAsync(string owner, [EnumeratorCancellation] CancellationToken ct)
    {
        var (from, to) = Keys.PartitionsOf(owner);
        await foreach (var row in versions.QueryAsync(Filter.Of($"PartitionKey ge {from} and PartitionKey lt {to}"), ct))
            yield return (AdapterId.Parse(row.PartitionKey.Replace('|', '/')), ReadVersion(row));
    }

    /// <summary>A page of the listed sets that exist for the caller, by name; with the caller's own unlisted ones. Null if <paramref name="after"/> is no continuation.</summary>
    /// <param name="caller">Who asks.</param>
    /// <param name="owner">Only this account's.</param>
    /// <param name="after">The continuation of the page before.</param>
    /// <param name="limit">Most sets on the page.</param>
    /// <param name="ct">Stops.</param>
    public async Task<Page<EvaluationSetRecord>?> ListAsync(Caller caller, string? owner, string? after, int limit, CancellationToken ct = default)
    {
        var from = after is null ? null : Continuation.Decode(after);
        if (after is not null && from is null)
            return null;
        var mine = caller.Owner is { } name ? Filter.Of($" or PartitionKey eq {Keys.Lower(name)}") : "";
        var filter = Filter.All(
            owner is null ? null : Filter.Partition(Keys.Lower(owner)), from is { } key ? Filter.After(key) : null,
            caller.IsAdmin ? null : Filter.Of($"(Private eq {false} and Listed eq {true})") + mine, Filter.Of($"Number ge {1}"));
        var items = ImmutableArray.CreateBuilder<EvaluationSetRecord>();
        await foreach (var row in sets.QueryAsync(filter, ct, Math.Min(limit + 1, 1000)))
        {
            // Reached only when the caller can see one more row.
            if (items.Count == limit)
                return new(items.ToImmutable(), Continuation.Encode(new Key(Keys.Lower(items[^1].Id.Owner), Keys.Lower(items[^1].Id.Name))));
            items.Add(Read(row));
        }

        return new(items.ToImmutable(), null);
    }

    /// <summary>Hides a set from lists or shows it again; null if there is none.</summary>
    public async Task<EvaluationSetRecord?> SetListedAsync(AdapterId id, bool listed, CancellationToken ct = default)
    {
        while (await GetAsync(id, ct) is { } set)
        {
            var changed = set with { Listed = listed, UpdatedAt = clock.GetUtcNow() };
            if (await sets.UpdateAsync(Write(changed), set.ETag, ct) == UpdateResult.Updated)
                return changed;
        }

        return null;
    }

    /// <summary>The set's bytes, parsed.</summary>
    /// <exception cref="FileNotFoundException">They are not stored.</exception>
    public async Task<EvaluationSet> ReadAsync(Digest digest, CancellationToken ct = default)
    {
        using var bytes = new MemoryStream();
        await using (var stream = await content.OpenReadAsync(digest, ct))
            await stream.CopyToAsync(bytes, ct);
        var stored = bytes.GetBuffer().AsMemory(0, (int)bytes.Length);
        return Digest.Of(stored.Span) == digest && EvaluationSetReader.TryRead(stored, out var set, out _)
            ? set : throw new InvalidDataException($"The content {digest} is no evaluation set.");
    }

    /// <summary>An address from which anybody can read a version's items until it expires.</summary>
    public Task<Uri> SignedReadUriAsync(Digest digest, string fileName, TimeSpan lifetime, CancellationToken ct = default) =>
        content.SignedReadUriAsync(digest, fileName, lifetime, ct);

    /// <summary>
    /// Deletes a set with its versions: first nobody but its owner sees it, its own row goes last, so that a deletion that broke off can be asked for again. The bytes are the
    /// sweep's; results are deleted before by <see cref="EvaluationResultStore.DeleteAllAsync"/>. False if there is none.
    /// </summary>
    internal async Task<bool> DeleteAsync(AdapterId id, CancellationToken ct)
    {
        foreach (var version in await ListVersionsAsync(id, ct))
        {
            await versions.DeleteAsync(Keys.Version(id, version.Number), ETag.All, ct);
            await versions.DeleteAsync(Keys.EvaluationSetUse(version.Digest, id, version.Number), ETag.All, ct);
        }

        return await sets.DeleteAsync(Keys.AdapterRow(id), ETag.All, ct) == UpdateResult.Updated;
    }

    /// <summary>Makes a set private and unlisted for its deletion; false if there is none.</summary>
    internal async Task<bool> HideAsync(AdapterId id, CancellationToken ct)
    {
        while (await GetAsync(id, ct) is { } set)
        {
            if (await sets.UpdateAsync(Write(set with { Private = true, Listed = false }), set.ETag, ct) == UpdateResult.Updated)
                return true;
        }

        return false;
    }

    /// <summary>Whether a version uses these bytes. Its use row is written before the version, so a use without version is a publish that never finished, or has not yet.</summary>
    internal async Task<bool> IsUsedAsync(Digest digest, CancellationToken ct)
    {
        await foreach (var row in versions.QueryAsync(Filter.Partition(Keys.EvaluationSetUses(digest)), ct))
        {
            if (await versions.GetAsync(Keys.EvaluationSetVersionOf(row.RowKey), ct) is { } version && version.Text("Digest") == digest.Hex)
                return true;
        }

        return false;
    }

    private async Task<EvaluationSetVersion?> NewestAsync(AdapterId id, CancellationToken ct)
    {
        await foreach (var row in versions.QueryAsync(Filter.Partition(Keys.Adapter(id)), ct, pageSize: 1))
            return ReadVersion(row);
        return null;
    }

    /// <summary>Moves the set's pointer to the version unless it is there or beyond; the first one to get here creates the set.</summary>
    private async Task<EvaluationSetRecord> AdvanceAsync(AdapterId id, EvaluationSetVersion version, bool isPrivate, CancellationToken ct)
    {
        while (true)
        {
            var now = clock.GetUtcNow();
            if (await GetAsync(id, ct) is not { } present)
            {
                if (await sets.AddAsync(Write(new(id, isPrivate, true, version, now, now, default)), ct) is null)
                    continue;
            }
            else if (present.Main?.Number >= version.Number)
            {
                return present;
            }
            else if (await sets.UpdateAsync(Write(present with { Main = version, UpdatedAt = now }), present.ETag, ct) != UpdateResult.Updated)
            {
                continue;
            }
        }
    }

    private static TableEntity Write(EvaluationSetRecord set)
    {
        var row = Rows.New(Keys.AdapterRow(set.Id));
        row["Id"] = set.Id.ToString();
        row["Private"] = set.Private;
        row["Listed"] = set.Listed;
        row["SetCreatedAt"] = set.CreatedAt;
        row["UpdatedAt"] = set.UpdatedAt;
        if (set.Main is { } main)
            Write(row, main);
        return row;
    }

    private static TableEntity Write(AdapterId id, EvaluationSetVersion version)
    {
        var row = Rows.New(Keys.Version(id, version.Number));
        Write(row, version);
        return row;
    }

    private static void Write(TableEntity row, EvaluationSetVersion version)
    {
        row["Number"] = version.Number;
        row["Digest"] = version.Digest.Hex;
        row.SetLong("Header", JsonSerializer.Serialize(version.Header, ApiJson.Options));
        row["Items"] = version.Items;
        row["Bytes"] = version.Bytes;
        row["CreatedAt"] = version.CreatedAt;
        row["PublishedBy"] = version.PublishedBy;
        row.SetLong("Message", version.Message);
    }

    private static EvaluationSetRecord Read(TableEntity row) => new(
        row.Adapter("Id"), row.Flag("Private"), row.Flag("Listed"), row.Number("Number") > 0 ? ReadVersion(row) : null, row.Time("SetCreatedAt"),
        row.Time("UpdatedAt"), row.ETag);

    private static EvaluationSetVersion ReadVersion(TableEntity row) => new(
        row.Number("Number"), Digest.Parse(row.Text("Digest")), JsonSerializer.Deserialize<EvaluationSetHeader>(row.GetLong("Header")!, ApiJson.Options)!, row.Number("Items"),
        row.GetInt64("Bytes") ?? 0, row.Time("CreatedAt"), row.Text("PublishedBy"), row.GetLong("Message"));
}
