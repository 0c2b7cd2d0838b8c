namespace Marketplace.Storage;

/// <summary>Who asks. Anonymous callers have neither owner nor scope.</summary>
public sealed record Caller(string? Owner, KeyScope? Scope)
{
    /// <summary>A caller without a key.</summary>
    public static Caller Anonymous { get; } = new(null, null);

    /// <summary>Whether the caller sees and manages everything.</summary>
    public bool IsAdmin => Scope == KeyScope.Admin;

    /// <summary>Whether the caller is the account <paramref name="owner"/>.</summary>
    public bool Is(string? owner) => Owner is not null && string.Equals(Owner, owner, StringComparison.OrdinalIgnoreCase);

    /// <summary>Whether the caller's key includes <paramref name="scope"/>.</summary>
    public bool Has(KeyScope scope) => Scope >= scope;

    /// <summary>Whether something of <paramref name="owner"/> exists for the caller.</summary>
    public bool CanSee(string owner, bool isPrivate) => !isPrivate || IsAdmin || Is(owner);

    /// <summary>Whether the adapter exists for the caller: one that is down does for nobody.</summary>
    public bool CanSee(AdapterRecord adapter) => adapter.Takedown is null && MayKnow(adapter);

    /// <summary>Whether the caller may be told of the adapter, be it that it is down.</summary>
    public bool MayKnow(AdapterRecord adapter) => adapter.Deletion is null && CanSee(adapter.Id.Owner, adapter.Private);

    /// <summary>How the caller proved who it is, for the audit: <c>key:ID</c>, or an identity; null if it did not.</summary>
    public string? Via { get; init; }
}
