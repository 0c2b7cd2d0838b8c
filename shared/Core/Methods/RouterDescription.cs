using System.Collections.Immutable;

namespace Marketplace.Core.Methods;

/// <summary>How the outputs of a token's adapters become one.</summary>
public enum RouterCombination
{
    /// <summary>Each adapter is applied whole, with its own scaling, and the outputs are mixed: Σ cₑ·sₑ·(x·Aₑᵀ)·Bₑᵀ.</summary>
    MergeAfter,

    /// <summary>The factors are mixed first, which adds cross terms, and needs equal ranks: s·(x·Āᵀ)·B̄ᵀ. For parity with the paper's code.</summary>
    MergeBefore,
}

/// <summary>How general knowledge is taken out before prototypes are computed.</summary>
public enum RouterSubtractionMode
{
    /// <summary>From ΔW, exactly, whatever the ranks.</summary>
    Exact,

    /// <summary>From A and from B, as PEFT does. It depends on how ΔW is factored, and needs equal modules and ranks.</summary>
    Factorwise,
}

/// <summary>What was subtracted from every expert before its prototypes were computed.</summary>
/// <param name="General">Names of the general adapters.</param>
/// <param name="Weights">Their weights in the mean that is subtracted.</param>
/// <param name="Beta">β, how much of the mean.</param>
/// <param name="Mode">From what.</param>
public sealed record RouterSubtraction(ImmutableArray<string> General, ImmutableArray<double> Weights, double Beta, RouterSubtractionMode Mode);

/// <summary>Whether an expert takes part at a module.</summary>
public enum RouterEntryState
{
    /// <summary>It has a prototype.</summary>
    Routed,

    /// <summary>It does not adapt the module; its row is zero.</summary>
    Missing,

    /// <summary>It adapts the module, but its ΔW there is zero, and so is its row.</summary>
    Zero,
}

/// <summary>One expert at one module, or at modules that are routed jointly.</summary>
/// <param name="State">Whether it takes part.</param>
/// <param name="S1">The largest singular value of ΔW; 0 unless it takes part.</param>
/// <param name="S2">The next one.</param>
/// <param name="Ratio">S₂ ∕ S₁: near 1, the prototype is arbitrary within a plane, and an iteration that looks for it does not arrive.</param>
/// <param name="Degenerate">Whether S₁ − S₂ &lt; 10⁻³·S₁.</param>
/// <param name="Scalings">Its scaling at each of the members; null where it lacks one.</param>
public sealed record RouterEntry(RouterEntryState State, double S1, double S2, double Ratio, bool Degenerate, ImmutableArray<double?> Scalings);

/// <summary>One row of coefficients for each token: a module, or modules that share their input and are routed jointly.</summary>
/// <param name="Tensor">The tensor with the prototypes (K, in): the name of the first member.</param>
/// <param name="In">The size of a token there.</param>
/// <param name="Members">The modules, in the order of their tie.</param>
/// <param name="Experts">Each expert, in the router's order.</param>
public sealed record RouterModule(string Tensor, int In, ImmutableArray<string> Members, ImmutableArray<RouterEntry> Experts)
{
    /// <summary>Whether an expert takes part here.</summary>
    public bool Routes(int expert) => Experts[expert].State == RouterEntryState.Routed;
}

/// <summary>A module that is not routed.</summary>
/// <param name="Module">Its name.</param>
/// <param name="Reason">Why, in words.</param>
public sealed record RouterLeftOut(string Module, string Reason);

/// <summary>Everything about a router except its prototypes: what is written as JSON.</summary>
/// <param name="Format">Version of this description.</param>
/// <param name="Experts">Names of the adapters, in the order of the rows.</param>
/// <param name="TopK">How many adapters share a token.</param>
/// <param name="Temperature">Divides the logits before the softmax.</param>
/// <param name="Combination">How outputs become one.</param>
/// <param name="UnitInputs">Whether tokens are divided by their norm first, which turns logits into cosines. Published Arrow does not.</param>
/// <param name="Subtraction">What was subtracted; null if nothing was.</param>
/// <param name="Modules">What is routed, in ordinal order of tensors.</param>
/// <param name="LeftOut">What is not.</param>
public sealed record RouterDescription(
    int Format, ImmutableArray<string> Experts, int TopK, double Temperature, RouterCombination Combination, bool UnitInputs,
    RouterSubtraction? Subtraction, ImmutableArray<RouterModule> Modules, ImmutableArray<RouterLeftOut> LeftOut)
{
    /// <summary>The format that this code writes.</summary>
    public const int CurrentFormat = 1;

    /// <summary>How many adapters share a token after a subtraction, where nobody says: what GenKnowSub was published with.</summary>
    public const int TopKAfterSubtraction = 3;

    /// <summary>The default number of adapters per token.</summary>
    /// <param name="subtracted">Whether general knowledge is subtracted.</param>
    public static int DefaultTopK(bool subtracted) => subtracted ? TopKAfterSubtraction : Router.DefaultTopK;
}
