using Marketplace.Core;
using Marketplace.Core.Composition;
using Marketplace.Core.Formats;
using Marketplace.Core.Merges;
using Marketplace.Kernels.Merges;
using Marketplace.Kernels.Models;
using Marketplace.Storage.Jobs;

namespace Marketplace.Kernels.Composition;

/// <summary>Search over the weights of any merge: each evaluation is the merge with these weights, applied unmerged to the model.</summary>
internal static class RecipeSearch
{
    /// <summary>The plan with other weights, the same for all modules.</summary>
    public static MergePlan With(MergePlan plan, double[] weights) => plan with
    {
        Modules = [.. plan.Modules.Select(m => m with { Nodes = [.. m.Nodes.Select(n => n with { Weights = [.. weights] })] })],
    };

    /// <summary>What was found, as a table of one row for each input.</summary>
    /// <exception cref="JobFailureException">What the merge makes is none of the model's.</exception>
    public static (LearningLog Log, SortedDictionary<string, Matrix> Tables) Run(
        LanguageModel model, MergePlan plan, IReadOnlyList<Adapter> inputs, IReadOnlyList<Example> examples, IReadOnlyList<Example> heldOut, CompositionSettings settings,
        MergeResources resources, LearningProgress? progress = null, CancellationToken cancellation = default)
    {
        var loss = new ExampleLoss(model, settings.Choice("objective"), settings.Number("temperature"));
        var reported = heldOut.Count > 0 ? heldOut : examples;
        var start = new double[plan.Graph.Root.Inputs.Length];
        var before = loss.Score(() => ActiveAdapters.None, reported);
        var found = Learning.Search(weights => Score(weights, examples)?.Loss ?? double.PositiveInfinity, start, settings, progress, cancellation);
        var after = Score(found.Best, reported)
            ?? throw new JobFailureException("not-mergeable", $"[{MergeProblem.WeightsInvalid}] {plan.Graph.Root.Method.Name} takes none of the weights that were tried.");
        return (
            new([.. found.Values], heldOut.Count > 0 ? [new(0, before)] : [], before, after),
            new(StringComparer.Ordinal) { [""] = new(start.Length, 1, found.Best) });

        ExampleScore? Score(double[] weights, IReadOnlyList<Example> of)
        {
            var weighted = With(plan, weights);
            if (weighted.Modules.Any(m => m.Nodes.Any(n => n.InputParameters.Any(own => n.Node.Method.Refuse(n.Weights, own) is not null))))
                return null;
            var modules = TorchMerge.Run(weighted, inputs, resources, cancellation: cancellation).ToDictionary(m => m.Module.Name, StringComparer.Ordinal);
            using var merged = new Adapter(new AdapterConfig(), modules.Values.Select(m => m.Module), m => modules[m.Name].Delta);
            if (!ActiveAdapters.TryLoad(model, merged, out var active, out var problems))
                throw new JobFailureException("not-mergeable", string.Join(' ', problems.Take(3).Select(p => $"[{p.Code}] {p.Message}")));
            using (active)
                return loss.Score(() => active, of);
        }
    }
}
