using System.Collections.Immutable;
using System.Text.Json;
using Marketplace.Core.Api;

namespace Marketplace.Storage.Jobs;

/// <summary>
/// The canonical form of a merge or a subtraction: what was asked, with every input resolved to the digests of its files. Equal requests have
/// equal texts, and the job's id is a keyed hash of the text.
/// </summary>
/// <param name="Method">linear, cat, svd or genknowsub.</param>
/// <param name="Inputs">The versions that go in, in the order given.</param>
/// <param name="BaseModel">The one base model they all belong to.</param>
/// <param name="Output"><c>owner/name</c> of the result.</param>
/// <param name="Private">Whether a new output adapter is private.</param>
/// <param name="Rank">Fixed rank of the result.</param>
/// <param name="Energy">Share of |ΔW|² to keep.</param>
/// <param name="Normalize">Divide by the sum of weights; the method's default if null.</param>
/// <param name="Beta">β of a subtraction.</param>
/// <param name="Dtype">auto, F32, BF16 or F16.</param>
public sealed record DerivationRequest(
    string Method, ImmutableArray<ResolvedInput> Inputs, string BaseModel, string Output, bool Private,
    int? Rank, double? Energy, bool? Normalize, double? Beta, string Dtype)
{
    /// <summary>The method of a subtraction.</summary>
    public const string GenKnowSub = "genknowsub";

    /// <summary>The canonical text: members in declaration order, nulls left out.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, ApiJson.Options);

    /// <summary>Reads a canonical text.</summary>
    public static DerivationRequest Parse(string json) => JsonSerializer.Deserialize<DerivationRequest>(json, ApiJson.Options)!;
}

/// <summary>An input of a derivation.</summary>
/// <param name="Adapter"><c>owner/name</c>.</param>
/// <param name="Number">Version number.</param>
/// <param name="VersionId">Version id.</param>
/// <param name="Weights">Digest of adapter_model.safetensors.</param>
/// <param name="Config">Digest of adapter_config.json.</param>
/// <param name="Weight">Factor of its ΔW.</param>
/// <param name="Role">input, target or general.</param>
public sealed record ResolvedInput(string Adapter, int Number, string VersionId, string Weights, string Config, double Weight, string Role);

/// <summary>The canonical form of a clustering.</summary>
/// <param name="BaseModel">Whose library.</param>
/// <param name="Similarity">delta or flatAb.</param>
/// <param name="K">Number of clusters; chosen by silhouette if null.</param>
/// <param name="Scope">public, or the owner whose private adapters take part.</param>
/// <param name="Members">The library as it was when asked: another state is another request.</param>
public sealed record ClusteringJobRequest(string BaseModel, string Similarity, int? K, string Scope, ImmutableArray<ResolvedInput> Members)
{
    /// <summary>The canonical text.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, ApiJson.Options);

    /// <summary>Reads a canonical text.</summary>
    public static ClusteringJobRequest Parse(string json) => JsonSerializer.Deserialize<ClusteringJobRequest>(json, ApiJson.Options)!;
}
