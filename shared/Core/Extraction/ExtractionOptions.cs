using Marketplace.Core.Algebra;
using Marketplace.Core.Formats;

namespace Marketplace.Core.Extraction;

/// <summary>What the caller decides of an extraction.</summary>
/// <param name="BaseModel">Name of the base model, for <c>base_model_name_or_path</c>.</param>
/// <param name="Policy">Which ranks are kept: a fixed rank, a share of the energy, a tolerance, or everything that is no noise.</param>
/// <param name="MaxRank">The largest rank of any module, whatever the policy says.</param>
/// <param name="Type">Element type of the factors.</param>
/// <param name="IncludeEmbeddings">Whether embeddings and the output head are extracted, too. Servers refuse such adapters; PEFT loads them.</param>
/// <param name="SkipBelow">Modules that changed by a smaller share |ΔW| ∕ |W₀| than this are left as they are.</param>
/// <param name="RefuseRest">Whether a change that a LoRA can't express is a reason to refuse, instead of a line in the report.</param>
public sealed record ExtractionOptions(
    string BaseModel, RankPolicy Policy, int MaxRank = 128, TensorType Type = TensorType.F32,
    bool IncludeEmbeddings = false, double SkipBelow = 0, bool RefuseRest = false)
{
    /// <summary>Why the options make no sense; null if they do.</summary>
    public string? Invalid => this switch
    {
        { Policy.Invalid: { } reason } => reason,
        { MaxRank: < 1 } => "The largest rank must be at least 1.",
        { SkipBelow: var share } when !(share >= 0 && double.IsFinite(share)) => "The share of change to skip must not be negative.",
        _ => null,
    };
}

/// <summary>How far an extraction is.</summary>
/// <param name="Done">Tensors finished.</param>
/// <param name="Total">All tensors.</param>
/// <param name="Tensor">The one finished last.</param>
public readonly record struct ExtractionProgress(int Done, int Total, string Tensor);
