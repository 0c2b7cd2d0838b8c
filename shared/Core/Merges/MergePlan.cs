using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Marketplace.Core.Methods;

namespace Marketplace.Core.Merges;

/// <summary>One merge of the graph at one module.</summary>
/// <param name="Node">The merge.</param>
/// <param name="Weights">The weight of each of its inputs at this module.</param>
/// <param name="Parameters">Its parameters at this module.</param>
/// <param name="InputParameters">The same for each input, with what it has of its own.</param>
public sealed record PlannedNode(
    MergeNode Node, ImmutableArray<double> Weights, ParameterValues Parameters, ImmutableArray<ParameterValues> InputParameters)
{
    /// <summary>For each input the magnitude from which on its entries are kept, where that follows from all modules; empty before <see cref="MergePrepass"/>.</summary>
    public ImmutableArray<double?> Thresholds { get; init; } = [];
}

/// <summary>What has to be computed for one module.</summary>
/// <param name="Module">Name, kind and shape. Its rank is the sum of the ranks of the adapters that have it, its scaling 1.</param>
/// <param name="Nodes">The merges, in an order in which each can be computed.</param>
/// <param name="MissingIn">Indices of the adapters that lack the module: they count as ΔW = 0.</param>
public sealed record PlannedModule(TargetModule Module, ImmutableArray<PlannedNode> Nodes, ImmutableArray<int> MissingIn)
{
    /// <summary>The rank of each adapter at the module; 0 where it lacks it.</summary>
    public ImmutableArray<int> Ranks { get; init; } = [];
}

/// <summary>
/// A graph of merges, checked against its adapters and worked out module by module, without any factor read: what Core's reference and the kernels both
/// carry out, by <see cref="Merging"/>.
/// </summary>
/// <param name="Graph">The merges.</param>
/// <param name="Modules">The union of the adapters' modules, in ordinal order.</param>
/// <param name="NotMerged">For each adapter, the tensors that are no LoRA factors and so have no place in the result.</param>
public sealed record MergePlan(MergeGraph Graph, ImmutableArray<PlannedModule> Modules, ImmutableArray<ImmutableArray<string>> NotMerged)
{
    /// <summary>Plans a graph.</summary>
    /// <param name="graph">What to do.</param>
    /// <param name="inputs">The adapters at its leaves, in their order; of one base model, which is the caller's to know.</param>
    /// <param name="carried">What happens if they hold more than LoRA factors.</param>
    /// <param name="plan">The plan, if there are no problems.</param>
    /// <param name="problems">Every reason why not.</param>
    public static bool TryCreate(
        MergeGraph graph, IReadOnlyList<Adapter> inputs, CarriedPolicy carried,
        [NotNullWhen(true)] out MergePlan? plan, out ImmutableArray<MergeProblem> problems)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(inputs.Count, graph.Leaves.Length);
        var found = new List<MergeProblem>();
        MergeChecks.Inputs(found, inputs, carried);
        plan = null;
        if (found.Count == 0)
        {
            var names = inputs.SelectMany(a => a.Modules).Select(m => m.Name).Distinct().Order(StringComparer.Ordinal).ToList();
            var layers = Layers(names);
            plan = new(graph, [.. names.Select(n => Plan(n, graph, inputs, Position(n, layers)))], [.. inputs.Select(a => a.Carried)]);
            foreach (var (node, index) in graph.Nodes.Select((node, index) => (node, index)))
                Check(found, node, index, plan, inputs);
        }

        problems = [.. found];
        if (!problems.IsEmpty)
            plan = null;
        return problems.IsEmpty;
    }

    /// <summary>Plans a recipe whose adapters are given in the order in which it names them first.</summary>
    /// <param name="recipe">What to do.</param>
    /// <param name="inputs">The adapters.</param>
    /// <param name="plan">The plan, if there are no problems.</param>
    /// <param name="problems">Every reason why not.</param>
    public static bool TryCreate(
        MergeRecipe recipe, IReadOnlyList<Adapter> inputs, [NotNullWhen(true)] out MergePlan? plan, out ImmutableArray<MergeProblem> problems)
    {
        plan = null;
        var graph = MergeGraph.Create(recipe, name => name, out problems);
        return graph is not null && TryCreate(graph, inputs, recipe.Carried, out plan, out problems);
    }

    private static PlannedModule Plan(string name, MergeGraph graph, IReadOnlyList<Adapter> inputs, double position)
    {
        var present = Enumerable.Range(0, inputs.Count).Where(i => inputs[i].Find(name) is not null).ToList();
        var modules = present.ConvertAll(i => inputs[i].Find(name)!);
        return new(
            modules[0] with { Rank = modules.Sum(m => m.Rank), Scaling = 1 },
            [.. graph.Nodes.Select(node => Plan(node, name, position))],
            [.. Enumerable.Range(0, inputs.Count).Except(present)])
        {
            Ranks = [.. inputs.Select(a => a.Find(name)?.Rank ?? 0)],
        };
    }

    private static PlannedNode Plan(MergeNode node, string module, double position)
    {
        var parameters = new ParameterValues(node.Method, At(node.Parameters));
        return new(
            node,
            [.. node.Inputs.Select(i => i.Weight.At(module, position)?.Number ?? 1)],
            parameters,
            [.. node.Inputs.Select(i => parameters.With(At(i.Parameters)))]);

        ImmutableDictionary<string, RecipeValue> At(ImmutableDictionary<string, RecipeValue> given) => given
            .Select(p => KeyValuePair.Create(p.Key, p.Value.At(module, position))).Where(p => p.Value is not null)
            .ToImmutableDictionary(p => p.Key, p => p.Value!, StringComparer.Ordinal);
    }

    // Weights that a method can't use are found before anything is computed: they may differ from module to module.
    private static void Check(List<MergeProblem> found, MergeNode node, int index, MergePlan plan, IReadOnlyList<Adapter> inputs)
    {
        if (MergePrepass.Refuse([.. plan.Modules.Select(m => m.Nodes[index])]) is { } impossible)
            found.Add(new(MergeProblem.WeightsInvalid, impossible, Place: node.Place));
        foreach (var module in plan.Modules)
        {
            var planned = module.Nodes[index];
            if (planned.InputParameters.Select(own => node.Method.Refuse(planned.Weights, own)).FirstOrDefault(r => r is not null) is { } reason)
            {
                found.Add(new(MergeProblem.WeightsInvalid, reason, Module: module.Module.Name, Place: node.Place));
                return;
            }

            if (node.Method.Class == MethodClass.Factorwise && FactorsDiffer(node, module.Module.Name, inputs) is { } difference)
            {
                found.Add(new(MergeProblem.FactorsNotComparable, difference, Module: module.Module.Name, Place: node.Place));
                return;
            }
        }
    }

    private static string? FactorsDiffer(MergeNode node, string module, IReadOnlyList<Adapter> inputs)
    {
        if (node.Inputs.Any(i => i.Leaf < 0))
            return $"{node.Method.Name} works on the factors A and B of adapters as they were trained, which a nested recipe has not.";
        var modules = node.Inputs.Select(i => inputs[i.Leaf].Find(module)).ToList();
        if (modules.All(m => m is null))
            return null;
        return modules.Select(m => m?.Rank).Distinct().Count() > 1 ? $"{node.Method.Name} needs {module} at one rank in all inputs."
            : modules.Any(m => m!.Scaling == 0) ? $"{module} has scaling 0, so B can't be told from ΔW."
            : null;
    }

    // The number of layers of each stack.
    private static Dictionary<string, int> Layers(IEnumerable<string> modules) => modules
        .Select(LayerCoverage.LayerOf).OfType<(string Stack, int Index)>()
        .GroupBy(l => l.Stack).ToDictionary(g => g.Key, g => g.Max(l => l.Index) + 1, StringComparer.Ordinal);

    // Embeddings come before the layers, heads after them.
    private static double Position(string module, Dictionary<string, int> layers) => LayerCoverage.LayerOf(module) switch
    {
        var (stack, index) => layers[stack] == 1 ? 0 : (double)index / (layers[stack] - 1),
        null => module.Contains("embed", StringComparison.OrdinalIgnoreCase) || module.EndsWith("wte", StringComparison.Ordinal) || module.EndsWith("wpe", StringComparison.Ordinal) ? 0 : 1,
    };
}
