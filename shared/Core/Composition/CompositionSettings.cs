using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Marketplace.Core.Merges;

namespace Marketplace.Core.Composition;

/// <summary>A method of composition with everything said: each of its parameters has a value.</summary>
public sealed class CompositionSettings
{
    private CompositionSettings(CompositionMethod method, ImmutableSortedDictionary<string, RecipeValue> parameters, ulong seed) =>
        (Method, Parameters, Seed) = (method, parameters, seed);

    /// <summary>The method.</summary>
    public CompositionMethod Method { get; }

    /// <summary>All parameters, in ordinal order of their names.</summary>
    public ImmutableSortedDictionary<string, RecipeValue> Parameters { get; }

    /// <summary>Seed of starts, samples, dropout, order and held-out part.</summary>
    public ulong Seed { get; }

    /// <summary>Fills in defaults. False with everything that is wrong, at places such as <c>parameters.epochs</c>.</summary>
    /// <param name="method">Name of a method.</param>
    /// <param name="given">What is said of its parameters.</param>
    /// <param name="seed">Seed; <see cref="MergeRecipe.DefaultSeed"/> if null.</param>
    /// <param name="settings">The settings.</param>
    /// <param name="problems">Codes are those of <see cref="MergeProblem"/>.</param>
    public static bool TryCreate(
        string method, IReadOnlyDictionary<string, RecipeValue>? given, ulong? seed, [NotNullWhen(true)] out CompositionSettings? settings, out ImmutableArray<MergeProblem> problems)
    {
        settings = null;
        if (CompositionMethods.Find(method) is not { } found)
        {
            problems = [new(MergeProblem.MethodUnknown, $"There is no method '{method}'. Methods are: {string.Join(", ", CompositionMethods.All.Select(m => m.Name))}.", Place: "method")];
            return false;
        }

        problems = [.. (given ?? ImmutableDictionary<string, RecipeValue>.Empty).Select(p => Refuse(found, p.Key, p.Value)).OfType<MergeProblem>()];
        if (!problems.IsEmpty)
            return false;
        var made = new CompositionSettings(
            found, found.Parameters.ToImmutableSortedDictionary(p => p.Name, p => given?.GetValueOrDefault(p.Name) ?? p.Default!, StringComparer.Ordinal), seed ?? MergeRecipe.DefaultSeed);
        if (made.SearchesRecipe && made.Choice("granularity") != CompositionMethods.Global)
        {
            problems = [new(MergeProblem.ParameterInvalid, "Only linear merges have weights by layer that can be searched.", Place: "parameters.granularity")];
            return false;
        }

        settings = made;
        return true;
    }

    /// <summary>The settings of a method where only some parameters are said.</summary>
    /// <exception cref="ArgumentException">There is no such method, or something is wrong with a parameter.</exception>
    public static CompositionSettings Of(string method, ulong? seed = null, params ReadOnlySpan<(string Name, RecipeValue Value)> parameters)
    {
        var given = new Dictionary<string, RecipeValue>(StringComparer.Ordinal);
        foreach (var (name, value) in parameters)
            given.Add(name, value);
        return TryCreate(method, given, seed, out var settings, out var problems)
            ? settings : throw new ArgumentException(string.Join(' ', problems.Select(p => p.Message)), nameof(parameters));
    }

    /// <summary>The recipe whose plan is learned: the sum of the inputs, or that of their strongest axes.</summary>
    public MergeRecipe Recipe(IReadOnlyList<RecipeInput> inputs)
    {
        if (Method.Name != CompositionMethods.Axis)
            return new(SearchesRecipe ? Choice("merge") : CompositionMethods.Linear, inputs, Seed: Seed, Carried: CarriedPolicy.Refuse);
        string[] shared = ["axes", "normalize_sources"];
        return new(CompositionMethods.Axis, inputs, Parameters: shared.ToDictionary(p => p, p => Parameters[p]), Seed: Seed, Carried: CarriedPolicy.Refuse);
    }

    /// <summary>Whether the weights of a merge are searched that is no weighted sum, so that each try is a merge.</summary>
    public bool SearchesRecipe => Method.Name == CompositionMethods.Search && Choice("merge") != CompositionMethods.Linear;

    /// <summary>Whether the method has a parameter of that name.</summary>
    public bool Has(string name) => Parameters.ContainsKey(name);

    /// <summary>The value of a number.</summary>
    public double Number(string name) => Parameters[name].Number!.Value;

    /// <summary>The value of a whole number.</summary>
    public int WholeNumber(string name) => (int)Number(name);

    /// <summary>The value of a flag.</summary>
    public bool Flag(string name) => Parameters[name].Flag!.Value;

    /// <summary>The word of a choice.</summary>
    public string Choice(string name) => Parameters[name].Word!;

    private static MergeProblem? Refuse(CompositionMethod method, string name, RecipeValue value)
    {
        if (method.Parameter(name) is not { } parameter)
            return new(MergeProblem.ParameterUnknown, $"{method.Name} has no parameter '{name}'. It has: {string.Join(", ", method.Parameters.Select(p => p.Name))}.", Place: $"parameters.{name}");
        var reason = value.Conditions.IsEmpty && value.Gradient.IsEmpty ? parameter.Refuse(value) : $"'{name}' is one value for all modules.";
        return reason is null ? null : new(MergeProblem.ParameterInvalid, reason, Place: $"parameters.{name}");
    }
}
