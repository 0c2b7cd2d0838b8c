using System.Collections.Immutable;
using Marketplace.Core.Algebra;

namespace Marketplace.Core.Merges;

/// <summary>The values of a method's parameters at one module: the input's own, else the recipe's, else the method's default.</summary>
public sealed class ParameterValues
{
    private readonly MergeMethod method;
    private readonly ImmutableDictionary<string, RecipeValue> given;

    /// <summary>Values given for a module; what is absent has the method's default.</summary>
    public ParameterValues(MergeMethod method, ImmutableDictionary<string, RecipeValue>? given = null) =>
        (this.method, this.given) = (method, given ?? ImmutableDictionary<string, RecipeValue>.Empty);

    /// <summary>A number that has a value in any case.</summary>
    /// <exception cref="InvalidOperationException">It has none: use <see cref="OptionalNumber"/>.</exception>
    public double Number(string name) => OptionalNumber(name) ?? throw Missing(name);

    /// <summary>A number, or null where neither the recipe nor the method says one.</summary>
    public double? OptionalNumber(string name) => Value(name)?.Number;

    /// <summary>A whole number that has a value in any case.</summary>
    /// <exception cref="InvalidOperationException">It has none: use <see cref="OptionalNumber"/>.</exception>
    public int WholeNumber(string name) => (int)Number(name);

    /// <summary>A flag.</summary>
    /// <exception cref="InvalidOperationException">It has no value.</exception>
    public bool Flag(string name) => Value(name)?.Flag ?? throw Missing(name);

    /// <summary>The word of a choice.</summary>
    /// <exception cref="InvalidOperationException">It has no value.</exception>
    public string Choice(string name) => Value(name)?.Word ?? throw Missing(name);

    /// <summary>Whether the method has a parameter of that name.</summary>
    public bool Has(string name) => method.Parameter(name) is not null;

    /// <summary>These values, overridden by those of one input.</summary>
    public ParameterValues With(ImmutableDictionary<string, RecipeValue> own) => own.IsEmpty ? this : new(method, given.SetItems(own));

    /// <summary>The same given values as another method reads them, with its own defaults; those that it doesn't know are of no account.</summary>
    internal ParameterValues For(MergeMethod other) => new(other, given);

    /// <summary>What the recipe or the input says, without defaults.</summary>
    internal RecipeValue? Given(string name) => given.GetValueOrDefault(name);

    private RecipeValue? Value(string name) =>
        given.GetValueOrDefault(name) ?? (method.Parameter(name) ?? throw new InvalidOperationException($"{method.Name} has no parameter '{name}'.")).Default;

    private InvalidOperationException Missing(string name) => new($"{method.Name} needs a value of '{name}'.");
}

/// <summary>One input at one module.</summary>
/// <param name="Delta">Its ΔW, scaling folded into B; null where it lacks the module, which counts as ΔW = 0.</param>
/// <param name="Weight">Its weight at this module.</param>
/// <param name="Parameters">The parameters as they hold for this input.</param>
/// <param name="Scaling">s that is folded into B: B ∕ s is what the adapter's file holds. 1 for a nested recipe.</param>
/// <param name="Key">Names the input's content, so that random masks follow the input and not its place; see <see cref="Philox"/>.</param>
/// <param name="Threshold">The magnitude from which on its entries are kept, where that follows from all modules; see <see cref="MergePrepass"/>.</param>
public sealed record StepInput(
    LowRankDelta? Delta, double Weight, ParameterValues Parameters, double Scaling = 1, string Key = "", double? Threshold = null);

/// <summary>One module of one merge: everything that a method's formula needs.</summary>
/// <param name="Module">The module; its rank is the sum of the inputs' ranks.</param>
/// <param name="Inputs">All inputs in the recipe's order; at least one has the module.</param>
/// <param name="Parameters">The method's parameters at this module.</param>
/// <param name="Rank">How the result is recompressed; null for the factors as they come out.</param>
/// <param name="Seed">The recipe's seed.</param>
/// <param name="Cancellation">Looked at by whatever takes longer than a moment.</param>
public sealed record MergeStep(
    TargetModule Module, ImmutableArray<StepInput> Inputs, ParameterValues Parameters, RankPolicy? Rank, ulong Seed = MergeRecipe.DefaultSeed,
    CancellationToken Cancellation = default)
{
    /// <summary>The inputs that have the module, with their ΔW.</summary>
    public IEnumerable<(StepInput Input, LowRankDelta Delta)> Present() => Inputs.Where(i => i.Delta is not null).Select(i => (i, i.Delta!));

    /// <summary>ΔW of each input, zeros of rank 1 where it lacks the module.</summary>
    public ImmutableArray<LowRankDelta> Deltas() => [.. Inputs.Select(i => i.Delta ?? Algebra.Deltas.Zero(Module.Out, Module.In))];

    /// <summary>The weights of all inputs.</summary>
    public ImmutableArray<double> Weights() => [.. Inputs.Select(i => i.Weight)];

    /// <summary>Recompresses Σ coefficient·ΔW by the step's rank policy.</summary>
    /// <param name="coefficients">One factor for each input.</param>
    /// <param name="kernels">Who computes.</param>
    public Recompression Combine(IReadOnlyList<double> coefficients, IMergeKernels kernels) => kernels.Recompress(
        Algebra.Deltas.WeightedSum([.. Inputs.Select((input, i) => (coefficients[i], input.Delta)).Where(t => t.Delta is not null).Select(t => (t.Item1, t.Delta!))]), Rank);
}
