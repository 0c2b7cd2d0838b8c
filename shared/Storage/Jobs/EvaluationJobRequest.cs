using System.Collections.Immutable;
using System.Text.Json;
using System.Text.Json.Serialization;
using Marketplace.Core.Api;
using Marketplace.Core.Evaluation;

namespace Marketplace.Storage.Jobs;

/// <summary>The canonical form of an evaluation: every subject on every set.</summary>
/// <param name="BaseModel">The one base model of all adapters.</param>
/// <param name="BaseDigest">Digest of its registered files; null where none are, and then those mounted in the kernels are taken.</param>
/// <param name="Subjects">What is scored, each once, in canonical form: adapters by version number and id.</param>
/// <param name="Sets">On what, each once.</param>
public sealed record EvaluationJobRequest(
    string BaseModel, string? BaseDigest, ImmutableArray<EvaluationSubject> Subjects, ImmutableArray<EvaluationSetReference> Sets)
{
    private const int RowBytes = 900_000; // of the 1,048,576 that a row holds, for request and result
    private const int ResultBytes = 400;  // of a row of the result, before it is compressed

    /// <summary>Whether request and result fit into the job's row.</summary>
    [JsonIgnore]
    public bool Fits => Rows.LongSize(ToJson()) + ((long)ResultBytes * Subjects.Length * Sets.Length) <= RowBytes;

    /// <summary>The canonical text.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, ApiJson.Options);

    /// <summary>Reads a canonical text.</summary>
    public static EvaluationJobRequest Parse(string json) => JsonSerializer.Deserialize<EvaluationJobRequest>(json, ApiJson.Options)!;
}
