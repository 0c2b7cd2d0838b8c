using System.Text.Json;

namespace Marketplace.Core.Api;

/// <summary>Where a job's result is published.</summary>
/// <param name="Adapter"><c>owner/name</c> of the result; the owner must be the caller's account.</param>
/// <param name="Private">Whether only the owner may see it.</param>
public sealed record OutputRequest(string Adapter, bool Private = false);

/// <summary>An adapter version with a weight.</summary>
/// <param name="Adapter"><c>owner/name</c>, or <c>owner/name@revision</c> (number, version id or tag); the current version if none is given.</param>
/// <param name="Weight">Factor of its ΔW.</param>
public sealed record WeightedAdapter(string Adapter, double Weight = 1);

/// <summary>How general knowledge is subtracted.</summary>
public static class SubtractionModes
{
    /// <summary>ΔW of the target minus β times the weighted mean of the general adapters' ΔW.</summary>
    public const string Exact = "exact";

    /// <summary>What the target has in the directions of the general adapters is removed.</summary>
    public const string Project = "project";

    /// <summary>A and B apart, as PEFT does.</summary>
    public const string Factorwise = "factorwise";
}

/// <summary>POST /api/v1/subtractions: general knowledge subtracted from a task adapter.</summary>
/// <param name="Target">The task adapter.</param>
/// <param name="General">The general-knowledge adapters.</param>
/// <param name="Output">Where the residual goes.</param>
/// <param name="Beta">How much is subtracted.</param>
/// <param name="Rank">Fixed rank of the residual.</param>
/// <param name="Energy">Instead: the smallest rank that keeps this share of |ΔW|². Without either the residual is exact.</param>
/// <param name="Dtype">auto (the widest input type), F32, BF16 or F16.</param>
/// <param name="Mode">exact (ΔW minus β times the weighted mean of the general ΔW), project (its directions removed) or factorwise (A and B apart, as PEFT does).</param>
/// <param name="Side">Of a projection: input (what the target reads, the default), output (what it writes) or both.</param>
public sealed record SubtractionRequest(
    string Target, IReadOnlyList<WeightedAdapter> General, OutputRequest Output,
    double Beta = 1, int? Rank = null, double? Energy = null, string Dtype = "auto", string Mode = SubtractionModes.Exact, string? Side = null);

/// <summary>A job.</summary>
/// <param name="JobId">Keyed hash of the canonical request: asking twice is asking once.</param>
/// <param name="Kind">merge, subtraction, clustering, subtractionBatch, libraryBuild, routerExport, evaluation or composition.</param>
/// <param name="Status">queued, running, succeeded, failed or cancelled.</param>
/// <param name="Attempt">1 for the first; asking again after a failure starts the next.</param>
/// <param name="Sequence">Grows with every change; the id of the server-sent event.</param>
/// <param name="Progress">How far it is.</param>
/// <param name="CreatedAt">When it was first asked for.</param>
/// <param name="StartedAt">When the current attempt began.</param>
/// <param name="FinishedAt">When it ended.</param>
/// <param name="Request">The canonical request, inputs resolved to versions.</param>
/// <param name="Result">What came of it: see <see cref="DerivedResult"/>, <see cref="ClusteringResult"/>, <see cref="CollectionResult"/>, <see cref="RouterResult"/>, <see cref="EvaluationJobResult"/>.</param>
/// <param name="Code">Why it failed.</param>
/// <param name="Detail">The same in words.</param>
public sealed record JobView(
    string JobId, string Kind, string Status, int Attempt, long Sequence, JobProgressView? Progress,
    DateTimeOffset CreatedAt, DateTimeOffset? StartedAt, DateTimeOffset? FinishedAt,
    JsonElement Request, JsonElement? Result, string? Code, string? Detail);

/// <summary>How far a job is.</summary>
/// <param name="Done">Finished steps.</param>
/// <param name="Total">All steps.</param>
/// <param name="Current">What is being worked on, such as a module's name.</param>
/// <param name="EtaSeconds">Estimated seconds to go.</param>
public sealed record JobProgressView(int Done, int Total, string? Current, double? EtaSeconds);

/// <summary>Result of a merge, a subtraction or a composition.</summary>
/// <param name="Version">The version that was published.</param>
/// <param name="Rank">Rank of the factors as exported.</param>
/// <param name="Modules">Number of modules.</param>
/// <param name="RelativeDiscarded">Share of |ΔW| lost by truncation: √(Σ discarded² ∕ Σ total²).</param>
/// <param name="NotMerged">Tensors of the inputs that have no place in the result, as <c>adapter: tensor</c>.</param>
/// <param name="Seconds">Time of the computation.</param>
/// <param name="Folded">Inputs whose DoRA magnitudes were folded into plain factors, and what that discarded; absent where none were.</param>
/// <param name="Learned">What learning came to, of a composition.</param>
public sealed record DerivedResult(
    VersionReference Version, int Rank, int Modules, double RelativeDiscarded, IReadOnlyList<string> NotMerged, double Seconds,
    IReadOnlyList<string>? Folded = null, CompositionSummary? Learned = null);

/// <summary>Result of a clustering.</summary>
/// <param name="SnapshotId">The snapshot, at /api/v1/clusterings/{id}.</param>
public sealed record ClusteringResult(string SnapshotId);
