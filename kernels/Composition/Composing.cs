using System.Collections.Immutable;
using Marketplace.Core;
using Marketplace.Core.Composition;
using Marketplace.Core.Formats;
using Marketplace.Core.Merges;
using Marketplace.Kernels.Models;
using Algebra = Marketplace.Core.Algebra;

namespace Marketplace.Kernels.Composition;

/// <summary>
/// Between learning and merging: the modules of a merge plan as adapters with coefficients, and, when these are learned, the same plan with a formula that has them. So the result comes about
/// as that of any merge: module by module from the adapters' own factors in float64.
/// </summary>
internal static class Composing
{
    /// <summary>The plan's modules in a model, with coefficients where learning starts. False with every module that the model does not have.</summary>
    public static bool TryCompose(
        LanguageModel model, MergePlan plan, IReadOnlyList<Adapter> inputs, CompositionSettings settings, IMergeKernels kernels,
        [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out ComposedAdapters? composed, out ImmutableArray<WeightsProblem> problems)
    {
        composed = null;
        var found = new List<WeightsProblem>();
        var layers = plan.Modules.Select(m => ComposedAdapters.Find(model, m.Module, found)).ToList();
        problems = [.. found];
        if (!problems.IsEmpty)
            return false;
        composed = new(model.Device);
        foreach (var (layer, module) in layers.Zip(plan.Modules))
            composed.Add(layer!, ModuleTerms.Of(settings, Step(module, inputs), kernels));
        return true;
    }

    /// <summary>The plan with the learned formula.</summary>
    /// <param name="plan">What was learned.</param>
    /// <param name="settings">How.</param>
    /// <param name="tables">What came of it; see <see cref="ComposedAdapters.Download"/>.</param>
    public static MergePlan Learned(MergePlan plan, CompositionSettings settings, IReadOnlyDictionary<string, Matrix> tables)
    {
        Algebra.Recompression Compute(MergeStep step, IMergeKernels kernels)
        {
            var terms = ModuleTerms.Of(settings, step, kernels);
            return kernels.Recompress(terms.Sum(tables[terms.Group]), step.Rank ?? Algebra.RankPolicy.Lossless);
        }

        return plan with
        {
            Modules = [.. plan.Modules.Select(m => m with
            {
                Nodes = [.. m.Nodes.Select(n => n with { Node = n.Node with { Method = n.Node.Method with { Compute = Compute } } })],
            })],
        };
    }

    private static MergeStep Step(PlannedModule module, IReadOnlyList<Adapter> inputs)
    {
        var node = module.Nodes[^1];
        return new(
            module.Module,
            [.. node.Node.Inputs.Select((input, i) => new StepInput(inputs[input.Leaf].Delta(module.Module.Name), 1, node.InputParameters[i], Key: input.Key))],
            node.Parameters, null, node.Node.Seed);
    }
}
