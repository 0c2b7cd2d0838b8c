using Marketplace.Core;
using Marketplace.Core.Merges;
using static TorchSharp.torch;

namespace Marketplace.Kernels.Merges;

/// <summary>
/// Element-wise merges on the entries of ΔW, exact, without ΔW of any input ever in memory whole: tiles of rows are computed from the factors each time they
/// are needed, since that takes less than reading them from memory would. Only the result is dense, once, in float32.
/// </summary>
internal static class TiledElementwise
{
    /// <summary>The merged matrix (out, in); it belongs to the current scope.</summary>
    /// <param name="merge">What is done.</param>
    /// <param name="inputs">The inputs' deltas, of one shape.</param>
    /// <param name="device">Where to compute.</param>
    /// <param name="cancellation">Looked at between tiles.</param>
    /// <exception cref="NotFiniteNumberException">A factor holds NaN or infinity, or a number beyond the range of float32.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public static Tensor Merge(ElementwiseMerge merge, IReadOnlyList<ElementwiseInput> inputs, KernelDevice device, CancellationToken cancellation)
    {
        using var scope = NewDisposeScope();
        DeltaTiles[] deltas = [.. inputs.Select(i => new DeltaTiles(i.Delta, device))];
        SparseTiles[] sparse = [.. deltas.Zip(inputs, (tiles, input) => new SparseTiles(tiles, merge, input, cancellation))];
        var shape = deltas[0];
        var combination = new TileCombination(merge, sparse, [.. inputs.Select(i => i.Weight)]);
        combination.Prepare(shape, cancellation);
        var merged = empty(shape.Rows, shape.Columns, dtype: float32, device: shape.Device);
        for (var tile = 0; tile < shape.Count; tile++)
        {
            cancellation.ThrowIfCancellationRequested();
            var (first, count) = shape.RowsOf(tile);
            using var target = merged.narrow(0, first, count);
            using var values = combination.Tile(tile, shape.FirstIndex(tile));
            target.copy_(values);
        }

        return merged.MoveToOuterDisposeScope();
    }
}
