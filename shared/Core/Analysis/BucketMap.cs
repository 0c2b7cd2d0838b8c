using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Marketplace.Core.Algebra;

namespace Marketplace.Core.Analysis;

/// <summary>
/// One random map from n numbers to p buckets. Number i lies in block ⌊i ∕ p⌋; each block is turned by a random shift, and every number gets a random sign. So two numbers
/// of one block never share a bucket, and those of different blocks do with probability 1 ∕ p.
/// </summary>
/// <remarks>Words come from <see cref="Philox"/>: two for the shift of a block, one bit for a sign, from the lowest on.</remarks>
internal sealed class BucketMap
{
    private const ulong Seed = 20261125;

    // For eight bits eight masks: the sign bit where a bit is set.
    private static readonly Vector512<double>[] Flips = [.. Enumerable.Range(0, 256).Select(bits =>
        Vector512.Create([.. Enumerable.Range(0, 8).Select(i => (ulong)(bits >> i & 1) << 63)]).AsDouble())];

    private readonly int length;
    private readonly int[] shifts;
    private readonly uint[] signs;

    /// <summary>The map of a name.</summary>
    /// <param name="stream">What it is for.</param>
    /// <param name="length">n.</param>
    /// <param name="buckets">p.</param>
    public BucketMap(string stream, int length, int buckets)
    {
        (this.length, Buckets) = (length, buckets);
        var words = new uint[2 * ((length + buckets - 1) / buckets)];
        Philox.Fill(Seed, stream + " shifts", 0, words);
        shifts = new int[words.Length / 2];
        for (var i = 0; i < shifts.Length; i++)
            shifts[i] = (int)(((((ulong)words[2 * i] << 32) | words[(2 * i) + 1]) >> 11) * (1.0 / (1UL << 53)) * buckets);
        signs = new uint[(length + 31) / 32];
        Philox.Fill(Seed, stream + " signs", 0, signs);
    }

    /// <summary>p.</summary>
    public int Buckets { get; }

    /// <summary>The bucket of a number.</summary>
    public int Bucket(int index)
    {
        var bucket = (index % Buckets) + shifts[index / Buckets];
        return bucket < Buckets ? bucket : bucket - Buckets;
    }

    /// <summary>The sign of a number, 1 or −1.</summary>
    public double Sign(int index) => (signs[index >> 5] >> (index & 31) & 1) == 0 ? 1 : -1;

    /// <summary>The signs of all numbers.</summary>
    public double[] Signs()
    {
        var result = new double[length];
        result.AsSpan().Fill(1);
        Flip(result, 0, result);
        return result;
    }

    /// <summary>Adds numbers to their buckets.</summary>
    /// <param name="numbers">n numbers.</param>
    /// <param name="target">p sums.</param>
    public void Add(ReadOnlySpan<double> numbers, Span<double> target)
    {
        Span<double> block = stackalloc double[Math.Min(Buckets, numbers.Length)];
        for (var i = 0; i < numbers.Length; i += Buckets)
        {
            var part = numbers.Slice(i, Math.Min(Buckets, numbers.Length - i));
            Flip(part, i, block);
            Turn(block[..part.Length], i, target);
        }
    }

    /// <summary>Adds the numbers whose magnitude exceeds a threshold to their buckets; returns their sum of squares.</summary>
    /// <param name="numbers">n numbers.</param>
    /// <param name="threshold">At least 0.</param>
    /// <param name="target">p sums.</param>
    public double AddLarge(ReadOnlySpan<double> numbers, double threshold, Span<double> target)
    {
        Span<double> block = stackalloc double[Math.Min(Buckets, numbers.Length)];
        var sum = 0d;
        for (var i = 0; i < numbers.Length; i += Buckets)
        {
            var part = numbers.Slice(i, Math.Min(Buckets, numbers.Length - i));
            sum += FlipLarge(part, i, threshold, block);
            Turn(block[..part.Length], i, target);
        }

        return sum;
    }

    /// <summary>Adds numbers to their buckets, where the signs have been written out because many vectors need them.</summary>
    /// <param name="numbers">n numbers.</param>
    /// <param name="written">Their <see cref="Signs"/>.</param>
    /// <param name="target">p sums.</param>
    public void Add(ReadOnlySpan<double> numbers, ReadOnlySpan<double> written, Span<double> target)
    {
        for (var i = 0; i < numbers.Length; i += Buckets)
        {
            var (count, shift) = (Math.Min(Buckets, numbers.Length - i), shifts[i / Buckets]);
            var straight = Math.Min(count, Buckets - shift);
            AddProduct(numbers.Slice(i, straight), written.Slice(i, straight), target.Slice(shift, straight));
            AddProduct(numbers.Slice(i + straight, count - straight), written.Slice(i + straight, count - straight), target[..(count - straight)]);
        }
    }

    private static void AddProduct(ReadOnlySpan<double> x, ReadOnlySpan<double> y, Span<double> target) => TensorPrimitives.MultiplyAdd(x, y, target, target);

    private void Turn(ReadOnlySpan<double> block, int start, Span<double> target)
    {
        var shift = shifts[start / Buckets];
        var straight = Math.Min(block.Length, Buckets - shift);
        TensorPrimitives.Add(block[..straight], target.Slice(shift, straight), target.Slice(shift, straight));
        TensorPrimitives.Add(block[straight..], target[..(block.Length - straight)], target[..(block.Length - straight)]);
    }

    // start is a multiple of 8 whenever a whole vector follows: p is, or there is one block.
    private void Flip(ReadOnlySpan<double> numbers, int start, Span<double> result)
    {
        var bytes = MemoryMarshal.AsBytes(signs.AsSpan())[(start >> 3)..];
        ref var source = ref MemoryMarshal.GetReference(numbers);
        ref var target = ref MemoryMarshal.GetReference(result);
        var i = 0;
        if ((start & 7) == 0)
        {
            for (; i + 8 <= numbers.Length; i += 8)
                (Vector512.LoadUnsafe(ref source, (nuint)i) ^ Flips[bytes[i >> 3]]).StoreUnsafe(ref target, (nuint)i);
        }

        for (; i < numbers.Length; i++)
            result[i] = Sign(start + i) * numbers[i];
    }

    private double FlipLarge(ReadOnlySpan<double> numbers, int start, double threshold, Span<double> result)
    {
        var bytes = MemoryMarshal.AsBytes(signs.AsSpan())[(start >> 3)..];
        ref var source = ref MemoryMarshal.GetReference(numbers);
        ref var target = ref MemoryMarshal.GetReference(result);
        var (limit, squares) = (Vector512.Create(threshold), Vector512<double>.Zero);
        var i = 0;
        if ((start & 7) == 0)
        {
            for (; i + 8 <= numbers.Length; i += 8)
            {
                var x = Vector512.LoadUnsafe(ref source, (nuint)i);
                x &= Vector512.GreaterThan(Vector512.Abs(x), limit);
                squares += x * x;
                (x ^ Flips[bytes[i >> 3]]).StoreUnsafe(ref target, (nuint)i);
            }
        }

        var sum = Vector512.Sum(squares);
        for (; i < numbers.Length; i++)
        {
            var x = Math.Abs(numbers[i]) > threshold ? numbers[i] : 0;
            result[i] = Sign(start + i) * x;
            sum += x * x;
        }

        return sum;
    }
}
