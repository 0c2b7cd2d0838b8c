namespace Marketplace.Core.Api;

/// <summary>A few adapters of a library that differ from each other and stand for the rest.</summary>
/// <param name="BaseModel">Whose library.</param>
/// <param name="Objective">facilityLocation or logDeterminant.</param>
/// <param name="Scope">public, or the owner whose private adapters were looked at too.</param>
/// <param name="Members">How many adapters were compared.</param>
/// <param name="Value">The objective of the subset; at least 1 − 1∕e of the best subset's of that size.</param>
/// <param name="Coverage">With facilityLocation the mean similarity of a member to the nearest chosen one.</param>
/// <param name="Picks">The chosen ones, what adds most first.</param>
/// <param name="Excluded">Members that were left out, and why.</param>
public sealed record DiverseView(
    string BaseModel, string Objective, string Scope, int Members, double Value, double? Coverage, IReadOnlyList<DiversePickView> Picks, IReadOnlyList<ExcludedView> Excluded);

/// <summary>A chosen adapter.</summary>
/// <param name="Version">The version.</param>
/// <param name="Gain">What it added to the objective.</param>
/// <param name="NearestCosine">Its largest cosine, estimated from sketches, to one chosen before; absent for the first.</param>
public sealed record DiversePickView(VersionReference Version, double Gain, double? NearestCosine);
