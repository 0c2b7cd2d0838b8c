using System.Collections.Immutable;
using System.Text.Json.Serialization;
using Marketplace.Core.Methods;

namespace Marketplace.Core.Extraction;

/// <summary>Why nothing comes of an extraction or a transfer. Problems of the export and of the weights come under their own codes.</summary>
/// <param name="Code">One of the constants of this type, of <see cref="ExportProblem"/> or of <see cref="Formats.WeightsProblem"/>.</param>
/// <param name="Message">The same in words.</param>
/// <param name="Tensor">The tensor or module concerned.</param>
public sealed record ExtractionProblem(string Code, string Message, string? Tensor = null)
{
    /// <summary>The options contradict themselves.</summary>
    public const string OptionsInvalid = "options-invalid";

    /// <summary>No linear weight differs by enough to be extracted.</summary>
    public const string NothingChanged = "nothing-changed";

    /// <summary>A tensor has NaN or infinity.</summary>
    public const string NotFinite = "not-finite";

    /// <summary>A tensor changed in a way that the result can't hold, and the caller asked to refuse that.</summary>
    public const string ChangeNotExpressible = "change-not-expressible";

    /// <summary>A changed tensor has another shape in the new base.</summary>
    public const string NewBaseShape = "new-base-shape";

    /// <summary>A changed tensor is not in the new base.</summary>
    public const string NewBaseMissing = "new-base-missing";

    /// <summary>A result is beyond the range of the element type it is written in.</summary>
    public const string Overflow = "overflow";

    /// <summary>A tensor has more bytes than can be written at once (2³¹ − 1).</summary>
    public const string TensorTooLarge = "tensor-too-large";

    /// <summary>The folder for the result already holds weights.</summary>
    public const string OutputExists = "output-exists";
}

/// <summary>A module whose ΔW was extracted.</summary>
/// <param name="Module">Its name.</param>
/// <param name="Out">Rows of ΔW.</param>
/// <param name="In">Columns of ΔW.</param>
/// <param name="Rank">Rank that was kept.</param>
/// <param name="BaseNorm">|W₀|.</param>
/// <param name="Norm">|ΔW|.</param>
/// <param name="KeptEnergy">Share of |ΔW|² in the result, before it was rounded to its element type.</param>
/// <param name="Iterations">Rounds of subspace iteration; 0 where the decomposition was computed whole.</param>
/// <param name="Converged">Whether these rounds were enough.</param>
public sealed record ExtractedModule(
    string Module, int Out, int In, int Rank, double BaseNorm, double Norm, double KeptEnergy, int Iterations, bool Converged)
{
    /// <summary>|ΔW| ∕ |W₀|; null where W₀ = 0.</summary>
    public double? RelativeNorm => BaseNorm > 0 ? Norm / BaseNorm : null;
}

/// <summary>A tensor that differs between the models and is not in the result.</summary>
/// <param name="Tensor">Its name.</param>
/// <param name="Reason">One of the constants of this type.</param>
/// <param name="Message">The same in words.</param>
/// <param name="RelativeNorm">|tuned − base| ∕ |base|; null where they can't be compared.</param>
public sealed record LeftOut(string Tensor, string Reason, string Message, double? RelativeNorm = null)
{
    /// <summary>A norm, a bias or another tensor of fewer than two dimensions.</summary>
    public const string NotLinear = "not-linear";

    /// <summary>A tensor of more than two dimensions, such as a convolution or fused experts.</summary>
    public const string Dimensions = "dimensions";

    /// <summary>An embedding table, which the options leave out.</summary>
    public const string Embedding = "embedding";

    /// <summary>The output head, which the options leave out.</summary>
    public const string Head = "head";

    /// <summary>The output head shares the embeddings: before it is merged, a LoRA on the embeddings does not change the head.</summary>
    public const string TiedHead = "tied-head";

    /// <summary>The shapes differ, as they do where the vocabulary grew.</summary>
    public const string ShapeChanged = "shape-changed";

    /// <summary>Only the base has it.</summary>
    public const string OnlyInBase = "only-in-base";

    /// <summary>Only the tuned model has it.</summary>
    public const string OnlyInTuned = "only-in-tuned";

    /// <summary>It is stored in a type that can't be computed with.</summary>
    public const string TypeUnsupported = "type-unsupported";

    /// <summary>A linear weight that changed by less than the options ask for.</summary>
    public const string BelowTolerance = "below-tolerance";
}

/// <summary>What an extraction did.</summary>
/// <param name="Modules">What was extracted, in ordinal order.</param>
/// <param name="LeftOut">What differs and is not in the result, in ordinal order.</param>
/// <param name="Unchanged">Number of tensors that are the same in both models.</param>
/// <param name="Export">How the result is written.</param>
public sealed record ExtractionReport(ImmutableArray<ExtractedModule> Modules, ImmutableArray<LeftOut> LeftOut, int Unchanged, ExportReport Export)
{
    /// <summary>Share of Σ |ΔW|² over the extracted modules that the result holds.</summary>
    public double KeptEnergy => Total == 0 ? 1 : Modules.Sum(m => m.KeptEnergy * m.Norm * m.Norm) / Total;

    [JsonIgnore]
    private double Total => Modules.Sum(m => m.Norm * m.Norm);
}
