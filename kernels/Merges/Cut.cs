using TorchSharp;
using static TorchSharp.torch;

namespace Marketplace.Kernels.Merges;

/// <summary>
/// The border between the k largest magnitudes and the others: those above the threshold, and of those equal to it the first ones in row order, so that
/// exactly k are on one side.
/// </summary>
/// <param name="Threshold">The k-th largest magnitude; infinite for k = 0, zero where every entry is kept.</param>
/// <param name="LastIndex">Index, in row order, of the last entry that equals the threshold and is kept.</param>
internal readonly record struct Cut(float Threshold, long LastIndex)
{
    /// <summary>Keeps all.</summary>
    public static Cut Everything { get; } = new(0, long.MaxValue);

    /// <summary>Keeps nothing.</summary>
    public static Cut Nothing { get; } = new(float.PositiveInfinity, -1);

    /// <summary>Keeps every magnitude from a threshold on.</summary>
    public static Cut From(double threshold)
    {
        var single = (float)threshold;
        return new(single < threshold ? MathF.BitIncrement(single) : single, long.MaxValue);
    }

    /// <summary>A tile with zeros in place of what is not among the largest.</summary>
    /// <param name="tile">Its entries.</param>
    /// <param name="firstIndex">Index of its first entry.</param>
    public Tensor Largest(Tensor tile, long firstIndex)
    {
        if (Threshold <= 0)
            return tile.alias();
        if (firstIndex > LastIndex)
            return nn.functional.hardshrink(tile, Threshold); // zero where |x| ≤ threshold
        var including = MathF.BitDecrement(Threshold);
        if (firstIndex + tile.numel() - 1 <= LastIndex)
            return nn.functional.hardshrink(tile, including);
        using var scope = NewDisposeScope();
        var flat = tile.reshape(-1);
        var upTo = LastIndex + 1 - firstIndex;
        return cat([
            nn.functional.hardshrink(flat.narrow(0, 0, upTo), including),
            nn.functional.hardshrink(flat.narrow(0, upTo, flat.numel() - upTo), Threshold)])
            .reshape(tile.shape).MoveToOuterDisposeScope();
    }
}
