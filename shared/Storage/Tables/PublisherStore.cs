using System.Runtime.CompilerServices;

namespace Marketplace.Storage;

/// <summary>The accounts that publish, each under the spelling it first appeared with.</summary>
public sealed class PublisherStore
{
    private readonly Table table;
    private readonly TimeProvider clock;

    internal PublisherStore(Table table, TimeProvider clock) => (this.table, this.clock) = (table, clock);

    /// <summary>Makes sure the account exists, and returns its spelling.</summary>
    public async Task<string> EnsureAsync(string owner, CancellationToken ct = default)
    {
        var row = Rows.New(Keys.Publisher(owner));
        row["Owner"] = owner;
        row["CreatedAt"] = clock.GetUtcNow();
        return await table.AddAsync(row, ct) is null ? await FindAsync(owner, ct) ?? owner : owner;
    }

    /// <summary>The accounts that have published something.</summary>
    public async IAsyncEnumerable<string> ListAsync([EnumeratorCancellation] CancellationToken ct = default)
    {
        await foreach (var row in table.QueryAsync(null, ct))
            yield return row.Text("Owner");
    }

    /// <summary>The account's spelling; null if there is no such account.</summary>
    public async Task<string?> FindAsync(string owner, CancellationToken ct = default) =>
        (await table.GetAsync(Keys.Publisher(owner), ct))?.Text("Owner");
}
