using System.Runtime.InteropServices;
using Marketplace.Core.Algebra;

namespace Marketplace.Core.Evaluation;

/// <summary>A percentile interval, and the standard deviation of the resampled statistics.</summary>
/// <param name="Low">Quantile (1 − level) ∕ 2.</param>
/// <param name="High">Quantile (1 + level) ∕ 2.</param>
/// <param name="StandardError">Of the statistic.</param>
public sealed record BootstrapInterval(double Low, double High, double StandardError);

/// <summary>
/// The bootstrap (Efron 1979): a statistic of n items is computed anew for many samples of n items drawn with replacement; its quantiles over them are the
/// interval. Only totals of columns are needed, so that where few items differ from each other a sample is drawn as counts of equal items (a multinomial draw, one
/// binomial after the other), which is the same distribution at the cost of √n instead of n.
/// </summary>
public static class Bootstrap
{
    /// <summary>Resamples where nothing else is asked for.</summary>
    public const int DefaultResamples = 2000;

    /// <summary>Seed where nothing else is asked for.</summary>
    public const ulong DefaultSeed = 42;

    /// <summary>The share of resampled statistics that an interval holds.</summary>
    public const double DefaultLevel = 0.95;

    private const int MostGroups = 32;
    private const int Words = 1 << 12;

    /// <summary>The interval of a statistic of totals.</summary>
    /// <param name="columns">What is summed: one number for each item in each column.</param>
    /// <param name="statistic">The statistic, from the totals of the columns.</param>
    /// <param name="resamples">How many samples, at least 1.</param>
    /// <param name="seed">Seed.</param>
    /// <param name="level">Share of the statistics in the interval.</param>
    public static BootstrapInterval Interval(
        IReadOnlyList<ReadOnlyMemory<double>> columns, Func<double[], double> statistic, int resamples = DefaultResamples, ulong seed = DefaultSeed,
        double level = DefaultLevel)
    {
        var values = Resample(columns, statistic, resamples, seed);
        var mean = values.Average();
        var error = resamples < 2 ? 0 : Math.Sqrt(values.Sum(v => (v - mean) * (v - mean)) / (resamples - 1));
        Array.Sort(values);
        return new(Quantile(values, 0.5 * (1 - level)), Quantile(values, 0.5 * (1 + level)), error);
    }

    /// <summary>A quantile of sorted values, linear between neighbours: at place q·(count − 1).</summary>
    internal static double Quantile(double[] sorted, double q)
    {
        var place = q * (sorted.Length - 1);
        var below = (int)place;
        return below + 1 < sorted.Length ? sorted[below] + ((place - below) * (sorted[below + 1] - sorted[below])) : sorted[^1];
    }

    private static double[] Resample(IReadOnlyList<ReadOnlyMemory<double>> columns, Func<double[], double> statistic, int resamples, ulong seed)
    {
        var values = new double[resamples];
        var groups = Groups(columns);
        // A column of equal numbers, such as the units of a mean, has one total whatever is drawn.
        var constant = columns.Select(c => c.Span.ContainsAnyExcept(c.Span[0]) ? (double?)null : c.Length * c.Span[0]).ToArray();
        Parallel.For(0, resamples, r => values[r] = statistic(groups is null ? ByIndex(columns, constant, seed, r) : ByCount(groups, columns[0].Length, new Philox(seed, $"bootstrap|{r}"))));
        return values;
    }

    // The distinct rows and how often each occurs; null if there are many.
    private static List<(double[] Row, int Count)>? Groups(IReadOnlyList<ReadOnlyMemory<double>> columns)
    {
        var groups = new List<(double[] Row, int Count)>();
        for (var i = 0; i < columns[0].Length; i++)
        {
            var known = groups.FindIndex(g => IsRow(g.Row, columns, i));
            if (known >= 0)
                CollectionsMarshal.AsSpan(groups)[known].Count++;
            else if (groups.Count == MostGroups)
                return null;
            else
                groups.Add(([.. columns.Select(c => c.Span[i])], 1));
        }

        return groups;
    }

    private static bool IsRow(double[] row, IReadOnlyList<ReadOnlyMemory<double>> columns, int i)
    {
        for (var c = 0; c < row.Length; c++)
        {
            if (row[c] != columns[c].Span[i])
                return false;
        }

        return true;
    }

    private static double[] ByCount(List<(double[] Row, int Count)> groups, int items, Philox random)
    {
        var totals = new double[groups[0].Row.Length];
        var (left, others) = (items, items);
        foreach (var (row, count) in groups)
        {
            var drawn = count == others ? left : Binomial.Sample(random, left, (double)count / others);
            (left, others) = (left - drawn, others - count);
            for (var c = 0; c < totals.Length; c++)
                totals[c] += drawn * row[c];
        }

        return totals;
    }

    private static double[] ByIndex(IReadOnlyList<ReadOnlyMemory<double>> columns, double?[] constant, ulong seed, int resample)
    {
        var totals = Array.ConvertAll(constant, c => c ?? 0);
        var (items, words) = (columns[0].Length, new uint[Math.Min(Words, columns[0].Length)]);
        for (var start = 0; start < items; start += words.Length)
        {
            var chunk = words.AsSpan(0, Math.Min(words.Length, items - start));
            Philox.Fill(seed, "bootstrap", ((long)resample * items) + start, chunk);
            for (var c = 0; c < totals.Length; c++)
            {
                if (constant[c] is not null)
                    continue;
                var total = 0.0;
                var values = columns[c].Span;
                foreach (var word in chunk)
                    total += values[(int)(((ulong)word * (ulong)items) >> 32)];
                totals[c] += total;
            }
        }

        return totals;
    }
}
