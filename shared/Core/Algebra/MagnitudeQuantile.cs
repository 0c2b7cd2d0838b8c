using System.Numerics;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Marketplace.Core.Algebra;

/// <summary>
/// A quantile of |x| over numbers that stream by several times, exactly as sorting them all would give it, with numpy's linear interpolation. Without their sign the bits of
/// numbers order as the numbers do: the first pass counts their upper 12 to 20 bits, the more the more numbers there are, and the next ones look only at what shares them with the rank sought. Two passes are usual, seven the most.
/// </summary>
/// <remarks>Every pass gives all numbers to <see cref="Add"/>, in any order, and ends with <see cref="EndPass"/>, until <see cref="IsDone"/>.</remarks>
internal sealed class MagnitudeQuantile
{
    private const int CollectLimit = 1 << 20;
    private const ulong Unsigned = ulong.MaxValue >> 1;

    private readonly long rank;
    private readonly long next;
    private readonly double fraction;
    private readonly int bits;
    private readonly long[] counts;
    private Pass pass = Pass.Count;
    private ulong low; // the keys in question are low … low + width − 1
    private ulong width = 1UL << 63;
    private int shift;
    private long before; // how many keys are smaller
    private double[] collected = [];
    private int filled;
    private ulong below; // of a pass for the neighbours of a gap: the largest key under it, and the smallest above
    private ulong above = ulong.MaxValue;

    /// <summary>A quantile of as many numbers as will be added in each pass.</summary>
    /// <param name="count">How many.</param>
    /// <param name="q">In [0, 1].</param>
    public MagnitudeQuantile(long count, double q)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(q);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(q, 1);
        var position = q * Math.Max(0, count - 1);
        rank = (long)position;
        next = Math.Min(rank + 1, Math.Max(0, count - 1));
        fraction = position - rank;
        IsDone = count == 0;
        // A table of counts that is larger than the numbers would cost more than they do.
        bits = Math.Clamp(BitOperations.Log2((ulong)Math.Max(1, count)) - 2, 12, 20);
        counts = new long[1 << bits];
        shift = 63 - bits;
    }

    private enum Pass
    {
        Count,
        Collect,
        Gap,
    }

    /// <summary>Whether <see cref="Value"/> is known.</summary>
    public bool IsDone { get; private set; }

    /// <summary>The quantile; 0 of no numbers.</summary>
    public double Value { get; private set; }

    /// <summary>Takes some of the numbers.</summary>
    public void Add(ReadOnlySpan<double> numbers)
    {
        var keys = MemoryMarshal.Cast<double, ulong>(numbers);
        switch (pass)
        {
            case Pass.Count when width == 1UL << 63:
                foreach (var key in keys)
                    counts[(int)((key & Unsigned) >> (63 - bits))]++;
                break;
            case Pass.Count:
                foreach (var key in keys)
                {
                    if ((key & Unsigned) - low is var offset && offset < width)
                        counts[(int)(offset >> shift)]++;
                }

                break;
            case Pass.Collect:
                Collect(keys);
                break;
            default:
                foreach (var signed in keys)
                {
                    var key = signed & Unsigned;
                    if (key < low)
                        below = Math.Max(below, key);
                    else
                        above = Math.Min(above, key);
                }

                break;
        }
    }

    /// <summary>Says that all numbers have been added once more.</summary>
    public void EndPass()
    {
        switch (pass)
        {
            case Pass.Count:
                Narrow();
                break;
            case Pass.Collect:
                Array.Sort(collected);
                Finish(collected[rank - before], collected[next - before]);
                break;
            default:
                Finish(BitConverter.UInt64BitsToDouble(below), BitConverter.UInt64BitsToDouble(above));
                break;
        }
    }

    private void Narrow()
    {
        var (bucket, smaller) = Find(0, before, rank);
        var (other, _) = Find(bucket, smaller, next);
        if (other != bucket)
        {
            // Between the two ranks lies a boundary of buckets: they are the neighbours of it.
            (pass, low) = (Pass.Gap, low + ((ulong)other << shift));
            return;
        }

        (low, width, before) = (low + ((ulong)bucket << shift), 1UL << shift, smaller);
        if (shift == 0)
        {
            Finish(BitConverter.UInt64BitsToDouble(low), BitConverter.UInt64BitsToDouble(low));
        }
        else if (counts[bucket] <= CollectLimit)
        {
            (pass, collected) = (Pass.Collect, new double[counts[bucket]]);
        }
        else
        {
            shift = Math.Max(0, shift - bits);
            Array.Clear(counts);
        }
    }

    // The bucket that holds a rank, and how many keys lie before the bucket.
    private (int Bucket, long Before) Find(int bucket, long smaller, long wanted)
    {
        while (smaller + counts[bucket] <= wanted)
            smaller += counts[bucket++];
        return (bucket, smaller);
    }

    private void Collect(ReadOnlySpan<ulong> keys)
    {
        var (mask, first, many) = (Vector512.Create(Unsigned), Vector512.Create(low), Vector512.Create(width));
        ref var start = ref MemoryMarshal.GetReference(keys);
        var i = 0;
        for (; i + Vector512<ulong>.Count <= keys.Length; i += Vector512<ulong>.Count)
        {
            if (Vector512.LessThanAny((Vector512.LoadUnsafe(ref start, (nuint)i) & mask) - first, many))
                CollectOneByOne(keys.Slice(i, Vector512<ulong>.Count));
        }

        CollectOneByOne(keys[i..]);
    }

    private void CollectOneByOne(ReadOnlySpan<ulong> keys)
    {
        foreach (var key in keys)
        {
            if ((key & Unsigned) - low < width)
                collected[filled++] = BitConverter.UInt64BitsToDouble(key & Unsigned);
        }
    }

    private void Finish(double lower, double upper) => (Value, IsDone) = (lower + (fraction * (upper - lower)), true);
}
