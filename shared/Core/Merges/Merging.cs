using System.Collections.Immutable;
using Marketplace.Core.Algebra;

namespace Marketplace.Core.Merges;

/// <summary>A module of the result.</summary>
/// <param name="Module">Name, kind, shape and rank; its scaling is 1.</param>
/// <param name="Delta">Its factors.</param>
/// <param name="Report">What became of it.</param>
public sealed record MergedModule(TargetModule Module, LowRankDelta Delta, ModuleReport Report);

/// <summary>Carries out plans, one module at a time, with whatever kernels compute.</summary>
public static class Merging
{
    /// <summary>Carries out a plan with the reference kernels. Modules are computed as they are asked for, so that one is in memory at a time.</summary>
    /// <param name="plan">The plan.</param>
    /// <param name="inputs">The adapters it was made for.</param>
    /// <exception cref="NotFiniteNumberException">While enumerating: a factor that has to be recompressed holds NaN or infinity.</exception>
    public static IEnumerable<MergedModule> Run(MergePlan plan, IReadOnlyList<Adapter> inputs)
    {
        foreach (var module in MergePrepass.Run(plan, inputs, ReferenceKernels.Instance).Modules)
            yield return Merge(module, inputs, ReferenceKernels.Instance);
    }

    /// <summary>Computes one module; may be called from several threads for different modules.</summary>
    /// <param name="module">What to compute, of a plan that <see cref="MergePrepass"/> went over.</param>
    /// <param name="inputs">The adapters of the plan.</param>
    /// <param name="kernels">Who computes.</param>
    /// <param name="cancellation">Looked at now and then.</param>
    /// <exception cref="NotFiniteNumberException">A factor that has to be recompressed holds NaN or infinity.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public static MergedModule Merge(
        PlannedModule module, IReadOnlyList<Adapter> inputs, IMergeKernels kernels, CancellationToken cancellation = default)
    {
        var name = module.Module.Name;
        var leaves = new LowRankDelta?[inputs.Count];
        foreach (var leaf in module.Nodes.SelectMany(n => n.Node.Inputs).Select(i => i.Leaf).Where(l => l >= 0).Distinct())
            leaves[leaf] = inputs[leaf].Delta(name);
        var results = new Recompression?[module.Nodes.Length];
        for (var n = 0; n < results.Length; n++)
        {
            cancellation.ThrowIfCancellationRequested();
            results[n] = Compute(module, module.Nodes[n], leaves, results, inputs, kernels, cancellation);
        }

        // Every module has an adapter that brings it, and every adapter leads to the last node.
        var (planned, result) = (module.Nodes[^1], results[^1]!);
        return new(
            module.Module with { Rank = result.Delta.Rank }, result.Delta,
            new(name, module.Module.Rank, result.Delta.Rank, result.Norm, result.DiscardedNorm, module.MissingIn)
            {
                Parents = Contributions.Of(leaves, result.Delta, kernels),
                Crosstalk = module.Nodes.Any(n => n.Node.Method.ReportsCrosstalk) ? Crosstalk.Of(name, [.. leaves.Select(l => l?.A)])?.Value : null,
                General = planned.Node.Method.SubtractsGeneral ? General(planned, leaves, results, result.Delta) : null,
                NestedDiscarded = results[..^1].Max(r => r is { Norm: > 0 } ? r.DiscardedNorm / r.Norm : 0d, 0),
            });
    }

    private static GeneralKnowledge General(PlannedNode planned, LowRankDelta?[] leaves, Recompression?[] results, LowRankDelta result)
    {
        LowRankDelta?[] inputs = [.. planned.Node.Inputs.Select(i => i.Leaf >= 0 ? leaves[i.Leaf] : results[i.Node]?.Delta)];
        return GeneralKnowledge.Of(
            inputs[0] is { } target ? Deltas.WeightedSum([(planned.Weights[0], target)]) : null,
            [.. inputs.Zip(planned.Weights).Skip(1).Where(i => i.First is not null).Select(i => (i.Second, i.First!))],
            planned.Weights.Skip(1).Sum(), result);
    }

    private static Recompression? Compute(
        PlannedModule module, PlannedNode planned, LowRankDelta?[] leaves, Recompression?[] results, IReadOnlyList<Adapter> inputs,
        IMergeKernels kernels, CancellationToken cancellation)
    {
        var node = planned.Node;
        ImmutableArray<StepInput> step = [.. node.Inputs.Select((input, i) => new StepInput(
            input.Leaf >= 0 ? leaves[input.Leaf] : results[input.Node]?.Delta,
            planned.Weights[i],
            planned.InputParameters[i],
            input.Leaf >= 0 ? inputs[input.Leaf].Find(module.Module.Name)?.Scaling ?? 1 : 1,
            input.Key,
            planned.Thresholds.IsEmpty ? null : planned.Thresholds[i]))];
        if (step.All(i => i.Delta is null))
            return null;
        var rank = node.Rank ?? node.Method.Rank switch
        {
            DefaultRank.Lossless => RankPolicy.Lossless,
            DefaultRank.LargestInput => new RankPolicy(step.Max(i => i.Delta?.Rank ?? 0)),
            _ => null,
        };
        return node.Method.Compute(new(module.Module, step, planned.Parameters, rank, node.Seed, cancellation), kernels);
    }

    private static double Max<T>(this IEnumerable<T> source, Func<T, double> value, double least) => source.Select(value).Append(least).Max();
}
