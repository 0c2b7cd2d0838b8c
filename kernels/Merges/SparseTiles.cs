using Marketplace.Core.Algebra;
using Marketplace.Core.Merges;
using TorchSharp;
using static TorchSharp.torch;

namespace Marketplace.Kernels.Merges;

/// <summary>
/// ΔW of one input after its sparsifier, tile by tile. Counts are exact over the whole of ΔW; random masks come from the host's <see cref="Philox"/>, a word
/// for each entry, so that they are the same on every device.
/// </summary>
internal sealed class SparseTiles
{
    private const double Words = 4294967296; // 2³²
    private const int SampleSide = 512; // rows and columns that bracket a threshold
    private const int Step = 5; // every fifth of their entries: it is rows and columns that differ

    private readonly DeltaTiles tiles;
    private readonly ElementwiseMerge merge;
    private readonly ElementwiseInput input;
    private readonly Cut outer = Cut.Everything;
    private readonly Cut inner = Cut.Nothing;
    private readonly double factor = 1;

    /// <summary>Finds thresholds and factors, in one or two passes over the tiles.</summary>
    public SparseTiles(DeltaTiles tiles, ElementwiseMerge merge, ElementwiseInput input, CancellationToken cancellation)
    {
        (this.tiles, this.merge, this.input) = (tiles, merge, input);
        if (IsWhole)
            return;
        var total = (long)tiles.Rows * tiles.Columns;
        var kept = Count(input.Density, total);
        if (merge.Sparsifier == Sparsifier.Magnitude && input.Threshold is { } threshold)
        {
            outer = Cut.From(threshold);
        }
        else if (merge.Sparsifier is Sparsifier.Magnitude or Sparsifier.Outliers)
        {
            var skipped = merge.Sparsifier == Sparsifier.Outliers ? Math.Min(Count(input.Gamma, total), total - kept) : 0;
            var selection = new Selection(Magnitudes, tiles.Count, tiles.FirstIndex, total, cancellation);
            var sample = Sample();
            (outer, inner) = (selection.Find(skipped + kept, sample), selection.Find(skipped, sample));
        }

        if (merge.Rescaling == Rescaling.L1)
            factor = Restored(cancellation);
    }

    private bool IsWhole => merge.Sparsifier == Sparsifier.None || (input.Density >= 1 && input.Threshold is null);

    /// <summary>⌊share·total⌋.</summary>
    public static long Count(double share, long total) => (long)Math.Min(total, share * total);

    /// <summary>The entries of a tile, zero where they were dropped.</summary>
    public Tensor Tile(int tile)
    {
        using var scope = NewDisposeScope();
        var x = tiles.Tile(tile);
        if (!IsWhole)
        {
            x = Sparsify(x, tile);
            if (factor != 1)
                x = x.mul_(Scalars.Of(factor));
        }

        return x.MoveToOuterDisposeScope();
    }

    /// <summary>Indices spread evenly over a dimension, jittered so that they follow no period of it.</summary>
    public static Tensor Spread(int count, Device device)
    {
        var random = new Philox(0, $"sample of {count}");
        var taken = Math.Min(count, SampleSide);
        var indices = new long[taken];
        for (var i = 0; i < taken; i++)
        {
            var (from, to) = ((long)i * count / taken, (long)(i + 1) * count / taken);
            indices[i] = from + random.NextIndex((int)(to - from));
        }

        return tensor(indices, device: device);
    }

    private Tensor Sparsify(Tensor x, int tile) => merge.Sparsifier switch
    {
        Sparsifier.Magnitude => outer.Largest(x, tiles.FirstIndex(tile)),
        Sparsifier.Outliers => outer.Largest(x, tiles.FirstIndex(tile)).Minus(inner.Largest(x, tiles.FirstIndex(tile))),
        Sparsifier.Random => x * Mask(tile, x),
        _ => Ranked(x, tile),
    };

    private Tensor Magnitudes(int tile) => tiles.Tile(tile).abs_();

    private float[] Sample()
    {
        using var scope = NewDisposeScope();
        using var rows = Spread(tiles.Rows, tiles.Device);
        using var columns = Spread(tiles.Columns, tiles.Device);
        var all = tiles.At(rows, columns).abs_().reshape(-1);
        var sample = all.slice(0, 0, all.numel(), Step).contiguous().cpu().data<float>().ToArray();
        Array.Sort(sample);
        return sample;
    }

    // Entry i is kept if word i of the stream is less than 2³²·p.
    private Tensor Mask(int tile, Tensor like)
    {
        var words = WordsOf(tile);
        var (limit, kept) = (input.Density * Words, merge.Rescaling == Rescaling.Unbiased ? (float)(1 / input.Density) : 1f);
        var mask = new float[words.Length];
        for (var i = 0; i < words.Length; i++)
            mask[i] = words[i] < limit ? kept : 0;
        return tensor(mask, like.shape).to(like.device);
    }

    // Entry i is kept if word i of the stream is less than 2³² times its probability, which rises with its rank by magnitude within the row.
    private Tensor Ranked(Tensor x, int tile)
    {
        var (words, magnitudes) = (WordsOf(tile), x.abs().cpu().data<float>().ToArray());
        var columns = tiles.Columns;
        var order = new RowOrder(columns);
        var mask = new double[words.Length];
        for (var row = 0; row < words.Length; row += columns)
        {
            var ascending = order.Ascending(magnitudes.AsSpan(row, columns));
            for (var rank = 0; rank < columns; rank++)
            {
                var probability = input.Density - input.Epsilon + (2 * input.Epsilon * (columns == 1 ? 1 : rank / (columns - 1d)));
                var entry = row + ascending[rank];
                mask[entry] = words[entry] / Words >= probability ? 0 : merge.Rescaling == Rescaling.Unbiased ? 1 / probability : 1;
            }
        }

        return (x * tensor(mask, x.shape).to(x.device)).to(float32);
    }

    private uint[] WordsOf(int tile)
    {
        var words = new uint[tiles.RowsOf(tile).Count * tiles.Columns];
        Philox.Fill(input.Seed, input.Stream, tiles.FirstIndex(tile), words);
        return words;
    }

    // Σ|x| before ∕ Σ|x| after.
    private double Restored(CancellationToken cancellation)
    {
        var (before, after) = (0d, 0d);
        for (var tile = 0; tile < tiles.Count; tile++)
        {
            cancellation.ThrowIfCancellationRequested();
            using var scope = NewDisposeScope();
            before += Magnitudes(tile).sum(float64).Only<double>();
            after += Tile(tile).abs_().sum(float64).Only<double>();
        }

        return after > 0 ? before / after : 1;
    }
}
