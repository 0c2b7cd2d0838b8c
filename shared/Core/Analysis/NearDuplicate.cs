using System.Globalization;

namespace Marketplace.Core.Analysis;

/// <summary>What makes an adapter nearly another's copy, in words.</summary>
/// <param name="Comparison">The adapter against the other one.</param>
/// <param name="Rank">Its largest rank.</param>
/// <param name="OtherRank">The other's.</param>
/// <param name="SameFactors">Whether even A and B agree.</param>
public sealed record NearDuplicate(PairComparison Comparison, int Rank, int OtherRank, bool SameFactors)
{
    /// <summary>The difference up to which two ΔW are one: that of summing in another order.</summary>
    public const double Same = 1e-6;

    /// <summary>The difference that storing in a narrower type leaves; bfloat16 makes 0.2 %.</summary>
    public const double Rounding = 0.01;

    /// <summary>Compares two adapters; null where they can't be compared.</summary>
    /// <param name="first">The one that arrives.</param>
    /// <param name="sketch">Its sketch.</param>
    /// <param name="second">The one that is there.</param>
    /// <param name="other">Its sketch.</param>
    public static NearDuplicate? Of(Adapter first, AdapterSketch sketch, Adapter second, AdapterSketch other) => PairComparison.Of(first, second) is { } comparison
        ? new(comparison, MaxRank(first), MaxRank(second), AdapterSketch.FlatAbCosine(sketch, other) > 1 - Rounding)
        : null;

    /// <summary>How the two agree: a phrase that completes "ΔW is 0.99 of acme/sql@3: ".</summary>
    public string Describe()
    {
        var scaled = Math.Abs(Comparison.Scale - 1) > Rounding;
        if (Comparison.Residual > Rounding)
            return string.Create(CultureInfo.InvariantCulture, $"close to it, with {Comparison.RelativeDistance:0.###} of its size between them");
        var text = scaled ? string.Create(CultureInfo.InvariantCulture, $"the same direction, scaled by {Comparison.Scale:0.###}")
            : Comparison.RelativeDistance <= Same ? "the same ΔW"
            : string.Create(CultureInfo.InvariantCulture, $"the same ΔW up to rounding (relative difference {Comparison.RelativeDistance:0.0e0})");
        return Rank != OtherRank ? $"{text}, at rank {Rank} instead of {OtherRank}" : SameFactors ? text : $"{text}, in other factors";
    }

    private static int MaxRank(Adapter adapter) => adapter.Modules.Select(m => m.Rank).DefaultIfEmpty().Max();
}
