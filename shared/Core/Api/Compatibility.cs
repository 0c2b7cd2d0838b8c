using Marketplace.Core.Merges;

namespace Marketplace.Core.Api;

/// <summary>POST /api/v1/compatibility: what is to be known of adapters before they are merged.</summary>
/// <param name="Inputs"><c>owner/name</c> or <c>owner/name@revision</c>, of one base model.</param>
/// <param name="Rank">A rank to foresee the loss of; if absent, the largest rank of an input and twice that.</param>
public sealed record CompatibilityRequest(IReadOnlyList<string> Inputs, int? Rank = null);

/// <summary>The answer.</summary>
/// <param name="BaseModel">The base model of all inputs.</param>
/// <param name="Inputs">The versions that were compared; the report's indices count them.</param>
/// <param name="Report">The figures.</param>
/// <param name="Licence">What the inputs' licences leave for a combination.</param>
public sealed record CompatibilityView(string BaseModel, IReadOnlyList<VersionReference> Inputs, CompatibilityReport Report, CombinedLicence Licence);
