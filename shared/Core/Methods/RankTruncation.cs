using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Marketplace.Core.Formats;
using Marketplace.Core.Merges;

namespace Marketplace.Core.Methods;

/// <summary>
/// An adapter at a smaller rank: each module's ΔW is replaced by its best approximation of that rank (Eckart–Young), and all is written in the serving
/// profile. Since B = U√S and A = √S·Vt, the factors of a smaller rank are the first columns and rows of those of a larger one.
/// </summary>
/// <param name="Export">The files.</param>
/// <param name="Report">Ranks and discarded norms per module.</param>
public sealed record RankTruncation(ServingExport Export, MergeReport Report)
{
    /// <summary>Version of the method; part of the place where the results are stored.</summary>
    public const string Version = "ranks-1";

    /// <summary>Truncates an adapter, modules side by side.</summary>
    /// <param name="adapter">The adapter.</param>
    /// <param name="rank">The rank of the result, also where modules need less; at least 1.</param>
    /// <param name="type">Element type of the factors.</param>
    /// <param name="truncation">The result, if there are no problems.</param>
    /// <param name="problems">
    /// Every reason why not: DoRA magnitudes, biases beside B, tensors that are no factors and would be lost (codes of <see cref="MergeProblem"/>), values
    /// beyond the type's range or precision (codes of <see cref="ExportProblem"/>).
    /// </param>
    public static bool TryCreate(
        Adapter adapter, int rank, TensorType type, [NotNullWhen(true)] out RankTruncation? truncation, out ImmutableArray<ExportProblem> problems)
    {
        truncation = null;
        var recipe = MergeRecipe.Over("svd", 1) with { Rank = rank, Carried = CarriedPolicy.Refuse };
        if (!MergePlan.TryCreate(recipe, [adapter], out var plan, out var refused))
        {
            problems = [.. refused.Select(p => new ExportProblem(p.Code, p.Message, p.Module))];
            return false;
        }

        var reports = new List<ModuleReport>(plan.Modules.Length);
        var modules = plan.Modules.AsParallel().AsOrdered().WithMergeOptions(ParallelMergeOptions.NotBuffered)
            .Select(m => Merging.Merge(m, [adapter], ReferenceKernels.Instance)).AsEnumerable().Select(m =>
            {
                reports.Add(m.Report);
                return m;
            });
        var options = ServingOptions.For(adapter.Config.BaseModel ?? "", type, [adapter.Config]) with { Rank = rank };
        if (!ServingExport.TryCreate(modules, options, out var export, out problems))
            return false;
        truncation = new(export, new MergeReport([.. reports], plan.NotMerged));
        return true;
    }
}
