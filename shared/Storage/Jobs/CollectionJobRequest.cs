using System.Collections.Immutable;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Marketplace.Core;
using Marketplace.Core.Api;
using Marketplace.Core.Formats;
using Marketplace.Core.Merges;

namespace Marketplace.Storage.Jobs;

/// <summary>
/// The canonical form of a job that makes many versions for one collection. Versions never change, so an input is named by <c>owner/name@number</c> alone,
/// which keeps requests over thousands of adapters within one row.
/// </summary>
/// <param name="MadeBy">What made the collection: one of the constants of this type.</param>
/// <param name="BaseModel">The one base model of all inputs.</param>
/// <param name="Recipe">The recipe of each version in canonical form, without inputs and output.</param>
/// <param name="Collection"><c>owner/name</c> of the collection.</param>
/// <param name="Private">Whether collection and versions are private.</param>
/// <param name="General">Inputs that follow those of each item: the general adapters.</param>
/// <param name="Items">The versions to make.</param>
/// <param name="Skipped">What was asked for and can't be had, as was known when it was asked for.</param>
/// <param name="Snapshot">The snapshot that the items are clusters of.</param>
/// <param name="Card">Which model card the versions get.</param>
public sealed record CollectionJobRequest(
    string MadeBy, string BaseModel, MergeRecipe Recipe, string Collection, bool Private, ImmutableArray<CollectionInput> General,
    ImmutableArray<CollectionItem> Items, ImmutableArray<RefusedMember> Skipped, string? Snapshot = null, int Card = DerivedCard.Version)
{
    /// <summary>Residuals of a batch of subtractions.</summary>
    public const string Residuals = "genknowsub";

    /// <summary>One adapter for each cluster.</summary>
    public const string Clusters = "library-build";

    private const int RowBytes = 900_000;   // of the 1,048,576 that a row holds, for request and result
    private const int PlainBytes = 200_000; // a result that is not worth compressing
    private const int ResultBytes = 70;     // of a member of a compressed result, without the names

    /// <summary>Whether request and result fit into the job's row.</summary>
    [JsonIgnore]
    public bool Fits => Rows.LongSize(ToJson()) + Math.Max(PlainBytes, Items.Sum(i => ResultBytes + i.Label.Length + i.Output.Length) + Skipped.Sum(s => ResultBytes + s.Label.Length)) <= RowBytes;

    /// <summary>The canonical text.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, ApiJson.Options);

    /// <summary>Reads a canonical text.</summary>
    public static CollectionJobRequest Parse(string json) => JsonSerializer.Deserialize<CollectionJobRequest>(json, ApiJson.Options)!;

    /// <summary>Every version that it names; where it names an adapter alone, the number is that of any.</summary>
    public IEnumerable<(AdapterId Adapter, int Number)> Versions() => General.Concat(Items.SelectMany(i => i.Inputs)).Select(i => i.Version).Concat(Skipped.Select(s => s.Label))
        .Where(n => n.Contains('/', StringComparison.Ordinal)).Select(n => n.Split('@'))
        .Select(n => (AdapterId.Parse(n[0]), n.Length > 1 && int.TryParse(n[1], NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : int.MaxValue)).Distinct();
}

/// <summary>A version to make.</summary>
/// <param name="Label">Names it within the job: a target, or a cluster.</param>
/// <param name="Output">Name of the adapter, in the collection's account.</param>
/// <param name="Inputs">What goes in.</param>
/// <param name="Method">The method, where it is not the recipe's: what a cluster of one is merged by if the method takes more inputs.</param>
public sealed record CollectionItem(string Label, string Output, ImmutableArray<CollectionInput> Inputs, string? Method = null);

/// <summary>An input by name.</summary>
/// <param name="Version"><c>owner/name@number</c>.</param>
/// <param name="Weight">Its weight; null for 1.</param>
public sealed record CollectionInput(string Version, double? Weight = null);
