using System.Collections.Immutable;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Marketplace.Core.Algebra;

namespace Marketplace.Core.Merges;

/// <summary>What goes into a node: an adapter, or the result of an earlier node.</summary>
/// <param name="Leaf">Index of the adapter; −1 for a node.</param>
/// <param name="Node">Index of the node; −1 for an adapter.</param>
/// <param name="Weight">Factor of its ΔW.</param>
/// <param name="Parameters">Parameters that this input has otherwise than the others.</param>
/// <param name="Key">Names the content that goes in.</param>
public sealed record GraphInput(int Leaf, int Node, RecipeValue Weight, ImmutableDictionary<string, RecipeValue> Parameters, string Key);

/// <summary>One merge of a graph.</summary>
/// <param name="Method">The method.</param>
/// <param name="Inputs">What goes in.</param>
/// <param name="Parameters">The parameters that the recipe gives.</param>
/// <param name="Rank">How the result is recompressed; null leaves it to the method.</param>
/// <param name="Seed">Seed of random masks and starts.</param>
/// <param name="Place">Where the recipe stands within the outermost one, as a JSON path.</param>
/// <param name="Canonical">The node's computation in canonical form: equal texts compute the same.</param>
public sealed record MergeNode(
    MergeMethod Method, ImmutableArray<GraphInput> Inputs, ImmutableDictionary<string, RecipeValue> Parameters, RankPolicy? Rank, ulong Seed, string Place, string Canonical);

/// <summary>
/// A recipe as a graph: adapters at the leaves, merges at the nodes. Equal parts of a recipe are one node, so that they are computed once; nodes come
/// in an order in which each can be computed, and the last one is the result.
/// </summary>
/// <param name="Leaves">The adapters as the recipe names them, each once, in order of first appearance.</param>
/// <param name="Nodes">The merges.</param>
public sealed record MergeGraph(ImmutableArray<string> Leaves, ImmutableArray<MergeNode> Nodes)
{
    /// <summary>How deeply recipes may be nested.</summary>
    public const int MaxDepth = 4;

    /// <summary>How many merges a recipe may hold.</summary>
    public const int MaxNodes = 64;

    /// <summary>The merge whose result is the recipe's.</summary>
    public MergeNode Root => Nodes[^1];

    /// <summary>
    /// SHA-256, in hexadecimal, of the canonical form of the computation: method, parameters with defaults filled in, weights, ranks and seeds, and what
    /// goes in. Name, dtype and notes of the result are no part of it.
    /// </summary>
    public string RecipeDigest => Hash(Root.Canonical);

    /// <summary>Turns a recipe into a graph, unless something in it is wrong.</summary>
    /// <param name="recipe">The recipe.</param>
    /// <param name="key">Names an adapter's content, such as by its digest, so that two names of the same version are one leaf.</param>
    /// <param name="problems">Everything that is wrong with it, with JSON paths.</param>
    /// <returns>The graph, or null.</returns>
    public static MergeGraph? Create(MergeRecipe recipe, Func<string, string> key, out ImmutableArray<MergeProblem> problems)
    {
        var builder = new Builder(key);
        builder.Add(recipe, "$", recipe.Seed ?? MergeRecipe.DefaultSeed, 1);
        problems = [.. builder.Problems];
        return problems.IsEmpty ? new([.. builder.Leaves], [.. builder.Nodes]) : null;
    }

    private static string Hash(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));

    private sealed class Builder(Func<string, string> key)
    {
        private readonly Dictionary<string, int> leafByKey = new(StringComparer.Ordinal);
        private readonly Dictionary<string, int> nodeByText = new(StringComparer.Ordinal);
        private int recipes;

        public List<string> Leaves { get; } = [];

        public List<MergeNode> Nodes { get; } = [];

        public List<MergeProblem> Problems { get; } = [];

        /// <summary>The index of the recipe's node; null if something is wrong with it.</summary>
        public int? Add(MergeRecipe recipe, string place, ulong seed, int depth)
        {
            if (depth > MaxDepth || ++recipes > MaxNodes)
            {
                Report(MergeProblem.RecipeTooLarge, $"Recipes are nested at most {MaxDepth} deep, with at most {MaxNodes} merges.", place);
                return null;
            }

            var before = Problems.Count;
            var method = MergeMethods.Find(recipe.Method);
            if (method is null)
                Report(MergeProblem.MethodUnknown, $"There is no method '{recipe.Method}'. Methods are: {string.Join(", ", MergeMethods.All.Select(m => m.Name))}.", $"{place}.method");
            if (depth > 1)
                CheckNested(recipe, place);
            if (recipe.Rank is not null && recipe.Energy is not null)
                Report(MergeProblem.RankInvalid, "A rank and an energy exclude each other.", $"{place}.energy");
            else if (recipe.RankPolicy?.Invalid is { } reason)
                Report(MergeProblem.RankInvalid, reason, recipe.Energy is null ? $"{place}.rank" : $"{place}.energy");
            if (method is not null && (recipe.Inputs.Count < method.MinInputs || recipe.Inputs.Count > method.MaxInputs))
                Report(
                    recipe.Inputs.Count == 0 ? MergeProblem.NoInputs : MergeProblem.InputsCount,
                    $"{method.Name} takes {(method.MinInputs == method.MaxInputs ? $"{method.MinInputs}" : $"{method.MinInputs} to {method.MaxInputs}")} inputs, not {recipe.Inputs.Count}.", $"{place}.inputs");
            var parameters = Parameters(method, recipe.Parameters, $"{place}.parameters", ofInput: false);
            var inputs = recipe.Inputs.Select((input, i) => Input(method, input, $"{place}.inputs[{i}]", seed, depth)).ToList();
            if (Problems.Count > before)
                return null;

            var canonical = Canonical(method!, recipe, parameters, inputs!, seed);
            if (!nodeByText.TryGetValue(canonical, out var index))
            {
                nodeByText.Add(canonical, index = Nodes.Count);
                Nodes.Add(new(method!, [.. inputs!], parameters, recipe.RankPolicy, seed, place, canonical));
            }

            return index;
        }

        private GraphInput? Input(MergeMethod? method, RecipeInput input, string place, ulong seed, int depth)
        {
            if ((input.Adapter is null) == (input.Recipe is null))
            {
                Report(MergeProblem.InputInvalid, "An input is either an adapter or a recipe.", place);
                return null;
            }

            if (input.Weight is { } weight && (weight.Flag is not null || weight.Word is not null || !weight.Numbers().All(double.IsFinite)))
                Report(MergeProblem.WeightsNotFinite, "A weight is a finite number, a list of them over the layers, or conditions on module names.", $"{place}.weight");
            if (input.Weight is not null && method is { Weighted: false })
                Report(MergeProblem.WeightsUnused, $"{method.Name} has no weights.", $"{place}.weight");
            var parameters = Parameters(method, input.Parameters, $"{place}.parameters", ofInput: true);
            var node = input.Recipe is { } recipe ? Add(recipe, $"{place}.recipe", recipe.Seed ?? seed, depth + 1) : -1;
            return node is { } n
                ? new(input.Adapter is { } adapter ? Leaf(adapter) : -1, n, input.Weight ?? 1, parameters, input.Adapter is { } name ? key(name) : Hash(Nodes[n].Canonical))
                : null;
        }

        private int Leaf(string adapter)
        {
            if (leafByKey.TryGetValue(key(adapter), out var index))
                return index;
            leafByKey.Add(key(adapter), Leaves.Count);
            Leaves.Add(adapter);
            return Leaves.Count - 1;
        }

        private ImmutableDictionary<string, RecipeValue> Parameters(
            MergeMethod? method, IReadOnlyDictionary<string, RecipeValue>? given, string place, bool ofInput)
        {
            foreach (var (name, value) in given ?? ImmutableDictionary<string, RecipeValue>.Empty)
            {
                if (method is null)
                    continue;
                if (method.Parameter(name) is not { } parameter)
                    Report(MergeProblem.ParameterUnknown, $"{method.Name} has no parameter '{name}'. It has: {string.Join(", ", method.Parameters.Select(p => p.Name))}.", $"{place}.{name}");
                else if (ofInput && !parameter.PerInput)
                    Report(MergeProblem.ParameterInvalid, $"'{name}' is the same for all inputs.", $"{place}.{name}");
                else if (parameter.Refuse(value) is { } reason)
                    Report(MergeProblem.ParameterInvalid, reason, $"{place}.{name}");
            }

            return given is null ? ImmutableDictionary<string, RecipeValue>.Empty : given.ToImmutableDictionary(StringComparer.Ordinal);
        }

        private void CheckNested(MergeRecipe recipe, string place)
        {
            foreach (var (name, given) in new[]
            {
                ("output", recipe.Output is not null), ("dtype", recipe.Dtype != MergeRecipe.AutoType), ("notes", recipe.Notes is not null),
                ("carried", recipe.Carried != CarriedPolicy.Report),
            })
            {
                if (given)
                    Report(MergeProblem.NestedInvalid, $"'{name}' belongs to the outermost recipe.", $"{place}.{name}");
            }
        }

        private void Report(string code, string message, string place) => Problems.Add(new(code, message, Place: place));

        // Members in a fixed order, parameters by name with defaults filled in, numbers in their shortest form.
        private static string Canonical(
            MergeMethod method, MergeRecipe recipe, ImmutableDictionary<string, RecipeValue> parameters, List<GraphInput> inputs, ulong seed)
        {
            var node = new JsonObject
            {
                ["method"] = method.Name,
                ["parameters"] = new JsonObject(method.Parameters.OrderBy(p => p.Name, StringComparer.Ordinal)
                    .Select(p => (p.Name, Value: parameters.GetValueOrDefault(p.Name) ?? p.Default)).Where(p => p.Value is not null)
                    .Select(p => KeyValuePair.Create(p.Name, JsonNode.Parse(p.Value!.ToString())))),
                ["rank"] = recipe.RankPolicy is not { } policy ? null
                    : policy.Rank is { } rank ? rank
                    : policy.Energy is { } energy ? string.Create(CultureInfo.InvariantCulture, $"energy {energy}") : "lossless",
                ["seed"] = seed,
                ["inputs"] = new JsonArray([.. inputs.Select(i => (JsonNode)new JsonObject
                {
                    ["content"] = i.Key,
                    ["weight"] = JsonNode.Parse(i.Weight.ToString()),
                    ["parameters"] = new JsonObject(i.Parameters.OrderBy(p => p.Key, StringComparer.Ordinal).Select(p => KeyValuePair.Create(p.Key, JsonNode.Parse(p.Value.ToString())))),
                })]),
            };
            return node.ToJsonString();
        }
    }
}
