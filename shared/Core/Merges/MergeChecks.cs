using Marketplace.Core.Methods;

namespace Marketplace.Core.Merges;

/// <summary>What must hold before adapters are combined; every check adds what it finds.</summary>
internal static class MergeChecks
{
    /// <summary>What must hold before ΔW of different adapters is compared.</summary>
    public static void Comparable(List<MergeProblem> found, IReadOnlyList<Adapter> inputs)
    {
        for (var i = 0; i < inputs.Count; i++)
            Dora(found, inputs[i], i);
        Shapes(found, inputs);
    }

    /// <summary>What must hold before ΔW of different adapters is combined.</summary>
    public static void Inputs(List<MergeProblem> found, IReadOnlyList<Adapter> inputs, CarriedPolicy carried)
    {
        if (inputs.All(a => a.Modules.IsEmpty))
            found.Add(new(MergeProblem.NoModules, "None of the adapters adapts any module."));
        for (var i = 0; i < inputs.Count; i++)
        {
            Dora(found, inputs[i], i);
            Each(found, inputs[i], i, m => m.HasBias, MergeProblem.LoraBiasNotMergeable,
                "has a bias beside lora_B, which the result could not hold");
            if (carried == CarriedPolicy.Refuse && inputs[i].Carried is [var first, ..] all)
                found.Add(new(MergeProblem.CarriedNotMergeable, $"{first} is no LoRA factor, and can't be merged ({all.Length} such tensors).", i));
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
