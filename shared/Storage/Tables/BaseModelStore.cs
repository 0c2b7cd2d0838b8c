using System.Collections.Concurrent;
using Azure.Data.Tables;
using Marketplace.Core;

namespace Marketplace.Storage;

/// <summary>
/// Base models by canonical id, and aliases: confirmed statements that some spelling means one of them. An owner's alias counts for that
/// owner's adapters only, so nobody can move another's adapters into a library. Ids are compared without case and shown as the adapter or
/// alias at hand spells them: a spelling common to all would be that of whoever came first, perhaps in private.
/// </summary>
public sealed class BaseModelStore
{
    private const int MaxKnown = 10_000;

    private readonly Table table;
    private readonly TimeProvider clock;

    // Rows of base models are never deleted or changed, and every publish asks for one: what is known need not be asked again.
    private readonly ConcurrentDictionary<string, BaseModelRecord> known = new(StringComparer.Ordinal);

    internal BaseModelStore(Table table, TimeProvider clock) => (this.table, this.clock) = (table, clock);

    /// <summary>Makes sure a base model exists, and returns it under the spelling it first had.</summary>
    /// <exception cref="ArgumentException">The id is no name of a model.</exception>
    public async Task<BaseModelRecord> EnsureAsync(string id, CancellationToken ct = default)
    {
        if (!BaseModelName.TryParse(id, out _))
            throw new ArgumentException($"'{id}' is no name of a base model.", nameof(id));
        var key = Keys.BaseModel(id);
        if (known.TryGetValue(key.Row, out var model))
            return model;
        var row = Rows.New(key);
        row["Id"] = id;
        row["CreatedAt"] = clock.GetUtcNow();
        await table.AddAsync(row, ct);
        if (known.Count >= MaxKnown)
            known.Clear();
        return known[key.Row] = Read((await table.GetAsync(key, ct))!);
    }

    /// <summary>All base models in order of their ids.</summary>
    public async Task<IReadOnlyList<BaseModelRecord>> ListAsync(CancellationToken ct = default)
    {
        var models = new List<BaseModelRecord>();
        await foreach (var row in table.QueryAsync(Filter.Partition(Keys.BaseModel("").Partition), ct))
            models.Add(Read(row));
        return models;
    }

    /// <summary>
    /// The canonical base model that a spelling in an owner's adapter means: by the owner's alias, else by one for everybody, else a
    /// model's name means itself. Null if nothing is known, and then nothing is assumed.
    /// </summary>
    public async Task<string?> ResolveAsync(string spelling, string owner, CancellationToken ct = default)
    {
        var normal = Normalize(spelling);
        if (normal.Length == 0)
            return null;
        var alias = await table.GetAsync(Keys.Alias(owner, normal), ct) ?? await table.GetAsync(Keys.Alias(null, normal), ct);
        if (alias is not null)
            return alias.Text("BaseModel");
        if (!BaseModelName.TryParse(spelling.Trim(), out var name))
            return null;
        return name.Text;
    }

    /// <summary>Records an alias; a later one for the same spelling and owner replaces it.</summary>
    public async Task ConfirmAliasAsync(BaseModelAlias alias, CancellationToken ct = default)
    {
        await EnsureAsync(alias.BaseModel, ct);
        var row = Rows.New(Keys.Alias(alias.Owner, Normalize(alias.Spelling)));
        row.SetLong("Spelling", alias.Spelling);
        row["BaseModel"] = alias.BaseModel;
        row["Owner"] = alias.Owner;
        row["ConfirmedBy"] = alias.ConfirmedBy;
        row["ConfirmedAt"] = alias.ConfirmedAt;
        await table.PutAsync(row, ct);
    }

    /// <summary>The aliases of one account, or with null those for everybody.</summary>
    public async Task<IReadOnlyList<BaseModelAlias>> ListAliasesAsync(string? owner, CancellationToken ct = default)
    {
        var aliases = new List<BaseModelAlias>();
        var (from, to) = Keys.CommonAliases;
        var whose = owner is null ? Filter.Of($"PartitionKey ge {from} and PartitionKey lt {to}") : Filter.Partition(Keys.Aliases(owner));
        await foreach (var row in table.QueryAsync(whose, ct))
        {
            aliases.Add(new(row.GetLong("Spelling") ?? "", row.Text("BaseModel"), row.GetString("Owner"), row.Text("ConfirmedBy"), row.Time("ConfirmedAt")));
        }
        return [.. aliases.OrderBy(a => a.Spelling, StringComparer.Ordinal)];
    }

    /// <summary>Names of models are compared without case, all other spellings exactly.</summary>
    internal static string Normalize(string spelling)
    {
        var trimmed = spelling.Trim();
        return BaseModelName.TryParse(trimmed, out _) ? Keys.Lower(trimmed) : trimmed;
    }

    private static BaseModelRecord Read(TableEntity row) => new(row.Text("Id"), row.Time("CreatedAt"));
}
