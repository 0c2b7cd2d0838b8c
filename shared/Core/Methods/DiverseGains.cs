namespace Marketplace.Core.Methods;

/// <summary>What one more row would add to an objective. Never grows as rows are added, to the last bit: what was computed earlier is a bound.</summary>
internal abstract class DiverseGains
{
    /// <summary>The present gains of some rows.</summary>
    public abstract double[] Of(IReadOnlyList<int> candidates);

    /// <summary>Adds a row to the subset.</summary>
    public abstract void Add(int row);
}

/// <summary>
/// Facility location: Σᵢ max(0, s(i, j) − what represents i already). One pass over all pairs keeps, of each row, the few that are similar to it; a row that has too many is looked at
/// anew each time, for n² cosines would not fit. Either way the same numbers are added in the same order.
/// </summary>
internal sealed class FacilityGains : DiverseGains
{
    private const int MostKept = 2048; // of a row: 160 MB for 10,000 rows in the worst case
    private const int Tile = 4;
    private const int Chunk = 32; // rows of one thread's turn
    private const int Block = 64; // rows that stay in the cache while a chunk passes

    private readonly UnitRows rows;
    private readonly double floor;
    private readonly float[] covered;
    private readonly List<(int Row, float Similarity)>?[] similar;

    public FacilityGains(UnitRows rows, double floor)
    {
        (this.rows, this.floor, covered, similar) = (rows, floor, new float[rows.Count], new List<(int, float)>?[rows.Count]);
        Parallel.For(0, (rows.Count + Chunk - 1) / Chunk, chunk => Look(chunk * Chunk, Math.Min((chunk + 1) * Chunk, rows.Count)));
    }

    /// <inheritdoc/>
    public override double[] Of(IReadOnlyList<int> candidates)
    {
        var gains = new double[candidates.Count];
        Parallel.For(0, candidates.Count, c =>
        {
            var (candidate, gain) = (candidates[c], 0d);
            if (similar[candidate] is { } kept)
            {
                foreach (var (row, similarity) in kept)
                    gain += Math.Max(0, similarity - covered[row]);
            }
            else
            {
                for (var i = 0; i < rows.Count; i++)
                    gain += Math.Max(0, Similarity(rows.Cosine(candidate, i)) - covered[i]);
            }

            gains[c] = gain;
        });
        return gains;
    }

    /// <inheritdoc/>
    public override void Add(int row) => Parallel.For(0, rows.Count, i => covered[i] = Math.Max(covered[i], Similarity(rows.Cosine(row, i))));

    // Who is similar to rows first … last − 1, in ascending order.
    private void Look(int first, int last)
    {
        for (var j = first; j < last; j++)
            similar[j] = [];
        Span<float> one = stackalloc float[Tile];
        Span<float> two = stackalloc float[Tile];
        for (var block = 0; block < rows.Count; block += Block)
        {
            var end = Math.Min(block + Block, rows.Count);
            var j = first;
            for (; j + Tile <= last; j += Tile)
            {
                var i = block;
                for (; i + 1 < end; i += 2)
                {
                    rows.Cosines(i, j, one, two);
                    for (var k = 0; k < Tile; k++)
                    {
                        Keep(j + k, i, one[k]);
                        Keep(j + k, i + 1, two[k]);
                    }
                }

                for (; i < end; i++)
                    for (var k = 0; k < Tile; k++)
                        Keep(j + k, i, rows.Cosine(i, j + k));
            }

            for (; j < last; j++)
                for (var i = block; i < end; i++)
                    Keep(j, i, rows.Cosine(i, j));
        }
    }

    private void Keep(int row, int other, float cosine)
    {
        if (Similarity(cosine) is not (> 0 and var similarity) || similar[row] is not { } kept)
            return;
        if (kept.Count == MostKept)
            similar[row] = null;
        else
            kept.Add((other, similarity));
    }

    private float Similarity(float cosine) => cosine >= floor ? Math.Min(cosine, 1) : 0;
}

/// <summary>
/// log det(I + λ·C): a row's gain is the log of what is left of 1 + λ after its projection on the chosen rows, kept as a growing row of a Cholesky factor for each candidate that was looked at.
/// </summary>
internal sealed class LogDeterminantGains(UnitRows rows) : DiverseGains
{
    private const double Lambda = 100;

    private readonly List<(int Row, double Pivot, double[] Factor)> chosen = [];
    private readonly List<double>[] factors = new List<double>[rows.Count];
    private readonly double[] left = [.. Enumerable.Repeat(1 + Lambda, rows.Count)];

    /// <inheritdoc/>
    public override double[] Of(IReadOnlyList<int> candidates)
    {
        var gains = new double[candidates.Count];
        Parallel.For(0, candidates.Count, c => gains[c] = Gain(candidates[c]));
        return gains;
    }

    /// <inheritdoc/>
    public override void Add(int row)
    {
        Gain(row);
        chosen.Add((row, Math.Sqrt(left[row]), [.. factors[row]]));
    }

    private double Gain(int row)
    {
        var factor = factors[row] ??= [];
        while (factor.Count < chosen.Count)
        {
            var (other, pivot, known) = chosen[factor.Count];
            var product = Lambda * (row == other ? 1 : rows.Cosine(row, other));
            for (var k = 0; k < known.Length; k++)
                product -= known[k] * factor[k];
            factor.Add(product / pivot);
            // I + λ·C never leaves less than 1, whatever rounding says.
            left[row] = Math.Max(1, left[row] - (factor[^1] * factor[^1]));
        }

        return Math.Log(left[row]);
    }
}
