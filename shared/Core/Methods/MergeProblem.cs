namespace Marketplace.Core.Methods;

/// <summary>Why adapters can't be combined as asked.</summary>
/// <param name="Code">One of the constants of this type.</param>
/// <param name="Message">The same in words.</param>
/// <param name="Input">Index of the input concerned.</param>
/// <param name="Module">Name of the module concerned, the first if there are several.</param>
public sealed record MergeProblem(string Code, string Message, int? Input = null, string? Module = null)
{
    /// <summary>There is nothing to combine.</summary>
    public const string NoInputs = "no-inputs";

    /// <summary>No input adapts any module.</summary>
    public const string NoModules = "no-modules";

    /// <summary>The number of weights is not the number of inputs.</summary>
    public const string WeightsCount = "weights-count";

    /// <summary>A weight, λ or β is NaN or infinite.</summary>
    public const string WeightsNotFinite = "weights-not-finite";

    /// <summary>Weights that are to be divided by their sum add up to zero.</summary>
    public const string WeightsSumToZero = "weights-sum-to-zero";

    /// <summary>The rank policy makes no sense.</summary>
    public const string RankInvalid = "rank-invalid";

    /// <summary>An input has DoRA magnitudes: its change of the weights depends on the base model and is not low rank.</summary>
    public const string DoraNotMergeable = "dora-not-mergeable";

    /// <summary>An input has a bias beside B, which ΔW = B·A can't express.</summary>
    public const string LoraBiasNotMergeable = "lora-bias-not-mergeable";

    /// <summary>Two inputs adapt a module of one name but of different shapes.</summary>
    public const string ModuleShapeMismatch = "module-shape-mismatch";

    /// <summary>Two inputs adapt a module of one name but of different kinds.</summary>
    public const string KindMismatch = "kind-mismatch";

    /// <summary>A method that compares the factors A and B themselves needs equal modules of equal ranks.</summary>
    public const string FactorsNotComparable = "factors-not-comparable";
}
