using System.Text.Json;
using Marketplace.Core.Evaluation;

namespace Marketplace.Core.Api;

/// <summary>
/// POST /api/v1/evaluation-sets as JSON. The same route takes JSON lines (<c>application/jsonl</c>) with <c>?set=&amp;private=&amp;message=</c>, and a header as the first line.
/// </summary>
/// <param name="Set"><c>owner/name</c>; the owner must be the caller's account.</param>
/// <param name="Items">The items, as they would stand in the lines of a file.</param>
/// <param name="Header">What holds for all items; what is left out follows from the items or is the default.</param>
/// <param name="Private">Whether only the owner may see it; counts when the set is new.</param>
/// <param name="Message">A line about the version.</param>
public sealed record PublishEvaluationSetRequest(
    string Set, IReadOnlyList<JsonElement> Items, EvaluationSetFields? Header = null, bool Private = false, string? Message = null);

/// <summary>What was published.</summary>
/// <param name="Version">The version; that of before if the newest one has the same canonical bytes.</param>
/// <param name="Private">Seen by its owner only.</param>
/// <param name="Warnings">What the author should know, such as repeated items.</param>
public sealed record PublishEvaluationSetResponse(EvaluationSetVersionView Version, bool Private, IReadOnlyList<IssueView> Warnings);

/// <summary>An evaluation set.</summary>
/// <param name="Id"><c>owner/name</c>.</param>
/// <param name="Private">Seen by its owner only.</param>
/// <param name="Listed">False once unlisted.</param>
/// <param name="Main">The newest version.</param>
/// <param name="CreatedAt">First publication.</param>
/// <param name="UpdatedAt">Latest change.</param>
public sealed record EvaluationSetView(string Id, bool Private, bool Listed, EvaluationSetVersionView Main, DateTimeOffset CreatedAt, DateTimeOffset UpdatedAt);

/// <summary>A version of an evaluation set.</summary>
/// <param name="Set"><c>owner/name</c>.</param>
/// <param name="Number">1 for the first.</param>
/// <param name="Digest">SHA-256 of the canonical JSON lines.</param>
/// <param name="Header">What holds for all items.</param>
/// <param name="Items">Number of items.</param>
/// <param name="Bytes">Number of bytes of the canonical JSON lines.</param>
/// <param name="CreatedAt">When it was published.</param>
/// <param name="PublishedBy">Account that published it.</param>
/// <param name="Message">The publisher's line about it.</param>
public sealed record EvaluationSetVersionView(
    string Set, int Number, string Digest, EvaluationSetHeader Header, int Items, long Bytes, DateTimeOffset CreatedAt, string PublishedBy, string? Message);

/// <summary>PATCH /api/v1/evaluation-sets/{owner}/{name}.</summary>
/// <param name="Listed">False hides the set from lists, true shows it again.</param>
public sealed record UpdateEvaluationSetRequest(bool? Listed = null);
