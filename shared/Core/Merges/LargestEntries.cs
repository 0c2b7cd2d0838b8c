namespace Marketplace.Core.Merges;

/// <summary>
/// The k entries of largest magnitude, exactly k of them: among equals at the threshold those of lowest index. Found by a radix select on the bits of the
/// magnitudes, six passes whatever the numbers are, without sorting or copying them.
/// </summary>
internal struct LargestEntries
{
    private const ulong Magnitude = ulong.MaxValue >> 1; // all but the sign; the bits of magnitudes are ordered as they are
    private const int DigitBits = 11;

    private ulong threshold; // bits of the k-th largest magnitude
    private int ties; // how many entries at the threshold are still to be taken

    /// <summary>Looks for the k largest.</summary>
    /// <param name="values">The entries.</param>
    /// <param name="k">How many; none if it is 0 or less, all if there are no more.</param>
    public static LargestEntries Of(ReadOnlySpan<double> values, int k)
    {
        if (k <= 0)
            return new() { threshold = ulong.MaxValue };
        if (k >= values.Length)
            return new() { ties = values.Length };
        Span<int> counts = stackalloc int[1 << DigitBits];
        ulong prefix = 0;
        for (var shift = 63; shift > 0;)
        {
            var (above, width) = (shift, Math.Min(DigitBits, shift));
            shift -= width;
            counts.Clear();
            var mask = (1UL << width) - 1;
            foreach (var value in values)
            {
                var bits = Bits(value);
                if (bits >> above == prefix)
                    counts[(int)((bits >> shift) & mask)]++;
            }

            var digit = (int)mask;
            for (; counts[digit] < k; digit--)
                k -= counts[digit];
            prefix = (prefix << width) | (uint)digit;
        }

        return new() { threshold = prefix, ties = k };
    }

    /// <summary>Whether the next entry is one of them; to be asked of every entry once, in the order of their indices.</summary>
    public bool Next(double value)
    {
        var bits = Bits(value);
        return bits > threshold || (bits == threshold && ties-- > 0);
    }

    private static ulong Bits(double value) => BitConverter.DoubleToUInt64Bits(value) & Magnitude;
}
