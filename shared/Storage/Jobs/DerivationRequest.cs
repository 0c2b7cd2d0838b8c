using System.Collections.Immutable;
using System.Text.Json;
using System.Text.Json.Serialization;
using Marketplace.Core.Api;
using Marketplace.Core.Formats;
using Marketplace.Core.Merges;

namespace Marketplace.Storage.Jobs;

/// <summary>
/// The canonical form of a merge or a subtraction: what was asked, with every input resolved to the digests of its files. Equal requests have
/// equal texts, and the job's id is a keyed hash of the text.
/// </summary>
/// <param name="Recipe">The recipe in canonical form, adapters named as <c>owner/name@number</c>.</param>
/// <param name="Inputs">The versions that go in, each once, in the order in which the recipe names them.</param>
/// <param name="BaseModel">The one base model they all belong to.</param>
/// <param name="Composition">How the inputs are combined, where that is learned; the recipe is then what learning starts from.</param>
/// <param name="Card">Which model card the result gets: it is among the bytes that follow from the request.</param>
public sealed record DerivationRequest(
    MergeRecipe Recipe, ImmutableArray<ResolvedInput> Inputs, string BaseModel, CompositionPart? Composition = null, int Card = DerivedCard.Version)
{
    /// <summary>What lineages call the method.</summary>
    [JsonIgnore]
    public string Method => Composition?.Method ?? Recipe.Method;

    /// <summary><c>owner/name</c> of the result.</summary>
    [JsonIgnore]
    public OutputRequest Output => Recipe.Output!;

    /// <summary>The canonical text: members in declaration order, nulls left out.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, ApiJson.Options);

    /// <summary>Reads a canonical text.</summary>
    public static DerivationRequest Parse(string json) => JsonSerializer.Deserialize<DerivationRequest>(json, ApiJson.Options)!;

    /// <summary>The recipe's graph, with leaves named by content: the same bytes under two names are one leaf.</summary>
    /// <exception cref="JobFailureException">The recipe is not what this version of the service accepts.</exception>
    public MergeGraph Graph() => MergeGraph.Create(Recipe, name => Find(name).Content, out var problems)
        ?? throw new JobFailureException("not-mergeable", string.Join(' ', problems.Select(p => $"[{p.Code}] {p.Message}")));

    /// <summary>The input of that name.</summary>
    public ResolvedInput Find(string name) => Inputs.First(i => i.Name == name);
}

/// <summary>An input of a derivation.</summary>
/// <param name="Adapter"><c>owner/name</c>.</param>
/// <param name="Number">Version number.</param>
/// <param name="VersionId">Version id.</param>
/// <param name="Weights">Digest of adapter_model.safetensors.</param>
/// <param name="Config">Digest of adapter_config.json.</param>
/// <param name="Weight">Factor of its ΔW.</param>
/// <param name="Role">input, target or general.</param>
public sealed record ResolvedInput(string Adapter, int Number, string VersionId, string Weights, string Config, double Weight, string Role)
{
    /// <summary>A version as an input of a job.</summary>
    public static ResolvedInput Of(VersionRecord version, double weight, string role) =>
        new(version.Adapter.ToString(), version.Number, version.Id, version.Weights.Hex, version.Config.Hex, weight, role);

    /// <summary><c>owner/name@number</c>.</summary>
    [JsonIgnore]
    public string Name => $"{Adapter}@{Number}";

    /// <summary>Names the bytes of both files.</summary>
    [JsonIgnore]
    public string Content => $"{Weights}+{Config}";
}

/// <summary>The canonical form of a clustering.</summary>
/// <param name="BaseModel">Whose library.</param>
/// <param name="Similarity">delta or flatAb.</param>
/// <param name="K">Number of clusters; chosen by silhouette if null.</param>
/// <param name="Scope">public, or the owner whose private adapters take part.</param>
/// <param name="Mode">exact or sketch.</param>
/// <param name="Sparsity">flatAb: the share of smallest entries set to zero.</param>
/// <param name="Components">Dimensions that are kept where not all are.</param>
/// <param name="Library">Digest of the library as it was when asked, which is stored under it: another state is another request.</param>
/// <param name="Members">How many members it had.</param>
/// <param name="After">The newest snapshot when it was asked for, if that was of anything else: a library that comes back to an earlier state is clustered again.</param>
public sealed record ClusteringJobRequest(
    string BaseModel, string Similarity, int? K, string Scope, string Mode, double? Sparsity, int? Components, string Library, int Members, string? After = null)
{
    /// <summary>The canonical text.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, ApiJson.Options);

    /// <summary>Reads a canonical text.</summary>
    public static ClusteringJobRequest Parse(string json) => JsonSerializer.Deserialize<ClusteringJobRequest>(json, ApiJson.Options)!;
}
