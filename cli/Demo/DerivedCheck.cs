using Marketplace.Core;
using Marketplace.Core.Algebra;
using Marketplace.Core.Merges;

namespace Marketplace.Cli.Demo;

/// <summary>Compares a derived adapter with the exact weighted sum of its inputs, module by module and without forming ΔW.</summary>
internal static class DerivedCheck
{
    /// <summary>What rounding factors to float32 costs, with room to spare; relative to |ΔW|.</summary>
    public const double Float32Tolerance = 1e-5;

    /// <summary>|ΔW_result − Σ wₑΔWₑ| ∕ |Σ wₑΔWₑ| over all modules.</summary>
    public static double RelativeError(Adapter result, IReadOnlyList<(double Weight, Adapter Adapter)> terms)
    {
        var modules = terms.SelectMany(t => t.Adapter.Modules).Select(m => m.Name).ToHashSet(StringComparer.Ordinal);
        DemoCheck.That(modules.SetEquals(result.Modules.Select(m => m.Name)), "The result has other modules than its inputs.");
        var (error, norm) = (0d, 0d);
        foreach (var module in modules)
        {
            var sum = Deltas.WeightedSum([.. terms.Where(t => t.Adapter.Find(module) is not null).Select(t => (t.Weight, t.Adapter.Delta(module)!))]);
            error += Square(Deltas.Distance(result.Delta(module)!, sum));
            norm += Square(Deltas.Norm(sum));
        }

        return Math.Sqrt(error / norm);
    }

    /// <summary>How far a merge may be from the reference: entries of ΔW are float32 where they decide one by one.</summary>
    public static double Tolerance(MergeRecipe recipe) =>
        MergeMethods.Find(recipe.Method)!.Class == MethodClass.Elementwise ? 1e-3 : Float32Tolerance;

    /// <summary>|ΔW_result − ΔW_reference| ∕ |ΔW_reference| over all modules, and the share of |ΔW| that the reference discards.</summary>
    public static (double Error, double Discarded) AgainstReference(Adapter result, MergeRecipe recipe, IReadOnlyList<Adapter> inputs)
    {
        DemoCheck.That(MergePlan.TryCreate(recipe, inputs, out var plan, out _), $"The recipe of {recipe.Output!.Adapter} is refused here.");
        var modules = Merging.Run(plan!, inputs).ToList();
        var error = modules.Sum(m => Square(Deltas.Distance(result.Delta(m.Module.Name)!, m.Delta)));
        var norm = modules.Sum(m => Square(Deltas.Norm(m.Delta)));
        return (Math.Sqrt(error / norm), new MergeReport([.. modules.Select(m => m.Report)], plan!.NotMerged).RelativeDiscarded);
    }

    private static double Square(double x) => x * x;
}
