using System.Collections.Immutable;
using Marketplace.Core.Formats;

namespace Marketplace.Core.Merges;

/// <summary>What adapters hold beside factors, and what a merge does with it.</summary>
internal static class CarriedKinds
{
    /// <summary>The tensors of an adapter that are no factors, by kind.</summary>
    public static ImmutableArray<CarriedTensors> Of(Adapter adapter) =>
    [
        .. adapter.Carried.GroupBy(Kind).OrderBy(g => g.Key, StringComparer.Ordinal)
            .Select(g => new CarriedTensors(g.Key, g.Count(), g.First(), g.Key is "lora-bias" or "dora-magnitude")),
    ];

    private static string Kind(string tensor) => TensorName.Parse(tensor).Part switch
    {
        TensorPart.Magnitude => "dora-magnitude",
        TensorPart.FactorBias => "lora-bias",
        TensorPart.TokenRows => "token-rows",
        _ => tensor.EndsWith(".bias", StringComparison.Ordinal) ? "bias" : "saved-module",
    };
}
