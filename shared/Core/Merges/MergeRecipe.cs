using System.Text.Json;
using System.Text.Json.Serialization;
using Marketplace.Core.Algebra;
using Marketplace.Core.Api;

namespace Marketplace.Core.Merges;

/// <summary>
/// What is asked of a merge: POST /api/v1/merges, and the same as a file in YAML or JSON. A recipe that is an input of another one has neither output,
/// dtype nor notes.
/// </summary>
/// <param name="Method">Name of a <see cref="MergeMethod"/>.</param>
/// <param name="Inputs">What is merged; where a method tells its inputs apart, their order says which is which.</param>
/// <param name="Output">Where the result goes; null for a nested recipe.</param>
/// <param name="Parameters">Parameters of the method by name; those that are absent have the method's defaults.</param>
/// <param name="Rank">How many ranks the result has; the method's own rule if absent.</param>
/// <param name="Energy">Instead: the smallest rank that keeps this share of |ΔW|², in (0, 1].</param>
/// <param name="Dtype">Element type of the result: auto (the widest input type), F32, BF16 or F16.</param>
/// <param name="Seed">Seed of random masks and starts; a nested recipe has that of the outer one unless it says its own.</param>
/// <param name="Carried">What happens if inputs hold tensors beside the LoRA factors, which no merge can combine.</param>
/// <param name="Notes">A line about the result, shown with the version.</param>
public sealed record MergeRecipe(
    string Method, IReadOnlyList<RecipeInput> Inputs, OutputRequest? Output = null, IReadOnlyDictionary<string, RecipeValue>? Parameters = null,
    RecipeRank? Rank = null, double? Energy = null, string Dtype = MergeRecipe.AutoType, ulong? Seed = null,
    CarriedPolicy Carried = CarriedPolicy.Report, string? Notes = null)
{
    /// <summary>The dtype that follows from the inputs.</summary>
    public const string AutoType = "auto";

    /// <summary>The seed where a recipe says none.</summary>
    public const ulong DefaultSeed = 42;

    /// <summary>A recipe over adapters that are given in order, without names: one weight for each.</summary>
    public static MergeRecipe Over(string method, params ReadOnlySpan<double> weights)
    {
        var inputs = new RecipeInput[weights.Length];
        for (var i = 0; i < inputs.Length; i++)
            inputs[i] = new($"#{i}", Weight: MergeMethods.Find(method) is { Weighted: false } ? null : RecipeValue.Of(weights[i]));
        return new(method, inputs);
    }

    /// <summary>The same recipe with one more parameter.</summary>
    public MergeRecipe With(string parameter, RecipeValue value) =>
        this with { Parameters = new Dictionary<string, RecipeValue>(Parameters ?? new Dictionary<string, RecipeValue>()) { [parameter] = value } };

    /// <summary>How the result is recompressed; null leaves it to the method.</summary>
    [JsonIgnore]
    public RankPolicy? RankPolicy =>
        Rank is null && Energy is null ? null : new RankPolicy(Rank?.Number, Energy);
}

/// <summary>One input: an adapter, or a recipe whose result is used without being published.</summary>
/// <param name="Adapter"><c>owner/name</c>, or <c>owner/name@revision</c> (number, version id or tag); the current version if none is given.</param>
/// <param name="Recipe">Instead of an adapter.</param>
/// <param name="Weight">Factor of its ΔW; 1 if absent.</param>
/// <param name="Parameters">Parameters that this input has otherwise than the others, such as its density.</param>
public sealed record RecipeInput(
    string? Adapter = null, MergeRecipe? Recipe = null, RecipeValue? Weight = null, IReadOnlyDictionary<string, RecipeValue>? Parameters = null)
{
    /// <summary>An adapter with one weight for all modules.</summary>
    public static RecipeInput Of(string adapter, double weight = 1) => new(adapter, Weight: weight);
}

/// <summary>What happens to saved modules, classifier heads, biases and trained token rows of the inputs, which can't be combined as ΔW can.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<CarriedPolicy>))]
public enum CarriedPolicy
{
    /// <summary>They have no place in the result, and job, report and lineage name each of them.</summary>
    [JsonStringEnumMemberName("report")]
    Report,

    /// <summary>The merge is refused if there are any.</summary>
    [JsonStringEnumMemberName("refuse")]
    Refuse,
}

/// <summary>A number of ranks, or <c>lossless</c>: as many as the result needs.</summary>
/// <param name="Number">The number; null for lossless.</param>
[JsonConverter(typeof(RecipeRankConverter))]
public sealed record RecipeRank(int? Number)
{
    /// <summary>As many ranks as the result needs.</summary>
    public static RecipeRank Lossless { get; } = new((int?)null);

    /// <summary>A fixed rank.</summary>
    public static implicit operator RecipeRank(int number) => new(number);

    /// <summary>A fixed rank, or null.</summary>
    public static RecipeRank? Of(int? number) => number is { } n ? new RecipeRank(n) : null;
}

/// <summary>Reads and writes <c>16</c> or <c>"lossless"</c>.</summary>
internal sealed class RecipeRankConverter : JsonConverter<RecipeRank>
{
    private const string LosslessWord = "lossless";

    public override RecipeRank Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        reader.TokenType == JsonTokenType.Number && reader.TryGetInt32(out var number) ? new RecipeRank(number)
        : reader.TokenType == JsonTokenType.String && reader.ValueTextEquals(LosslessWord) ? RecipeRank.Lossless
        : throw new JsonException("A rank is a whole number or the word 'lossless'.");

    public override void Write(Utf8JsonWriter writer, RecipeRank value, JsonSerializerOptions options)
    {
        if (value.Number is { } number)
            writer.WriteNumberValue(number);
        else
            writer.WriteStringValue(LosslessWord);
    }
}
