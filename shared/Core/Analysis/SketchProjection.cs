using System.Numerics.Tensors;
using Marketplace.Core.Algebra;

namespace Marketplace.Core.Analysis;

/// <summary>
/// The random maps of sketches. Each adds entries into buckets with random signs: entry i of a vector lies in block ⌊i ∕ p⌋ of p entries; the block is turned by a
/// random shift and every entry gets a sign of its own, so two entries share a bucket with probability 1 ∕ p or never, and the mean of ⟨Sx, Sy⟩ is ⟨x, y⟩
/// with a variance of at most 2·|x|²|y|² ∕ p (count sketch: Charikar, Chen, Farach-Colton 2002).
/// </summary>
/// <remarks>
/// ΔW is sketched from both sides: Y = Lᵀ·ΔW·R = (LᵀB)(A·R), shape (p, p), then folded into the sketch by a third such map, whose blocks are rows of Y. ΔW is never formed.
/// </remarks>
internal static class SketchProjection
{
    private const int Side = 128;
    private const ulong Seed = 20261125;

    /// <summary>Adds a module's share to the sketch of ΔW.</summary>
    public static void AddDelta(Span<double> sketch, string module, LowRankDelta delta)
    {
        var (left, right) = (new double[Side * delta.Rank], new double[delta.Rank * Side]);
        var signs = new Buckets(Seed, $"sketch rows {module}", Side);
        for (var i = 0; i < delta.Out; i++)
        {
            var (bucket, sign) = signs.Of(i);
            TensorPrimitives.MultiplyAdd(delta.B.Row(i), sign, left.AsSpan(bucket * delta.Rank, delta.Rank), left.AsSpan(bucket * delta.Rank, delta.Rank));
        }

        var columns = new Buckets(Seed, $"sketch columns {module}", Side);
        for (var j = 0; j < delta.In; j++)
        {
            var (bucket, sign) = columns.Of(j);
            for (var k = 0; k < delta.Rank; k++)
                right[(k * Side) + bucket] += sign * delta.A[k, j];
        }

        var fold = new Buckets(Seed, $"sketch fold {module}", sketch.Length);
        var row = new double[Side];
        for (var u = 0; u < Side; u++)
        {
            Array.Clear(row);
            for (var k = 0; k < delta.Rank; k++)
                TensorPrimitives.MultiplyAdd(right.AsSpan(k * Side, Side), left[(u * delta.Rank) + k], row, row);
            for (var v = 0; v < Side; v++)
            {
                var (bucket, sign) = fold.Of((u * Side) + v);
                sketch[bucket] += sign * row[v];
            }
        }
    }

    /// <summary>Adds a module's factors, without its scaling and without entries up to the threshold, to the sketch of flattened factors; returns their sum of squares.</summary>
    public static double AddFactors(Span<double> sketch, string module, LowRankDelta delta, double scaling, double threshold)
    {
        var sum = 0d;
        sum += Add(sketch, new Buckets(Seed, $"sketch A {module}", sketch.Length), delta.A.Values, 1, threshold);
        sum += Add(sketch, new Buckets(Seed, $"sketch B {module}", sketch.Length), delta.B.Values, scaling, threshold);
        return sum;
    }

    private static double Add(Span<double> sketch, Buckets buckets, double[] values, double divisor, double threshold)
    {
        var sum = 0d;
        for (var i = 0; i < values.Length; i++)
        {
            var x = values[i] / divisor;
            if (Math.Abs(x) <= threshold)
                continue;
            var (bucket, sign) = buckets.Of(i);
            sketch[bucket] += sign * x;
            sum += x * x;
        }
        return sum;
    }

    // Words of the stream: a shift for each block, then a sign for each entry.
    private sealed class Buckets(ulong seed, string stream, int count)
    {
        private readonly Philox shifts = new(seed, stream + " shifts");
        private readonly Philox signs = new(seed, stream + " signs");
        private int block = -1;
        private int shift;
        private uint bits;
        private int left;
        private int next;

        /// <summary>Bucket and sign of an entry; entries are asked for in order.</summary>
        public (int Bucket, double Sign) Of(int index)
        {
            while (next <= index)
            {
                if (left == 0)
                    (bits, left) = (signs.NextUInt32(), 32);
                else
                    bits >>= 1;
                left--;
                next++;
            }
            while (block < index / count)
            {
                block++;
                shift = shifts.NextIndex(count);
            }
            return ((index + shift) % count, (bits & 1) == 0 ? 1 : -1);
        }
    }
}
