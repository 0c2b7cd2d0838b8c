namespace Marketplace.Core.Api;

/// <summary>POST /api/v1/adapters/{owner}/{name}/takedown.</summary>
/// <param name="Reason">licence, malware, privacy, legal or other.</param>
/// <param name="Message">What may be shown to whoever asks for the adapter, at most 500 characters.</param>
/// <param name="Descendants">What becomes of versions that were made from it: keep (nothing), flag (they say so) or takeDown (their adapters go down too).</param>
/// <param name="Copies">Whether all adapters that have a version with the same weights go down with it.</param>
public sealed record TakedownRequest(string Reason, string? Message = null, string Descendants = "flag", bool Copies = false);

/// <summary>That an adapter is down.</summary>
/// <param name="Adapter"><c>owner/name</c>.</param>
/// <param name="Reason">licence, malware, privacy, legal or other.</param>
/// <param name="Message">What the admin lets be known.</param>
/// <param name="At">Since when.</param>
/// <param name="Because">The adapter whose takedown caused this one, where the caller may know of it; absent where this one was meant.</param>
/// <param name="Caused">Whether another adapter's takedown caused this one.</param>
/// <param name="Descendants">For admins: what becomes of versions that were made from it.</param>
/// <param name="Copies">For admins: whether copies go down with it.</param>
/// <param name="By">For admins: the account that did it.</param>
/// <param name="RestorableUntil">For the owner and admins: from when on its bytes may be gone.</param>
/// <param name="PurgedAt">For the owner and admins: when its bytes were given up.</param>
/// <param name="Complete">For admins: whether everything that follows has been done; asking again goes on.</param>
/// <param name="TakenDown">For admins: adapters that are down because of it.</param>
/// <param name="Flagged">Answering the takedown only: versions (<c>owner/name@number</c>) that say now what they were made of.</param>
public sealed record TakedownView(
    string Adapter, string Reason, string? Message, DateTimeOffset At, string? Because, bool Caused,
    string? Descendants = null, bool? Copies = null, string? By = null, DateTimeOffset? RestorableUntil = null, DateTimeOffset? PurgedAt = null, bool? Complete = null,
    IReadOnlyList<string>? TakenDown = null, IReadOnlyList<string>? Flagged = null);

/// <summary>What became of a restoration.</summary>
/// <param name="Adapter"><c>owner/name</c>.</param>
/// <param name="StillDown">Whether it is still down for another reason.</param>
/// <param name="Restored">Adapters that came back with it.</param>
public sealed record RestoreView(string Adapter, bool StillDown, IReadOnlyList<string> Restored);

/// <summary>A takedown that concerns a version, because it was made from what was taken down.</summary>
/// <param name="Adapter">What was taken down; absent where the caller may not know of it.</param>
/// <param name="Reason">licence, malware, privacy, legal or other.</param>
/// <param name="Message">What the admin lets be known; absent where the adapter is.</param>
/// <param name="At">Since when.</param>
public sealed record TaintView(string? Adapter, string Reason, string? Message, DateTimeOffset At);
