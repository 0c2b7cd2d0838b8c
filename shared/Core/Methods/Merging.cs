using Marketplace.Core.Algebra;

namespace Marketplace.Core.Methods;

/// <summary>A module of the result.</summary>
/// <param name="Module">Name, kind, shape and rank; its scaling is 1.</param>
/// <param name="Delta">Its factors.</param>
/// <param name="Report">What became of it.</param>
public sealed record MergedModule(TargetModule Module, LowRankDelta Delta, ModuleReport Report);

/// <summary>The reference numerics of merges and subtractions, in float64, one module at a time.</summary>
public static class Merging
{
    /// <summary>Carries out a plan. Modules are computed as they are asked for, so that one is in memory at a time.</summary>
    /// <param name="plan">The plan.</param>
    /// <param name="inputs">The adapters it was made for.</param>
    /// <exception cref="NotFiniteNumberException">While enumerating: a factor that has to be recompressed holds NaN or infinity.</exception>
    public static IEnumerable<MergedModule> Run(MergePlan plan, IReadOnlyList<Adapter> inputs) =>
        plan.Modules.Select(m => Merge(m, inputs));

    /// <summary>Computes one module; may be called from several threads for different modules.</summary>
    /// <exception cref="NotFiniteNumberException">A factor that has to be recompressed holds NaN or infinity.</exception>
    public static MergedModule Merge(PlannedModule module, IReadOnlyList<Adapter> inputs)
    {
        var terms = module.Terms.Select(t => (t.Coefficient, inputs[t.Input].Delta(module.Module.Name)!)).ToList();
        return Report(module, Merge(terms, module.Rank));
    }

    /// <summary>Σ coefficient·ΔW, recompressed by <paramref name="rank"/> or, where that is null, only concatenated.</summary>
    public static Recompression Merge(IReadOnlyList<(double Coefficient, LowRankDelta Delta)> terms, RankPolicy? rank)
    {
        var sum = Deltas.WeightedSum(terms);
        return rank is null ? new(sum, [], Deltas.Norm(sum), 0) : Recompression.Of(sum, rank);
    }

    /// <summary>Puts a computed module together with its report; for kernels that compute it elsewhere.</summary>
    public static MergedModule Report(PlannedModule module, Recompression result) => new(
        module.Module with { Rank = result.Delta.Rank },
        result.Delta,
        new(module.Module.Name, module.Module.Rank, result.Delta.Rank, result.Norm, result.DiscardedNorm, module.MissingIn));
}
