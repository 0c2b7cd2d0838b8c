using System.Collections.Immutable;
using System.Text.Json.Serialization;
using Marketplace.Core.Formats;
using Marketplace.Core.Merges;

namespace Marketplace.Core.Methods;

/// <summary>What a server makes of something that it does not support.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<ServingEffect>))]
public enum ServingEffect
{
    /// <summary>It refuses the adapter.</summary>
    [JsonStringEnumMemberName("refused")]
    Refused,

    /// <summary>It loads the adapter and computes other numbers than were trained.</summary>
    [JsonStringEnumMemberName("wrong")]
    Wrong,

    /// <summary>It loads the adapter without the part.</summary>
    [JsonStringEnumMemberName("ignored")]
    Ignored,
}

/// <summary>Why a server can't serve an adapter as it was trained.</summary>
/// <param name="Code">Stable code, see <see cref="ServingLimits"/>.</param>
/// <param name="Effect">What happens if it is tried.</param>
/// <param name="Message">The same in words.</param>
public sealed record ServingProblem(string Code, ServingEffect Effect, string Message);

/// <summary>Where an adapter can be served.</summary>
/// <param name="Rank">The largest rank of a module.</param>
/// <param name="MaxLoraRank">The least <c>--max-lora-rank</c> of vLLM that is enough; null if none is.</param>
/// <param name="Vllm">Problems with vLLM; it serves the adapter if there are none.</param>
/// <param name="Lorax">Problems with LoRAX.</param>
public sealed record ServingCheck(int Rank, int? MaxLoraRank, ImmutableArray<ServingProblem> Vllm, ImmutableArray<ServingProblem> Lorax);

/// <summary>
/// What vLLM and LoRAX accept, read in their sources (docs/serving.md has the table). Whether a server knows a base model, and takes adapters at the modules in question, is theirs to say and not checked here.
/// </summary>
public static class ServingLimits
{
#pragma warning disable CS1591 // The meanings stand in the messages below.
    public const string RankTooHigh = "rank-too-high";
    public const string RankPadded = "rank-padded";
    public const string RanksDiffer = "ranks-differ";
    public const string ScalingsDiffer = "scalings-differ";
    public const string LayersMissing = "layers-missing";
    public const string Dora = "dora";
    public const string Biases = "biases";
    public const string SavedModules = "saved-modules";
    public const string NotLinear = "not-linear";
    public const string ActivatedByTokens = "activated-by-tokens";
#pragma warning restore CS1591

    /// <summary>The values that vLLM's <c>--max-lora-rank</c> can have. Newer releases take 1 as well, for adapters of rank 1.</summary>
    public static ImmutableArray<int> MaxLoraRanks { get; } = ServingExport.Ranks;

    // LoRAX pads factors to what its kernels take: at least 8, and beyond that multiples of 16.
    private const int LeastRank = 8;
    private const int RankBlock = 16;

    /// <summary>Holds an adapter to the limits of both servers.</summary>
    public static ServingCheck Check(Adapter adapter)
    {
        var rank = Math.Max(adapter.Config.Rank, adapter.Modules.Max(m => m.Rank));
        var vllm = Common(adapter, ServingEffect.Refused).ToList();
        if (rank > MaxLoraRanks[^1])
            vllm.Add(new(RankTooHigh, ServingEffect.Refused, $"Its rank is {rank}; vLLM takes up to {MaxLoraRanks[^1]}."));
        var lorax = Common(adapter, ServingEffect.Ignored).Concat(OfLorax(adapter)).ToList();
        int? least = rank > MaxLoraRanks[^1] ? null : MaxLoraRanks.First(r => r >= rank);
        return new(rank, least, [.. vllm], [.. lorax]);
    }

    // What neither supports: vLLM refuses what it reads no meaning in, LoRAX looks for pairs of linear factors and nothing else.
    private static IEnumerable<ServingProblem> Common(Adapter adapter, ServingEffect effect)
    {
        var config = adapter.Config;
        var carried = CarriedKinds.Of(adapter).Select(c => c.Kind).ToHashSet(StringComparer.Ordinal);
        if (config.UseDora || adapter.Modules.Any(m => m.HasMagnitude))
            yield return new(Dora, effect == ServingEffect.Ignored ? ServingEffect.Wrong : effect, "It is a DoRA, whose magnitudes are not applied.");
        if (config.Bias != TrainedBias.None || config.LoraBias || adapter.Modules.Any(m => m.HasBias) || carried.Overlaps(["bias", "lora-bias"]))
            yield return new(Biases, effect, "It has biases.");
        if (!config.ModulesToSave.IsEmpty || config.HasTrainedTokens || carried.Overlaps(["saved-module", "token-rows"]))
            yield return new(SavedModules, effect, "It has parameters that are saved whole.");
        if (adapter.Modules.Where(m => m.Kind != ModuleKind.Linear).Select(m => m.Kind).Distinct().ToList() is { Count: > 0 } kinds)
            yield return new(NotLinear, effect, $"It changes modules that are no linear layers ({string.Join(", ", kinds)}).");
        if (config.IsActivatedByTokens)
            yield return new(ActivatedByTokens, ServingEffect.Wrong, "It acts only after certain tokens, and would act always.");
        // Both read alpha, r and use_rslora alone.
        var scaling = config.UseRsLora ? config.Alpha / Math.Sqrt(config.Rank) : config.Alpha / config.Rank;
        if (adapter.Modules.Any(m => Math.Abs(m.Scaling - scaling) > 1e-12 * Math.Abs(scaling)))
            yield return new(ScalingsDiffer, ServingEffect.Wrong, "Its modules have different scalings, by rank_pattern or alpha_pattern; one scaling is applied to all.");
    }

    private static IEnumerable<ServingProblem> OfLorax(Adapter adapter)
    {
        var linear = adapter.Modules.Where(m => m.Kind == ModuleKind.Linear).ToList();
        if (linear.GroupBy(m => LayerCoverage.Suffix(m.Name), StringComparer.Ordinal).FirstOrDefault(g => g.Select(m => m.Rank).Distinct().Count() > 1) is { } uneven)
            yield return new(RanksDiffer, ServingEffect.Refused, $"The ranks of '{uneven.Key}' differ from layer to layer.");
        else if (linear.FirstOrDefault(m => m.Rank != LeastRank && m.Rank % RankBlock != 0) is { } padded)
            yield return new(RankPadded, ServingEffect.Wrong, $"Rank {padded.Rank} is padded to another, by which alpha is then divided; {LeastRank} and multiples of {RankBlock} are not.");
        var (missing, unknown) = LayerCoverage.Of(linear);
        if (missing.Select(m => m.Name).Concat(unknown).Select(LayerCoverage.Suffix).Distinct(StringComparer.Ordinal).ToList() is { Count: > 0 } absent)
            yield return new(LayersMissing, ServingEffect.Ignored, $"Not all layers have {string.Join(", ", absent.Select(a => $"'{a}'"))}, which is left out of all of them.");
        else if (linear.Select(m => LayerCoverage.LayerOf(m.Name)).OfType<(string Stack, int Index)>().GroupBy(l => l.Stack, l => l.Index).Any(s => s.Distinct().Count() <= s.Max()))
            yield return new(LayersMissing, ServingEffect.Ignored, "It changes some layers only; modules that not all layers have are left out of all of them.");
    }
}
