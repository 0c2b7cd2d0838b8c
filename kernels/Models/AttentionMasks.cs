using static TorchSharp.torch;

namespace Marketplace.Kernels.Models;

/// <summary>
/// Who sees whom, as numbers added to ⟨q, k⟩: 0 where a token sees a place, the smallest number where not. By positions rather than places, so that padding anywhere changes nothing.
/// </summary>
internal sealed class AttentionMasks(Tensor queryPositions, Tensor keyPositions, Tensor keysValid)
{
    // They outlive the scope of the layer that first asks.
    private readonly List<(int? Window, Tensor Mask)> masks = [];

    /// <summary>The mask of a layer, shape (B, 1, T, S).</summary>
    /// <param name="window">How many positions a token sees, its own included; null for all before it.</param>
    public Tensor For(int? window)
    {
        foreach (var (known, mask) in masks)
        {
            if (known == window)
                return mask;
        }

        // (B, T, S); positions are exact in float32.
        var distance = queryPositions.to(ScalarType.Float32).unsqueeze(2).Minus(keyPositions.to(ScalarType.Float32).unsqueeze(1));
        var seen = distance.ge(Scalars.Of(0)).logical_and(keysValid.unsqueeze(1));
        if (window is { } width)
            seen = seen.logical_and(distance.lt(Scalars.Of(width)));
        // Not −∞: a row of padding sees nothing, and its softmax would be NaN.
        var added = zeros_like(distance).masked_fill(seen.logical_not(), Scalars.Of(float.MinValue)).unsqueeze(1).MoveToOuterDisposeScope();
        masks.Add((window, added));
        return added;
    }
}
