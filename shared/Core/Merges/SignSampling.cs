using Marketplace.Core.Algebra;

namespace Marketplace.Core.Merges;

/// <summary>How often two ΔW have the same sign, estimated on random entries; entries where either is zero don't count.</summary>
/// <param name="Agreement">The share of entries whose signs are equal: ½ for unrelated adapters.</param>
/// <param name="Samples">Entries that were looked at and counted.</param>
/// <param name="StandardError">Of the agreement: √(p(1 − p) ∕ n) with p = (k + 1) ∕ (n + 2), so that a few equal signs don't look like certainty.</param>
public sealed record SignAgreement(double Agreement, int Samples, double StandardError);

/// <summary>
/// Compares the signs of ΔW on entries drawn at random, (B·A)ᵢⱼ = B[i,:]·A[:,j], without forming ΔW. Every module gets samples in proportion to its number of
/// entries, and all adapters are looked at in the same places.
/// </summary>
internal sealed class SignSampling
{
    /// <summary>Entries drawn over all modules.</summary>
    public const int Total = 1 << 14;

    private readonly int[,] equal;
    private readonly int[,] counted;
    private readonly double entries;
    private readonly ulong seed;
    private double seen;

    /// <summary>Sampling for adapters whose modules have so many entries altogether.</summary>
    public SignSampling(int adapters, double entries, ulong seed)
    {
        (equal, counted) = (new int[adapters, adapters], new int[adapters, adapters]);
        (this.entries, this.seed) = (entries, seed);
    }

    /// <summary>Looks at a module. Called once for each, in a fixed order.</summary>
    /// <param name="module">Its name, which names the random numbers.</param>
    /// <param name="adapters">Who has it.</param>
    /// <param name="deltas">Their ΔW.</param>
    public void Add(string module, IReadOnlyList<int> adapters, IReadOnlyList<LowRankDelta> deltas)
    {
        var (rows, columns) = (deltas[0].Out, deltas[0].In);
        // Differences of rounded running totals add up to exactly the number wanted.
        var before = (int)Math.Round(Total * seen / entries);
        seen += (double)rows * columns;
        var samples = (int)Math.Round(Total * seen / entries) - before;
        if (deltas.Count < 2)
            return;
        var random = new Philox(seed, $"sign-agreement\n{module}");
        var signs = new int[deltas.Count];
        for (var s = 0; s < samples; s++)
        {
            var (row, column) = (random.NextIndex(rows), random.NextIndex(columns));
            for (var k = 0; k < signs.Length; k++)
                signs[k] = Math.Sign(Entry(deltas[k], row, column));
            for (var k = 0; k < signs.Length; k++)
                for (var l = k + 1; l < signs.Length; l++)
                {
                    if (signs[k] == 0 || signs[l] == 0)
                        continue;
                    counted[adapters[k], adapters[l]]++;
                    equal[adapters[k], adapters[l]] += signs[k] == signs[l] ? 1 : 0;
                }
        }
    }

    /// <summary>What was found of a pair, the first index the smaller one; null if nothing could be compared.</summary>
    public SignAgreement? Of(int first, int second)
    {
        if (counted[first, second] is not (> 0 and var n))
            return null;
        var p = (equal[first, second] + 1d) / (n + 2);
        return new((double)equal[first, second] / n, n, Math.Sqrt(p * (1 - p) / n));
    }

    private static double Entry(LowRankDelta delta, int row, int column)
    {
        var sum = 0d;
        var b = delta.B.Row(row);
        for (var k = 0; k < b.Length; k++)
            sum += b[k] * delta.A[k, column];
        return sum;
    }
}
