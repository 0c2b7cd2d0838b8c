using Marketplace.Core.Algebra;

namespace Marketplace.Core.Evaluation;

/// <summary>
/// The exchange test: how often the difference of two evaluations would be as large if on each item it were a coin's choice which of the two is which. Exchanging a set E of
/// items moves Σ over E of (second − first) from one total to the other; the sums over each four items are tabulated for all of their 16 exchanges, so that a draw costs n ∕ 4 additions and no branch.
/// </summary>
internal sealed class SignFlip
{
    private const int ExactItems = 12;
    private const int MostDraws = 9_999;
    private const int FewestDraws = 999;
    private const long DrawnItems = 100_000_000;
    private const int NibblesPerWord = 8;

    private readonly Metric metric;
    private readonly int items;
    private readonly double[] sums;
    private readonly double[]? units;
    private readonly (double Sum, double Units) first;
    private readonly (double Sum, double Units) second;
    private readonly double bound;

    private SignFlip(ItemScores first, ItemScores second)
    {
        (metric, items) = (first.Metric, first.Count);
        (this.first, this.second) = ((first.Sums.Sum(), first.Units.Sum()), (second.Sums.Sum(), second.Units.Sum()));
        sums = Tabulate(i => second.Sums[i] - first.Sums[i]);
        units = first.Units.AsSpan().SequenceEqual(second.Units.AsSpan()) ? null : Tabulate(i => second.Units[i] - first.Units[i]);
        // Sums come out differently in their last digits depending on their order; equal statistics must count as equal.
        bound = Math.Abs(Difference(0, 0)) - (1e-12 * Math.Max(1, Math.Max(Math.Abs(first.Value), Math.Abs(second.Value))));
    }

    /// <summary>The two-sided p-value; see <see cref="PairedComparison.Of"/>.</summary>
    public static double PValue(ItemScores first, ItemScores second, ulong seed)
    {
        var test = new SignFlip(first, second);
        return first.Count <= ExactItems ? test.All() : test.Draw(seed);
    }

    private double All()
    {
        var all = 1 << items;
        return Enumerable.Range(0, all).Count(exchange => IsExtreme([(uint)exchange])) / (double)all;
    }

    private double Draw(ulong seed)
    {
        var draws = (int)Math.Clamp(DrawnItems / items, FewestDraws, MostDraws);
        var (words, extreme) = ((items + 31) / 32, 0);
        Parallel.For(0, draws, () => (Buffer: new uint[words], Extreme: 0), (draw, _, local) =>
        {
            Philox.Fill(seed, "sign-flip", (long)draw * words, local.Buffer);
            return (local.Buffer, local.Extreme + (IsExtreme(local.Buffer) ? 1 : 0));
        }, local => Interlocked.Add(ref extreme, local.Extreme));
        return (1.0 + extreme) / (1.0 + draws);
    }

    private bool IsExtreme(ReadOnlySpan<uint> exchange) => Math.Abs(Difference(Moved(sums, exchange), units is null ? 0 : Moved(units, exchange))) >= bound;

    private double Difference(double movedSum, double movedUnits) =>
        ItemScores.Statistic(metric, first.Sum + movedSum, first.Units + movedUnits) - ItemScores.Statistic(metric, second.Sum - movedSum, second.Units - movedUnits);

    private static double Moved(double[] table, ReadOnlySpan<uint> exchange)
    {
        var moved = 0.0;
        for (var (at, word) = (0, 0); at < table.Length; word++)
        {
            var bits = exchange[word];
            for (var nibble = 0; nibble < NibblesPerWord && at < table.Length; nibble++, at += 16, bits >>= 4)
                moved += table[at + (int)(bits & 15)];
        }

        return moved;
    }

    // Beyond the last item there is nothing to move.
    private double[] Tabulate(Func<int, double> value)
    {
        var table = new double[(items + 3) / 4 * 16];
        for (var i = 0; i < items; i++)
        {
            for (var exchange = 0; exchange < 16; exchange++)
                table[(i / 4 * 16) + exchange] += (exchange >> (i % 4) & 1) == 0 ? 0 : value(i);
        }

        return table;
    }
}
