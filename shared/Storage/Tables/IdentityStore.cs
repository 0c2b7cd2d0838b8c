using Azure;
using Azure.Data.Tables;

namespace Marketplace.Storage;

/// <summary>Somebody or something in an Entra tenant: a person, a service principal or a managed identity.</summary>
/// <param name="TenantId">The tenant.</param>
/// <param name="ObjectId">Its object id there.</param>
public sealed record Identity(string TenantId, string ObjectId);

/// <summary>An identity that acts as an account.</summary>
/// <param name="Identity">The identity.</param>
/// <param name="Owner">The account.</param>
/// <param name="BoundBy">The admin's account.</param>
/// <param name="BoundAt">When.</param>
public sealed record BoundIdentity(Identity Identity, string Owner, string BoundBy, DateTimeOffset BoundAt);

/// <summary>
/// Which account an identity acts as: one row for each identity, so that it is never two accounts. An account may have many; they are found by a scan, since only admins list them.
/// </summary>
public sealed class IdentityStore
{
    private readonly Table table;
    private readonly TimeProvider clock;

    internal IdentityStore(Table table, TimeProvider clock) => (this.table, this.clock) = (table, clock);

    /// <summary>The account of an identity; null if it has none.</summary>
    public async Task<BoundIdentity?> FindAsync(Identity identity, CancellationToken ct = default) =>
        await table.GetAsync(Keys.Identity(identity), ct) is { } row ? Read(row) : null;

    /// <summary>Binds an identity that has no account; returns how it is bound then, which may be to another account.</summary>
    public async Task<BoundIdentity> BindAsync(Identity identity, string owner, string boundBy, CancellationToken ct = default)
    {
        while (true)
        {
            await table.AddAsync(Write(new(identity, owner, boundBy, clock.GetUtcNow())), ct);
            if (await FindAsync(identity, ct) is { } bound)
                return bound;
        }
    }

    /// <summary>Takes an identity from an account; false if it is not bound to that one.</summary>
    public async Task<bool> UnbindAsync(Identity identity, string owner, CancellationToken ct = default)
    {
        while (await table.GetAsync(Keys.Identity(identity), ct) is { } row && string.Equals(Read(row).Owner, owner, StringComparison.OrdinalIgnoreCase))
        {
            if (await table.DeleteAsync(row.Key(), row.ETag, ct) == UpdateResult.Updated)
                return true;
        }

        return false;
    }

    /// <summary>The identities of an account, oldest first.</summary>
    public async Task<IReadOnlyList<BoundIdentity>> ListAsync(string owner, CancellationToken ct = default)
    {
        var bound = new List<BoundIdentity>();
        await foreach (var row in table.QueryAsync(Filter.Of($"Account eq {Keys.Lower(owner)}"), ct))
            bound.Add(Read(row));
        return [.. bound.OrderBy(b => b.BoundAt).ThenBy(b => b.Identity.ObjectId, StringComparer.Ordinal)];
    }

    private static TableEntity Write(BoundIdentity bound)
    {
        var row = Rows.New(Keys.Identity(bound.Identity));
        row["TenantId"] = bound.Identity.TenantId;
        row["ObjectId"] = bound.Identity.ObjectId;
        row["Owner"] = bound.Owner;
        row["Account"] = Keys.Lower(bound.Owner);
        row["BoundBy"] = bound.BoundBy;
        row["BoundAt"] = bound.BoundAt;
        return row;
    }

    private static BoundIdentity Read(TableEntity row) => new(
        new(row.Text("TenantId"), row.Text("ObjectId")), row.Text("Owner"), row.Text("BoundBy"), row.Time("BoundAt"));
}
