namespace Marketplace.Kernels.Merges;

/// <summary>
/// Orders the entries of a row by magnitude, of equals the first first: a radix sort of their bits, which for numbers that are not negative are in the order of
/// the numbers. Several times faster than sorting a tensor, which moves 64-bit indices about.
/// </summary>
/// <param name="columns">Length of the rows.</param>
internal sealed class RowOrder(int columns)
{
    private const int Bits = 11;
    private const int Passes = 3; // of 31 bits: the sign is clear
    private const int Buckets = 1 << Bits;

    private readonly int[] counts = new int[Buckets];
    private (uint[] Keys, int[] Columns) from = (new uint[columns], new int[columns]);
    private (uint[] Keys, int[] Columns) to = (new uint[columns], new int[columns]);

    /// <summary>The columns in ascending order of their magnitudes; valid until the next call.</summary>
    /// <param name="magnitudes">Numbers that are finite and not negative.</param>
    public ReadOnlySpan<int> Ascending(ReadOnlySpan<float> magnitudes)
    {
        for (var j = 0; j < columns; j++)
            (from.Keys[j], from.Columns[j]) = (BitConverter.SingleToUInt32Bits(magnitudes[j]), j);
        for (var pass = 0; pass < Passes; pass++)
        {
            Distribute(pass * Bits);
            (from, to) = (to, from);
        }

        return from.Columns;
    }

    private void Distribute(int shift)
    {
        var (keys, moved) = (from.Keys, to.Keys);
        Array.Clear(counts);
        foreach (var key in keys)
            counts[(key >> shift) & (Buckets - 1)]++;
        var sum = 0;
        for (var bucket = 0; bucket < Buckets; bucket++)
            (counts[bucket], sum) = (sum, sum + counts[bucket]);
        for (var i = 0; i < keys.Length; i++)
        {
            var place = counts[(keys[i] >> shift) & (Buckets - 1)]++;
            (moved[place], to.Columns[place]) = (keys[i], from.Columns[i]);
        }
    }
}
