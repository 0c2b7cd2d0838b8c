using Azure.Data.Tables;
using Marketplace.Core;
using Marketplace.Core.Methods;

namespace Marketplace.Storage;

/// <summary>What became of a wish for a subspace.</summary>
public abstract record AllocateOutcome
{
    private AllocateOutcome()
    {
    }

    /// <summary>It belongs to the adapter, from now on or since earlier.</summary>
    public sealed record Allocated(Subspace Subspace) : AllocateOutcome;

    /// <summary>Fewer vectors are left than the rank asks for.</summary>
    public sealed record Exhausted(int Free) : AllocateOutcome;

    /// <summary>The adapter already has a subspace at this module, of another rank.</summary>
    public sealed record OtherRank(int Rank) : AllocateOutcome;
}

/// <summary>
/// Which vectors of a module's orthogonal basis belong to which adapter: a counter for each base model, module and input size, and a row for each adapter. The
/// counter moves on under its ETag before the adapter's row is written, create-only; a crash between the two costs the vectors, which nobody gets then.
/// </summary>
public sealed class SubspaceStore
{
    private readonly Table table;

    internal SubspaceStore(Table table) => this.table = table;

    /// <summary>Vectors that are left at a module.</summary>
    public async Task<int> FreeAsync(string baseModel, string module, int size, CancellationToken ct = default) =>
        size - ((await table.GetAsync(Keys.SubspaceCounter(baseModel, module, size), ct))?.Number("Used") ?? 0);

    /// <summary>The subspace that an adapter has, or null.</summary>
    public async Task<Subspace?> FindAsync(string baseModel, AdapterId adapter, string module, int size, CancellationToken ct = default) =>
        await table.GetAsync(Keys.SubspaceOf(baseModel, module, size, adapter), ct) is { } row ? Read(row) : null;

    /// <summary>Gives an adapter a subspace, once: asked again, it is the same.</summary>
    public async Task<AllocateOutcome> AllocateAsync(
        string baseModel, AdapterId adapter, string module, int size, int rank, CancellationToken ct = default)
    {
        if (await FindAsync(baseModel, adapter, module, size, ct) is { } earlier)
            return Outcome(earlier, rank);
        Subspace? subspace;
        while (true) // whoever loses the race for the counter sees it moved on, so this ends
        {
            var counter = await CounterAsync(baseModel, module, size, ct);
            var allocator = new SubspaceAllocator(module, size, counter.Enum<OrthogonalBasisKind>("Basis"), (ulong)counter.GetInt64("Seed")!, counter.Number("Used"));
            if (!allocator.TryAllocate(rank, out subspace, out var next))
                return new AllocateOutcome.Exhausted(allocator.Free);
            counter["Used"] = next.Used;
            if (await table.UpdateAsync(counter, counter.ETag, ct) == UpdateResult.Updated)
                break;
        }

        var row = Rows.New(Keys.SubspaceOf(baseModel, module, size, adapter));
        row["Adapter"] = adapter.ToString();
        row.SetLong("Module", module);
        row["In"] = size;
        row["Basis"] = subspace.Basis.ToString();
        row["Seed"] = (long)subspace.Seed;
        row["First"] = subspace.Columns[0];
        row["Rank"] = rank;
        return await table.AddAsync(row, ct) is not null
            ? new AllocateOutcome.Allocated(subspace)
            : Outcome((await FindAsync(baseModel, adapter, module, size, ct))!, rank); // another request for the same adapter was quicker
    }

    private async Task<TableEntity> CounterAsync(string baseModel, string module, int size, CancellationToken ct)
    {
        var key = Keys.SubspaceCounter(baseModel, module, size);
        if (await table.GetAsync(key, ct) is { } found)
            return found;
        // 32 bits, which every reader of JSON takes.
        var fresh = SubspaceAllocator.For(module, size, Convert.ToUInt32(Keys.Hash(Keys.Model(baseModel))[..8], 16));
        var row = Rows.New(key);
        row["Basis"] = fresh.Basis.ToString();
        row["Seed"] = (long)fresh.Seed;
        row["Used"] = fresh.Used;
        await table.AddAsync(row, ct);
        return (await table.GetAsync(key, ct))!;
    }

    private static AllocateOutcome Outcome(Subspace subspace, int rank) =>
        subspace.Columns.Length == rank ? new AllocateOutcome.Allocated(subspace) : new AllocateOutcome.OtherRank(subspace.Columns.Length);

    private static Subspace Read(TableEntity row) => new(
        row.GetLong("Module") ?? "", row.Number("In"), row.Enum<OrthogonalBasisKind>("Basis"), (ulong)row.GetInt64("Seed")!,
        [.. Enumerable.Range(row.Number("First"), row.Number("Rank"))]);
}
