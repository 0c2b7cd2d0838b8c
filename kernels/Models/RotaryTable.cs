using static TorchSharp.torch;

namespace Marketplace.Kernels.Models;

/// <summary>Cosines and sines of rotary embeddings at the positions of a batch.</summary>
/// <param name="Cosines">Shape (B, 1, T, d ∕ 2).</param>
/// <param name="Sines">The same shape.</param>
internal sealed record RotaryTable(Tensor Cosines, Tensor Sines)
{
    /// <summary>The angles p·fᵢ; in single precision, as the models were trained with.</summary>
    /// <param name="frequencies">fᵢ, shape (d ∕ 2).</param>
    /// <param name="positions">p, shape (B, T).</param>
    public static RotaryTable At(Tensor frequencies, Tensor positions)
    {
        var angles = positions.to(ScalarType.Float32).unsqueeze(-1).mul(frequencies).unsqueeze(1);
        return new(angles.cos(), angles.sin());
    }

    /// <summary>Turns the first d numbers of each head: pairs (i, i + d ∕ 2).</summary>
    /// <param name="x">Shape (B, heads, T, D).</param>
    public Tensor Turn(Tensor x)
    {
        var half = Cosines.shape[^1];
        var (first, second) = (x.narrow(-1, 0, half), x.narrow(-1, half, half));
        var (turnedFirst, turnedSecond) = (first.mul(Cosines).Minus(second.mul(Sines)), second.mul(Cosines).Plus(first.mul(Sines)));
        var rest = x.shape[^1] - (2 * half);
        return rest == 0 ? cat([turnedFirst, turnedSecond], -1) : cat([turnedFirst, turnedSecond, x.narrow(-1, 2 * half, rest)], -1);
    }
}
