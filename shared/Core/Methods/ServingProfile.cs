using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using Marketplace.Core.Algebra;
using Marketplace.Core.Formats;
using Marketplace.Core.Merges;

namespace Marketplace.Core.Methods;

/// <summary>
/// An adapter as it is, without any rank given up, in the form that vLLM and LoRAX load and mean the same by: scaling folded into B (alpha = r, no rsLoRA, no patterns), one rank of <see cref="ServingExport.Ranks"/>
/// for all modules by columns and rows of zeros, every kind of module in every layer from the first to the last one adapted, target modules by explicit names, and nothing beside the factors.
/// </summary>
public static class ServingProfile
{
    /// <summary>Version of the method; part of the place where the results are stored.</summary>
    public const string Version = "serving-1";

    /// <summary>Whether an adapter's own files have that form already.</summary>
    /// <param name="adapter">The adapter.</param>
    /// <param name="types">Element types of its factors.</param>
    public static bool Has(Adapter adapter, IReadOnlyCollection<TensorType> types)
    {
        var config = adapter.Config;
        return config is
        {
            UseRsLora: false, RankPattern.IsEmpty: true, AlphaPattern.IsEmpty: true, TargetModules: { Pattern: null, IsAllLinear: false }, ExcludeModules: null, LayersToTransform.IsEmpty: true, TargetParameters.IsEmpty: true,
        }
            && config.Alpha == config.Rank && ServingExport.Ranks.Contains(config.Rank) && adapter.Modules.All(m => m.Rank == config.Rank)
            && types is { Count: 1 } && types.All(t => t is TensorType.F32 or TensorType.BF16 or TensorType.F16)
            && Check(adapter).IsEmpty;
    }

    /// <summary>What vLLM or LoRAX would still make of an adapter that it is not; none if both serve it as it is.</summary>
    public static ImmutableArray<ExportProblem> Check(Adapter adapter)
    {
        var check = ServingLimits.Check(adapter);
        return [.. check.Vllm.Concat(check.Lorax).DistinctBy(p => p.Code).Select(p => new ExportProblem(p.Code, p.Message))];
    }

    /// <summary>Rewrites an adapter, one module at a time. ΔW stays what it is but for the rounding that <see cref="ServingExport"/> bounds.</summary>
    /// <param name="adapter">The adapter.</param>
    /// <param name="type">Element type of the factors.</param>
    /// <param name="export">The files, if there are no problems.</param>
    /// <param name="problems">
    /// Every reason why not: DoRA magnitudes, biases beside B, tensors that are no factors and would be lost (codes of <see cref="MergeProblem"/>); ranks, kinds and gaps that servers don't take, values beyond the type's range
    /// or precision (codes of <see cref="ExportProblem"/>).
    /// </param>
    public static bool TryCreate(Adapter adapter, TensorType type, [NotNullWhen(true)] out ServingExport? export, out ImmutableArray<ExportProblem> problems)
    {
        export = null;
        // What can't be in a merge's result can't be here, for the same reasons.
        if (!MergePlan.TryCreate(MergeRecipe.Over("svd", 1) with { Carried = CarriedPolicy.Refuse }, [adapter], out _, out var refused))
        {
            problems = [.. refused.Select(p => new ExportProblem(p.Code, p.Message, p.Module))];
            return false;
        }

        if (!ServingExport.TryCreate(adapter.Modules.Select(m => Whole(adapter, m)).Concat(Gaps(adapter)), ServingOptions.For(adapter.Config.BaseModel ?? "", type, [adapter.Config]), out var made, out problems))
            return false;
        problems = [.. Limits(made.Report)];
        if (!problems.IsEmpty)
            return false;
        export = made;
        return true;
    }

    private static MergedModule Whole(Adapter adapter, TargetModule module)
    {
        var delta = adapter.Delta(module.Name)!;
        return new(module with { Rank = delta.Rank, Scaling = 1 }, delta, new ModuleReport(module.Name, delta.Rank, delta.Rank, Deltas.Norm(delta), 0, []));
    }

    // Layers below the last one that the adapter leaves alone: LoRAX drops a kind of module that not all layers have. What varies in shape from layer to layer is left for the limits to refuse.
    private static IEnumerable<MergedModule> Gaps(Adapter adapter)
    {
        var layered = adapter.Modules.Select(m => (Module: m, Layer: LayerCoverage.LayerOf(m.Name))).Where(m => m.Layer is not null)
            .Select(m => (m.Module, m.Layer!.Value.Stack, m.Layer.Value.Index, Part: m.Module.Name[string.Create(CultureInfo.InvariantCulture, $"{m.Layer.Value.Stack}{m.Layer.Value.Index}").Length..]));
        foreach (var stack in layered.GroupBy(m => m.Stack, StringComparer.Ordinal))
        {
            var present = stack.Select(m => m.Index).ToHashSet();
            foreach (var kind in stack.GroupBy(m => m.Part, StringComparer.Ordinal).Where(k => k.Select(m => (m.Module.Kind, m.Module.Out, m.Module.In, m.Module.Kernel)).Distinct().Count() == 1))
            {
                var like = kind.First().Module;
                foreach (var index in Enumerable.Range(0, present.Max()).Where(i => !present.Contains(i)))
                {
                    var module = like with { Name = string.Create(CultureInfo.InvariantCulture, $"{stack.Key}{index}{kind.Key}"), Rank = 1, Scaling = 1 };
                    yield return new(module, new LowRankDelta(new Matrix(module.Out, 1), new Matrix(1, module.In)), new ModuleReport(module.Name, 0, 0, 0, 0, []));
                }
            }
        }
    }

    private static IEnumerable<ExportProblem> Limits(ExportReport report)
    {
        if (report.RankBeyondServers)
            yield return new(ExportProblem.RankBeyondServers, $"It has rank {report.Rank}, and servers take {ServingExport.Ranks[^1]} at most; a variant of a smaller rank is in their form.");
        foreach (var module in report.RefusedByServers)
            yield return new(ExportProblem.KindNotServed, $"{module} is an embedding or a convolution, which servers don't adapt.", module);
        foreach (var module in report.NotFilled)
            yield return new(ExportProblem.CoverageIncomplete, $"{module} is missing, and its shape can't be told from the other layers.", module);
    }
}
