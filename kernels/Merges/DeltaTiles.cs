using Marketplace.Core;
using static TorchSharp.torch;

namespace Marketplace.Kernels.Merges;

/// <summary>
/// ΔW = B·A of one input in float32, a few rows at a time: a tile is computed whenever it is needed and never kept. A tile has the same bits every time,
/// since the rows are always cut in the same places.
/// </summary>
internal sealed class DeltaTiles
{
    // Entries of a tile: half a megabyte, which stays in a core's cache; a GPU needs more to be busy.
    private const int EntriesOnCpu = 1 << 17;
    private const int EntriesOnCuda = 1 << 23;

    private readonly Tensor b; // (out, r)
    private readonly Tensor a; // (r, in)
    private readonly int height;

    /// <summary>Copies the factors to the device; they belong to the current scope.</summary>
    /// <exception cref="NotFiniteNumberException">A factor holds NaN or infinity, or a number beyond the range of float32.</exception>
    public DeltaTiles(LowRankDelta delta, KernelDevice device)
    {
        (b, a) = (device.UploadSingle(delta.B), device.UploadSingle(delta.A));
        if (!(b.isfinite().all().Only<bool>() && a.isfinite().all().Only<bool>()))
            throw new NotFiniteNumberException("The factors of a delta must be finite, also in float32.");
        (Rows, Columns) = (delta.Out, delta.In);
        height = HeightOf(Columns, device);
    }

    /// <summary>Rows of ΔW.</summary>
    public int Rows { get; }

    /// <summary>Columns of ΔW.</summary>
    public int Columns { get; }

    /// <summary>Where the factors are.</summary>
    public Device Device => b.device;

    /// <summary>Number of tiles.</summary>
    public int Count => (Rows + height - 1) / height;

    /// <summary>The rows of a full tile of a matrix with that many columns.</summary>
    public static int HeightOf(int columns, KernelDevice device) =>
        Math.Max(1, (device == KernelDevice.Cpu ? EntriesOnCpu : EntriesOnCuda) / Math.Max(1, columns));

    /// <summary>First row and number of rows of a tile.</summary>
    public (int First, int Count) RowsOf(int tile) => (tile * height, Math.Min(height, Rows - (tile * height)));

    /// <summary>Index, in row order, of a tile's first entry.</summary>
    public long FirstIndex(int tile) => (long)tile * height * Columns;

    /// <summary>The tile's entries, shape (rows of the tile, columns).</summary>
    public Tensor Tile(int tile)
    {
        var (first, count) = RowsOf(tile);
        using var rows = b.narrow(0, first, count);
        return rows.matmul(a);
    }

    /// <summary>ΔW at some rows and columns only.</summary>
    public Tensor At(Tensor rows, Tensor columns)
    {
        using var scope = NewDisposeScope();
        return b.index_select(0, rows).matmul(a.index_select(1, columns)).MoveToOuterDisposeScope();
    }
}
