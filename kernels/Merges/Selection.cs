using TorchSharp;
using static TorchSharp.torch;

namespace Marketplace.Kernels.Merges;

/// <summary>
/// The k-th largest of many magnitudes that are never in memory at once. A sample brackets it; one pass over the tiles counts what lies above the bracket
/// and gathers what lies in it, a few in a hundred; the k-th largest is among those. Where the bracket misses, or holds too much, the pass is repeated
/// with another one that is known to hold less. The result is exact in any case.
/// </summary>
/// <param name="magnitudes">Gives a tile of numbers, none negative, the same each time; what it returns is disposed here.</param>
/// <param name="tiles">Number of tiles.</param>
/// <param name="firstIndex">Gives the index of a tile's first entry.</param>
/// <param name="total">Number of entries in all tiles.</param>
/// <param name="cancellation">Looked at between tiles.</param>
internal sealed class Selection(Func<int, Tensor> magnitudes, int tiles, Func<int, long> firstIndex, long total, CancellationToken cancellation)
{
    private const double Margin = 0.015; // of all entries on each side: rows and columns differ in size, so a sample of them is only so good
    private const long MostGathered = 1 << 22;

    /// <summary>Where the k largest end.</summary>
    /// <param name="k">How many are on the upper side.</param>
    /// <param name="sample">Some of the magnitudes, sorted in ascending order; any will do, typical ones are fast.</param>
    public Cut Find(long k, float[] sample)
    {
        if (k <= 0)
            return Cut.Nothing;
        if (k >= total)
            return Cut.Everything;

        // The k-th largest lies in [low, high]; magnitudes order as their bits do.
        var (low, high) = (0, BitConverter.SingleToInt32Bits(float.PositiveInfinity));
        for (var attempt = 0; ; attempt++)
        {
            var (from, to) = attempt < 2 ? Guess(sample, 1 - ((double)k / total), Margin * (1 + (5 * attempt))) : Middle(low, high);
            (from, to) = (Math.Clamp(from, low, high), Math.Clamp(to, low, high));
            using var scope = NewDisposeScope();
            var pass = Count(BitConverter.Int32BitsToSingle(from), BitConverter.Int32BitsToSingle(to));
            if (pass.Above >= k)
                low = to + 1;
            else if (pass.Above + pass.Inside < k)
                high = from - 1;
            else if (from == to)
                return Settle(BitConverter.Int32BitsToSingle(to), k - pass.Above, pass.InsideOf);
            else if (pass.Gathered is null)
                (low, high) = (from, to);
            else
                return Pick(pass, k - pass.Above);
        }
    }

    private static (int From, int To) Guess(float[] sample, double quantile, double margin)
    {
        return (At(quantile - margin, 0), At(quantile + margin, float.PositiveInfinity));

        int At(double q, float beyond)
        {
            var index = (long)Math.Round(q * (sample.Length - 1));
            return BitConverter.SingleToInt32Bits(index < 0 || index >= sample.Length || q >= 1 ? beyond : sample[index]);
        }
    }

    // The half around the middle: what remains is at most half as much, whatever the pass finds.
    private static (int From, int To) Middle(int low, int high) => (low + ((high - low) / 4), high - ((high - low) / 4));

    private Pass Count(float from, float to)
    {
        var (above, inside) = (0L, 0L);
        var insideOf = new long[tiles];
        var gathered = new List<Tensor>();
        for (var tile = 0; tile < tiles; tile++)
        {
            cancellation.ThrowIfCancellationRequested();
            using var scope = NewDisposeScope();
            var x = magnitudes(tile);
            above += x.gt(Scalars.Of(to)).sum().Only<long>();
            var candidates = x.masked_select(x.ge(Scalars.Of(from)).logical_and_(x.le(Scalars.Of(to))));
            inside += insideOf[tile] = candidates.numel();
            if (inside <= MostGathered && candidates.numel() > 0)
                gathered.Add(candidates.MoveToOuterDisposeScope());
        }

        return new(above, inside, insideOf, inside <= MostGathered && inside > 0 ? cat(gathered) : null);
    }

    // The k-th largest of what was gathered, which is in row order.
    private Cut Pick(Pass pass, long k)
    {
        using var scope = NewDisposeScope();
        var gathered = pass.Gathered!;
        var threshold = gathered.kthvalue(gathered.numel() - k + 1, 0).values.Only<float>();
        var larger = gathered.gt(Scalars.Of(threshold)).sum().Only<long>();
        var equal = gathered.eq(Scalars.Of(threshold));
        if (equal.sum().Only<long>() == k - larger)
            return new(threshold, long.MaxValue);
        var equalOf = new long[tiles];
        var offset = 0L;
        for (var tile = 0; tile < tiles; offset += pass.InsideOf[tile++])
        {
            if (pass.InsideOf[tile] > 0)
                equalOf[tile] = equal.narrow(0, offset, pass.InsideOf[tile]).sum().Only<long>();
        }

        return Settle(threshold, k - larger, equalOf);
    }

    // Finds the last of the equal ones that are kept.
    private Cut Settle(float threshold, long kept, long[] equalOf)
    {
        for (var tile = 0; ; kept -= equalOf[tile++])
        {
            if (kept > equalOf[tile])
                continue;
            using var scope = NewDisposeScope();
            var places = magnitudes(tile).reshape(-1).eq(Scalars.Of(threshold)).nonzero(); // (equal, 1), ascending
            return new(threshold, firstIndex(tile) + places[kept - 1, 0].Only<long>());
        }
    }

    private sealed record Pass(long Above, long Inside, long[] InsideOf, Tensor? Gathered);
}
