namespace Marketplace.Core.Methods;

/// <summary>What one more row would add to an objective. Never grows as rows are added, to the last bit: what was computed earlier is a bound.</summary>
internal abstract class DiverseGains
{
    /// <summary>The present gains of some rows.</summary>
    public abstract double[] Of(IReadOnlyList<int> candidates);

    /// <summary>Adds a row to the subset.</summary>
    public abstract void Add(int row);
}

/// <summary>Facility location: Σᵢ max(0, s(i, j) − what represents i already). Cosines are computed where they are needed and not kept: n² of them would not fit.</summary>
internal sealed class FacilityGains(UnitRows rows, double floor) : DiverseGains
{
    private const int Tile = 4;
    private const int Block = 64; // rows that stay in the cache while candidates pass

    private readonly float[] covered = new float[rows.Count];

    /// <inheritdoc/>
    public override double[] Of(IReadOnlyList<int> candidates)
    {
        var gains = new double[candidates.Count];
        // Neighbours go through in tiles of four: at the start that is everybody.
        var consecutive = candidates.Count >= Tile && candidates[^1] - candidates[0] == candidates.Count - 1 && candidates.Zip(candidates.Skip(1)).All(p => p.Second == p.First + 1);
        if (!consecutive)
        {
            Parallel.For(0, candidates.Count, c =>
            {
                for (var i = 0; i < rows.Count; i++)
                    gains[c] += More(i, rows.Cosine(candidates[c], i));
            });
            return gains;
        }

        const int chunk = 32;
        Parallel.For(0, (candidates.Count + chunk - 1) / chunk, part =>
        {
            Span<float> four = stackalloc float[Tile];
            var (first, last) = (part * chunk, Math.Min((part + 1) * chunk, candidates.Count));
            for (var block = 0; block < rows.Count; block += Block)
                for (var c = first; c < last; c += Tile)
                {
                    var width = Math.Min(Tile, last - c);
                    for (var i = block; i < Math.Min(block + Block, rows.Count); i++)
                    {
                        if (width == Tile)
                            rows.Cosines(i, candidates[c], four);
                        for (var k = 0; k < width; k++)
                            gains[c + k] += More(i, width == Tile ? four[k] : rows.Cosine(candidates[c + k], i));
                    }
                }
        });
        return gains;
    }

    /// <inheritdoc/>
    public override void Add(int row) => Parallel.For(0, rows.Count, i => covered[i] = Math.Max(covered[i], Similarity(rows.Cosine(row, i))));

    private float More(int i, float cosine) => Math.Max(0, Similarity(cosine) - covered[i]);

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
