using System.Collections.Immutable;
using Marketplace.Core.Algebra;

namespace Marketplace.Core.Merges;

/// <summary>What a method needs of ΔW, which decides how it is computed.</summary>
public enum MethodClass
{
    /// <summary>ΔW = Σ cₑΔWₑ with fixed coefficients: exact in factored form.</summary>
    Linear,

    /// <summary>ΔW = Σ cₑΔWₑ with coefficients that follow from inner products: exact in factored form.</summary>
    Span,

    /// <summary>Works in a basis shared by the inputs' factors: exact in factored form.</summary>
    Basis,

    /// <summary>Works on the entries of ΔW, in tiles, and is refactored afterwards: the result is not low rank, and what is discarded is reported.</summary>
    Elementwise,

    /// <summary>Works on A and B apart, as some libraries do: not a merge of ΔW, and it depends on how ΔW happens to be factored.</summary>
    Factorwise,
}

/// <summary>The rank of a result where the recipe says nothing.</summary>
public enum DefaultRank
{
    /// <summary>The numerical rank: nothing is lost.</summary>
    Lossless,

    /// <summary>The factors as they come out, without recompression.</summary>
    AsIs,

    /// <summary>The largest rank among the inputs.</summary>
    LargestInput,
}

/// <summary>A merge method: what a recipe may say, and how one module is computed.</summary>
/// <param name="Name">As recipes spell it.</param>
/// <param name="Class">What it needs of ΔW.</param>
/// <param name="Summary">Formula or idea, in a sentence, with the source.</param>
/// <param name="Compute">Computes one module. Pure: the same step gives the same result, on any thread.</param>
public sealed record MergeMethod(string Name, MethodClass Class, string Summary, Func<MergeStep, IMergeKernels, Recompression> Compute)
{
    /// <summary>Its parameters.</summary>
    public ImmutableArray<MethodParameter> Parameters { get; init; } = [];

    /// <summary>Fewest inputs.</summary>
    public int MinInputs { get; init; } = 1;

    /// <summary>Most inputs.</summary>
    public int MaxInputs { get; init; } = 100;

    /// <summary>The rank of the result where the recipe says nothing.</summary>
    public DefaultRank Rank { get; init; } = DefaultRank.Lossless;

    /// <summary>Whether inputs may have weights.</summary>
    public bool Weighted { get; init; } = true;

    /// <summary>Whether its first input is a target and the others are general adapters, so that reports say how much of the target was general.</summary>
    public bool SubtractsGeneral { get; init; }

    /// <summary>Whether it is meant for adapters that don't respond to each other's inputs, so that reports say how far they are from that.</summary>
    public bool ReportsCrosstalk { get; init; }

    /// <summary>
    /// Looks at the weights of one module, and the parameters as they hold for one of its inputs, before anything is computed; why they can't be used, or null.
    /// </summary>
    public Func<ImmutableArray<double>, ParameterValues, string?> Refuse { get; init; } = (_, _) => null;

    /// <summary>The parameter of that name, or null.</summary>
    public MethodParameter? Parameter(string name) => Parameters.FirstOrDefault(p => p.Name == name);
}

/// <summary>Every merge method.</summary>
public static class MergeMethods
{
    /// <summary>All methods, in the order that help shows them.</summary>
    public static ImmutableArray<MergeMethod> All { get; } =
        [.. LinearMethods.All, .. GenKnowSubMethods.All, .. SpanMethods.All, .. BasisMethods.All, .. ElementwiseMethods.All, .. FactorwiseMethods.All];

    private static readonly ImmutableDictionary<string, MergeMethod> ByName = All.ToImmutableDictionary(m => m.Name, StringComparer.Ordinal);

    /// <summary>The method of that name, or null.</summary>
    public static MergeMethod? Find(string name) => ByName.GetValueOrDefault(name);
}
