namespace Marketplace.Core.Merges;

/// <summary>Why adapters can't be combined as asked.</summary>
/// <param name="Code">One of the constants of this type.</param>
/// <param name="Message">The same in words.</param>
/// <param name="Input">Index of the input concerned.</param>
/// <param name="Module">Name of the module concerned, the first if there are several.</param>
/// <param name="Place">Place in the recipe, as a JSON path.</param>
public sealed record MergeProblem(string Code, string Message, int? Input = null, string? Module = null, string? Place = null)
{
    /// <summary>The recipe is no YAML or JSON, or its members are not those of a recipe.</summary>
    public const string RecipeInvalid = "recipe-invalid";

    /// <summary>Recipes are nested too deeply, or there are too many of them.</summary>
    public const string RecipeTooLarge = "recipe-too-large";

    /// <summary>A nested recipe has a member that only the outermost one can have.</summary>
    public const string NestedInvalid = "nested-invalid";

    /// <summary>There is no such method.</summary>
    public const string MethodUnknown = "method-unknown";

    /// <summary>The method has no such parameter.</summary>
    public const string ParameterUnknown = "parameter-unknown";

    /// <summary>A parameter's value is of another kind or out of its range.</summary>
    public const string ParameterInvalid = "parameter-invalid";

    /// <summary>An input is neither an adapter nor a recipe, or both.</summary>
    public const string InputInvalid = "input-invalid";

    /// <summary>There is nothing to combine.</summary>
    public const string NoInputs = "no-inputs";

    /// <summary>The method takes another number of inputs.</summary>
    public const string InputsCount = "inputs-count";

    /// <summary>No input adapts any module.</summary>
    public const string NoModules = "no-modules";

    /// <summary>A weight is NaN, infinite or no number.</summary>
    public const string WeightsNotFinite = "weights-not-finite";

    /// <summary>The method has no weights, and one is given.</summary>
    public const string WeightsUnused = "weights-unused";

    /// <summary>The method can't use these weights or parameters at some module, such as a sum of zero to divide by.</summary>
    public const string WeightsInvalid = "weights-invalid";

    /// <summary>The rank policy makes no sense.</summary>
    public const string RankInvalid = "rank-invalid";

    /// <summary>An input has DoRA magnitudes: its change of the weights depends on the base model and is not low rank.</summary>
    public const string DoraNotMergeable = "dora-not-mergeable";

    /// <summary>An input has a bias beside B, which ΔW = B·A can't express.</summary>
    public const string LoraBiasNotMergeable = "lora-bias-not-mergeable";

    /// <summary>Inputs hold tensors beside the LoRA factors, and the recipe refuses that.</summary>
    public const string CarriedNotMergeable = "carried-not-mergeable";

    /// <summary>Two inputs adapt a module of one name but of different shapes.</summary>
    public const string ModuleShapeMismatch = "module-shape-mismatch";

    /// <summary>Two inputs adapt a module of one name but of different kinds.</summary>
    public const string KindMismatch = "kind-mismatch";

    /// <summary>A method that works on the factors A and B themselves needs equal modules of equal ranks.</summary>
    public const string FactorsNotComparable = "factors-not-comparable";
}
