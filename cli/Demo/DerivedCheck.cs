using Marketplace.Core;
using Marketplace.Core.Algebra;

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

    private static double Square(double x) => x * x;
}
