using System.Collections.Immutable;
using Marketplace.Core.Formats;

namespace Marketplace.Core.Merges;

/// <summary>What adapters hold beside factors, and what a merge does with it.</summary>
internal static class CarriedKinds
{
    /// <summary>The tensors of an adapter that are no factors, by kind.</summary>
    public static ImmutableArray<CarriedTensors> Of(Adapter adapter) =>
    [
        .. adapter.Carried.GroupBy(t => Kind(t, adapter.Config)).OrderBy(g => g.Key, StringComparer.Ordinal)
            .Select(g => new CarriedTensors(g.Key, g.Count(), g.First(), g.Key is "lora-bias" or "dora-magnitude")),
    ];

    private static string Kind(string tensor, AdapterConfig config) => TensorName.Parse(tensor) switch
    {
        { Part: TensorPart.Magnitude } => "dora-magnitude",
        { Part: TensorPart.FactorBias } => "lora-bias",
        { Part: TensorPart.TokenRows } => "token-rows",
        var name => config.Bias != TrainedBias.None && tensor.EndsWith(".bias", StringComparison.Ordinal) && !name.Module.Split('.').Any(config.ModulesToSave.Contains)
            ? "bias"
            : "saved-module",
    };
}
