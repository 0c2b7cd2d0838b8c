using static TorchSharp.torch;

namespace Marketplace.Kernels.Models;

/// <summary>What an adapter, or a weighted set, adds at one module: ΔW = B·A with scaling and weights in B.</summary>
/// <param name="A">Shape (r, in).</param>
/// <param name="B">Shape (out, r).</param>
/// <param name="Bias">Added to the output, shape (out); null for none.</param>
/// <param name="RowScale">DoRA's m ∕ ‖W₀ + ΔW‖ by row, shape (out), which multiplies everything but the layer's own bias; null for none.</param>
internal sealed record LoraFactors(Tensor A, Tensor B, Tensor? Bias = null, Tensor? RowScale = null) : IDisposable
{
    /// <summary>x·Aᵀ·Bᵀ, and the bias.</summary>
    public Tensor Apply(Tensor x) => nn.functional.linear(nn.functional.linear(x, A, null), B, Bias);

    /// <inheritdoc/>
    public void Dispose()
    {
        A.Dispose();
        B.Dispose();
        Bias?.Dispose();
        RowScale?.Dispose();
    }
}
