using Marketplace.Core.Algebra;

namespace Marketplace.Core.Methods;

/// <summary>What must hold before adapters are combined; every check adds what it finds.</summary>
internal static class MergeChecks
{
    private const double SmallestSum = 1e-8; // mergekit's guard for a divisor that vanishes

    public static void Weights(List<MergeProblem> found, IReadOnlyList<double> weights, int inputs, bool normalize, double factor)
    {
        if (weights.Count != inputs)
            found.Add(new(MergeProblem.WeightsCount, $"{weights.Count} weights are given for {inputs} adapters."));
        if (!double.IsFinite(factor) || !weights.All(double.IsFinite))
            found.Add(new(MergeProblem.WeightsNotFinite, "Weights and factors must be finite numbers."));
        else if (normalize && weights.Count > 0 && Math.Abs(weights.Sum()) < SmallestSum)
            found.Add(new(MergeProblem.WeightsSumToZero, "The weights are to be divided by their sum, which is zero."));
    }

    public static void Rank(List<MergeProblem> found, RankPolicy? policy)
    {
        if (policy?.Invalid is { } reason)
            found.Add(new(MergeProblem.RankInvalid, reason));
    }

    /// <summary>What must hold before ΔW of different adapters is compared.</summary>
    public static void Comparable(List<MergeProblem> found, IReadOnlyList<Adapter> inputs)
    {
        for (var i = 0; i < inputs.Count; i++)
            Dora(found, inputs[i], i);
        Shapes(found, inputs);
    }

    public static void Inputs(List<MergeProblem> found, IReadOnlyList<Adapter> inputs)
    {
        if (inputs.Count == 0)
            found.Add(new(MergeProblem.NoInputs, "There is no adapter to combine."));
        else if (inputs.All(a => a.Modules.IsEmpty))
            found.Add(new(MergeProblem.NoModules, "None of the adapters adapts any module."));
        for (var i = 0; i < inputs.Count; i++)
        {
            Dora(found, inputs[i], i);
            Each(found, inputs[i], i, m => m.HasBias, MergeProblem.LoraBiasNotMergeable,
                "has a bias beside lora_B, which the result could not hold");
        }
        Shapes(found, inputs);
    }

    private static void Dora(List<MergeProblem> found, Adapter adapter, int input) =>
        Each(found, adapter, input, m => m.HasMagnitude, MergeProblem.DoraNotMergeable,
            "has DoRA magnitudes: its change depends on the base weights, which an adapter's files do not hold");

    private static void Each(List<MergeProblem> found, Adapter adapter, int input, Func<TargetModule, bool> wrong, string code, string message)
    {
        var modules = adapter.Modules.Where(wrong).ToList();
        if (modules.Count > 0)
            found.Add(new(code, $"{modules[0].Name} {message} ({modules.Count} such modules).", input, modules[0].Name));
    }

    private static void Shapes(List<MergeProblem> found, IReadOnlyList<Adapter> inputs)
    {
        var first = new Dictionary<string, TargetModule>(StringComparer.Ordinal);
        for (var i = 0; i < inputs.Count; i++)
            foreach (var module in inputs[i].Modules)
            {
                if (first.TryAdd(module.Name, module))
                    continue;
                var other = first[module.Name];
                if (module.Kind != other.Kind)
                    found.Add(new(MergeProblem.KindMismatch, $"{module.Name} is {module.Kind} here and {other.Kind} in another input.", i, module.Name));
                else if ((module.Out, module.In, module.Kernel) != (other.Out, other.In, other.Kernel))
                    found.Add(new(MergeProblem.ModuleShapeMismatch,
                        $"{module.Name} has shape {module.Out}×{module.In} here and {other.Out}×{other.In} in another input.", i, module.Name));
            }
    }
}
