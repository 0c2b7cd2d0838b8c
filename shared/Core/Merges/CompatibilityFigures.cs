using System.Collections.Immutable;
using System.Text.Json.Serialization;

namespace Marketplace.Core.Merges;

/// <summary>Tensors of an adapter that are no LoRA factors.</summary>
/// <param name="Kind"><c>saved-module</c>, <c>bias</c>, <c>token-rows</c>, <c>lora-bias</c> or <c>dora-magnitude</c>.</param>
/// <param name="Count">How many.</param>
/// <param name="First">The first of them by name.</param>
/// <param name="Refused">Whether a merge refuses the adapter because of them; otherwise they are left out of the result and reported.</param>
public sealed record CarriedTensors(string Kind, int Count, string First, bool Refused);

/// <summary>One adapter by itself.</summary>
/// <param name="Name">As it was named.</param>
/// <param name="Modules">Number of modules.</param>
/// <param name="SmallestRank">The smallest rank of a module.</param>
/// <param name="LargestRank">The largest.</param>
/// <param name="Scalings">The scalings that occur, ascending.</param>
/// <param name="Norm">|ΔW| over all modules that can be compared.</param>
/// <param name="Carried">What it holds beside factors.</param>
public sealed record AdapterFigures(
    string Name, int Modules, int SmallestRank, int LargestRank, ImmutableArray<double> Scalings, double Norm, ImmutableArray<CarriedTensors> Carried);

/// <summary>One module of all adapters; the lists have an entry for each adapter, null where it lacks the module.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Out">Rows of ΔW.</param>
/// <param name="In">Columns of ΔW.</param>
/// <param name="Ranks">r.</param>
/// <param name="Scalings">s.</param>
/// <param name="Norms">|ΔW|.</param>
/// <param name="LowestCosine">The smallest cosine of any pair; null where fewer than two change the module.</param>
/// <param name="SumRank">Numerical rank of Σ ΔW.</param>
public sealed record ModuleFigures(
    string Name, int Out, int In, ImmutableArray<int?> Ranks, ImmutableArray<double?> Scalings, ImmutableArray<double?> Norms, double? LowestCosine, int SumRank);

/// <summary>Which modules the adapters share.</summary>
/// <param name="InAll">Number of modules that every adapter has.</param>
/// <param name="InSome">The others, with who lacks them.</param>
public sealed record ModuleCoverage(int InAll, ImmutableArray<PartialModule> InSome);

/// <summary>A module that not every adapter has.</summary>
/// <param name="Module">Its name.</param>
/// <param name="MissingIn">Indices of the adapters that lack it; there ΔW counts as zero.</param>
public sealed record PartialModule(string Module, ImmutableArray<int> MissingIn);

/// <summary>Whether two adapters are one: by |ΔW₁ − ΔW₂| ∕ max(|ΔW₁|, |ΔW₂|).</summary>
[JsonConverter(typeof(JsonStringEnumConverter<Duplication>))]
public enum Duplication
{
    /// <summary>They differ.</summary>
    [JsonStringEnumMemberName("none")]
    None,

    /// <summary>By less than 10⁻³: rounding to half precision, or a few more steps of training.</summary>
    [JsonStringEnumMemberName("near")]
    Near,

    /// <summary>By less than 10⁻⁶: the same ΔW, however it is factored.</summary>
    [JsonStringEnumMemberName("exact")]
    Exact,
}

/// <summary>A number of one module.</summary>
/// <param name="Module">Its name.</param>
/// <param name="Value">The number.</param>
public sealed record ModuleValue(string Module, double Value);

/// <summary>Cosines module by module; modules where either adapter changes nothing have none.</summary>
/// <param name="Min">The smallest.</param>
/// <param name="Median">The middle one; of an even number the mean of the two.</param>
/// <param name="Max">The largest.</param>
/// <param name="Lowest">The modules with the smallest ones, ascending.</param>
public sealed record ModuleCosines(double Min, double Median, double Max, ImmutableArray<ModuleValue> Lowest);

/// <summary>Two adapters held against each other.</summary>
/// <param name="First">Index of one.</param>
/// <param name="Second">Index of the other, larger.</param>
/// <param name="SharedModules">Modules that both have.</param>
/// <param name="Cosine">Of ΔW over all modules, inner products summed before they are normalised; 0 where either vanishes.</param>
/// <param name="RelativeDistance">|ΔW₁ − ΔW₂| ∕ max(|ΔW₁|, |ΔW₂|); 0 where both vanish.</param>
/// <param name="Duplication">What follows from the distance.</param>
/// <param name="Cosines">Module by module; null where no module is changed by both.</param>
/// <param name="Signs">Agreement of the signs of ΔW; null where no entry is changed by both.</param>
/// <param name="Crosstalk">
/// The largest |A₁A₂ᵀ|₂ ∕ (|A₁|₂·|A₂|₂) of any module, of A as it is stored: how much the two read the same directions of the input. Null without shared modules.
/// </param>
/// <param name="Spans">How far they read and write the same directions, and how far they complement each other; null where either changes nothing.</param>
public sealed record PairFigures(
    int First, int Second, int SharedModules, double Cosine, double RelativeDistance, Duplication Duplication,
    ModuleCosines? Cosines, SignAgreement? Signs, ModuleValue? Crosstalk, PairOverlap? Spans = null);

/// <summary>What keeping a rank keeps.</summary>
/// <param name="Rank">At most so many ranks in each module.</param>
/// <param name="Energy">Share of |Σ ΔW|² that is kept, over all modules; 1 where the sum vanishes.</param>
public sealed record RankEnergy(int Rank, double Energy);

/// <summary>What an exact merge with equal weights, Σ ΔW ∕ K, would come to.</summary>
/// <param name="Norm">|Σ ΔW| ∕ K.</param>
/// <param name="NormRatio">The same, divided by the mean |ΔW| of the adapters: 1 for copies, about 1 ∕ √K for unrelated ones; 0 where all vanish.</param>
/// <param name="LargestRank">The largest numerical rank of a module: what a lossless result needs.</param>
/// <param name="Kept">What smaller ranks keep.</param>
public sealed record SumForecast(double Norm, double NormRatio, int LargestRank, ImmutableArray<RankEnergy> Kept);

/// <summary>Something to know before merging.</summary>
/// <param name="Code">One of the constants of <see cref="CompatibilityWarnings"/> or, for what a merge refuses, of <see cref="MergeProblem"/>.</param>
/// <param name="Message">The same in words.</param>
/// <param name="Adapters">Indices of the adapters concerned.</param>
/// <param name="Refused">Whether a merge is refused because of it.</param>
public sealed record CompatibilityWarning(string Code, string Message, ImmutableArray<int> Adapters, bool Refused = false);
