using System.Collections.Immutable;

namespace Marketplace.Core.Extraction;

/// <summary>A tensor whose entries can be computed as often as they are needed.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Shape">Its shape.</param>
/// <param name="Values">Gives its entries in row-major order; the same at every call.</param>
public sealed record DenseSource(string Name, ImmutableArray<long> Shape, Func<double[]> Values);

/// <summary>
/// The k entries of largest magnitude over several tensors together: exactly k, with equal magnitudes taken in the order of tensors and positions. (LT-SFT takes all
/// entries that reach a threshold, which may be more than k.) A radix select on the bits of |x|, which order like the numbers: four passes of 16 bits, each of which
/// computes every tensor again, so that one is in memory at a time.
/// </summary>
public static class SparseSelection
{
    private const int Digits = 4;
    private const int Bits = 16;

    /// <summary>Selects; fewer than <paramref name="count"/> entries only where fewer differ from zero.</summary>
    /// <param name="sources">The tensors, with different names; taken in ordinal order.</param>
    /// <param name="count">k, at least 1.</param>
    /// <param name="progress">Told the share of the work that is done.</param>
    /// <param name="cancellation">Looked at between tensors.</param>
    /// <exception cref="NotFiniteNumberException">An entry is NaN or infinite.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public static SparseDelta Largest(IEnumerable<DenseSource> sources, long count, Action<double>? progress = null, CancellationToken cancellation = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        var ordered = sources.OrderBy(s => s.Name, StringComparer.Ordinal).ToList();
        var (prefix, wanted) = (0UL, count);
        for (var digit = Digits - 1; digit >= 0; digit--)
        {
            var shift = digit * Bits;
            var histogram = new long[1 << Bits];
            foreach (var source in ordered)
            {
                cancellation.ThrowIfCancellationRequested();
                foreach (var value in source.Values())
                {
                    var bits = Magnitude(value, source.Name);
                    if (bits != 0 && (digit == Digits - 1 || bits >> (shift + Bits) == prefix))
                        histogram[(bits >> shift) & 0xFFFF]++;
                }
            }

            progress?.Invoke((Digits - digit) / (double)(Digits + 1));
            if (digit == Digits - 1 && histogram.Sum() <= count)
                return Collect(ordered, 1, 0, cancellation); // all that differ from zero
            var bucket = histogram.Length - 1;
            for (; histogram[bucket] < wanted; bucket--)
                wanted -= histogram[bucket];
            prefix = (prefix << Bits) | (uint)bucket;
        }

        // prefix is the k-th largest magnitude; `wanted` of the entries that equal it are still to be had.
        return Collect(ordered, prefix + 1, wanted, cancellation);
    }

    private static SparseDelta Collect(List<DenseSource> sources, ulong least, long ties, CancellationToken cancellation)
    {
        var tensors = new List<SparseTensor>(sources.Count);
        foreach (var source in sources)
        {
            cancellation.ThrowIfCancellationRequested();
            var (indices, values) = (new List<long>(), new List<double>());
            var entries = source.Values();
            for (var i = 0; i < entries.Length; i++)
            {
                var bits = Magnitude(entries[i], source.Name);
                if (bits >= least || (ties > 0 && bits == least - 1 && bits != 0 && ties-- > 0))
                {
                    indices.Add(i);
                    values.Add(entries[i]);
                }
            }

            tensors.Add(new(source.Name, source.Shape, [.. indices], [.. values]));
        }

        return new(tensors);
    }

    private static ulong Magnitude(double value, string name) => double.IsFinite(value)
        ? BitConverter.DoubleToUInt64Bits(Math.Abs(value))
        : throw new NotFiniteNumberException($"{name} has values that are not finite.");
}
