namespace Marketplace.Core.Merges.Basis;

/// <summary>
/// Orthogonal Adaptation (arXiv 2312.02432): ΔW = λ·Σ wₑΔWₑ with the paper's λ = 0.6. Meant for adapters whose factors A were frozen at training to rows of
/// one orthogonal basis, no two alike (<see cref="Methods.SubspaceAllocator"/>): on an input in the rows of one, the others answer nothing.
/// <see cref="Crosstalk"/> measures how far adapters are from that.
/// </summary>
internal static class OrthogonalSum
{
    /// <summary>The method.</summary>
    public static MergeMethod Method { get; } = new(
        "orthogonal_sum", MethodClass.Linear,
        "ΔW = λ·Σ wₑΔWₑ of adapters that were trained in orthogonal subspaces (arXiv 2312.02432)", (step, kernels) =>
        {
            var lambda = step.Parameters.Number("lambda");
            return step.Combine([.. step.Weights().Select(w => lambda * w)], kernels);
        })
    {
        ReportsCrosstalk = true,
        Parameters = [MethodParameter.OfNumber("lambda", 0.6, "λ, the size of the result")],
    };
}
