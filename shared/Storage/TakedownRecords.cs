using System.Collections.Immutable;
using System.Text.Json.Serialization;
using Marketplace.Core;

namespace Marketplace.Storage;

/// <summary>Why an adapter was taken down.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<TakedownReason>))]
public enum TakedownReason
{
    /// <summary>Its licence, or that of what it was made of, does not allow it.</summary>
    Licence,

    /// <summary>It does harm to those who load it.</summary>
    Malware,

    /// <summary>It tells about people.</summary>
    Privacy,

    /// <summary>An authority or a court wants it.</summary>
    Legal,

    /// <summary>Something else; the message says what.</summary>
    Other,
}

/// <summary>What becomes of the versions that were made from an adapter which is taken down.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<DescendantPolicy>))]
public enum DescendantPolicy
{
    /// <summary>Nothing.</summary>
    Keep,

    /// <summary>They go on working and say what they were made of.</summary>
    Flag,

    /// <summary>Their adapters are taken down too, and restored with it.</summary>
    TakeDown,
}

/// <summary>One reason for which an adapter is down.</summary>
/// <param name="Root">The adapter whose takedown caused this one; null where this one itself was meant.</param>
/// <param name="Copy">Of a caused one: whether it has the same weights, and was not made from the root.</param>
/// <param name="Reason">Why.</param>
/// <param name="Message">What may be shown of it.</param>
/// <param name="At">When.</param>
/// <param name="By">The account that did it.</param>
/// <param name="Descendants">Of one that was meant: what becomes of its descendants.</param>
/// <param name="Copies">Of one that was meant: whether all adapters with the same weights go down with it.</param>
/// <param name="Via">Of one that was meant: how it was ordered, for the audit, whoever finishes it.</param>
public sealed record TakedownCause(
    AdapterId? Root, bool Copy, TakedownReason Reason, string? Message, DateTimeOffset At, string By,
    DescendantPolicy Descendants = DescendantPolicy.Keep, bool Copies = false, string? Via = null)
{
    /// <summary>Whether this takedown, of a root, takes others down: its copies, or its descendants.</summary>
    public bool Covers(bool copy) => copy ? Copies : Descendants == DescendantPolicy.TakeDown;
}

/// <summary>That an adapter is down: part of its row, and as long as there is a cause, it exists for nobody.</summary>
/// <param name="Causes">Why; at most one for each root, the one that meant this adapter first.</param>
/// <param name="Spread">Whether descendants and copies have been seen to.</param>
/// <param name="Restoring">Whether the takedown of this adapter itself is being undone: what it caused goes first.</param>
/// <param name="PurgedAt">When its bytes were given up; from then on it can't be restored.</param>
public sealed record TakedownMark(ImmutableArray<TakedownCause> Causes, bool Spread, bool Restoring = false, DateTimeOffset? PurgedAt = null)
{
    /// <summary>The cause that meant this adapter; null if it is down because of others only.</summary>
    [JsonIgnore]
    public TakedownCause? Own => Causes.FirstOrDefault(c => c.Root is null);

    /// <summary>The cause to show.</summary>
    [JsonIgnore]
    public TakedownCause First => Causes[0];

    /// <summary>Since when it is down without a break.</summary>
    [JsonIgnore]
    public DateTimeOffset Since => Causes.Min(c => c.At);

    /// <summary>The takedown of this adapter itself, if it is in force and has consequences for others.</summary>
    [JsonIgnore]
    public TakedownCause? InForce => Restoring ? null : Own;
}

/// <summary>What an admin asks for.</summary>
public sealed record TakedownOrder(TakedownReason Reason, string? Message, DescendantPolicy Descendants, bool Copies, string By);

/// <summary>What a takedown came to.</summary>
/// <param name="Adapter">The adapter as it is now.</param>
/// <param name="Flagged">Versions that say now what they were made of.</param>
/// <param name="TakenDown">Adapters that went down with it.</param>
public sealed record TakedownReport(AdapterRecord Adapter, IReadOnlyList<(AdapterId Adapter, int Number)> Flagged, IReadOnlyList<AdapterId> TakenDown);

/// <summary>What became of a wish to restore.</summary>
public abstract record RestoreOutcome
{
    private RestoreOutcome()
    {
    }

    /// <summary>The takedown is undone; the adapter may still be down because of another one.</summary>
    public sealed record Restored(AdapterRecord Adapter, IReadOnlyList<AdapterId> With) : RestoreOutcome;

    /// <summary>The adapter itself is not taken down, or not there.</summary>
    public sealed record NotTakenDown : RestoreOutcome;

    /// <summary>Its bytes are gone.</summary>
    public sealed record Purged : RestoreOutcome;

    /// <summary>It was taken down again meanwhile.</summary>
    public sealed record Superseded : RestoreOutcome;
}

/// <summary>A takedown that shows at a version made from what was taken down.</summary>
/// <param name="Root">What was taken down.</param>
/// <param name="Cause">Why and when.</param>
public sealed record Taint(AdapterRecord Root, TakedownCause Cause);
