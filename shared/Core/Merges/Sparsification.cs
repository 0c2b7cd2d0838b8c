using System.Numerics.Tensors;
using Marketplace.Core.Algebra;

namespace Marketplace.Core.Merges;

/// <summary>
/// Sparsifiers on dense matrices, in float64. Counts are exact: ⌊p·N⌋ entries, where of equal magnitudes the one of lower row-major index counts as the
/// larger. With p ≥ 1 nothing is dropped and nothing rescaled. Random masks follow from the seed, the stream's name and the entry's index alone.
/// </summary>
internal static class Sparsification
{
    private const double Words = 4294967296; // 2³²

    /// <summary>The number of entries that a density keeps, ⌊p·N⌋.</summary>
    public static int Count(double density, int entries) => (int)Math.Min(entries, density * entries);

    /// <summary>A sparsified copy.</summary>
    /// <param name="merge">Which sparsifier, and how it rescales.</param>
    /// <param name="input">Density and the like.</param>
    /// <param name="values">What is sparsified.</param>
    public static Matrix Apply(ElementwiseMerge merge, ElementwiseInput input, Matrix values)
    {
        var result = new Matrix(values.Rows, values.Columns, [.. values.Values]);
        if (merge.Sparsifier == Sparsifier.None || (input.Density >= 1 && input.Threshold is null))
            return result;
        switch (merge.Sparsifier)
        {
            case Sparsifier.Magnitude when input.Threshold is { } threshold:
                KeepFrom(result.Values, threshold);
                break;
            case Sparsifier.Magnitude:
                KeepLargest(result.Values, 0, Count(input.Density, result.Values.Length));
                break;
            case Sparsifier.Outliers:
                var kept = Count(input.Density, result.Values.Length);
                KeepLargest(result.Values, Math.Min(Count(input.Gamma, result.Values.Length), result.Values.Length - kept), kept);
                break;
            case Sparsifier.Random:
                Draw(result, input, merge.Rescaling, ranked: false);
                break;
            case Sparsifier.RankedRandom:
                Draw(result, input, merge.Rescaling, ranked: true);
                break;
        }

        if (merge.Rescaling == Rescaling.L1)
        {
            var (before, after) = (TensorPrimitives.SumOfMagnitudes<double>(values.Values), TensorPrimitives.SumOfMagnitudes<double>(result.Values));
            if (after > 0)
                TensorPrimitives.Multiply(result.Values, before / after, result.Values);
        }

        return result;
    }

    /// <summary>
    /// Probabilities of DELLA for one row: (p − ε) + 2ε·rank ∕ (c − 1), ranks ascending by magnitude, among equals by index; p + ε for a row of one entry.
    /// </summary>
    public static double[] Probabilities(ReadOnlySpan<double> row, double density, double epsilon)
    {
        var magnitudes = new double[row.Length];
        TensorPrimitives.Abs(row, magnitudes);
        int[] order = [.. Enumerable.Range(0, row.Length)];
        Array.Sort(magnitudes, order);
        for (int start = 0, end; start < order.Length; start = end) // the sort leaves equals in any order
        {
            for (end = start + 1; end < order.Length && magnitudes[end] == magnitudes[start];)
                end++;
            Array.Sort(order, start, end - start);
        }

        var probabilities = new double[row.Length];
        for (var rank = 0; rank < order.Length; rank++)
            probabilities[order[rank]] = density - epsilon + (2 * epsilon * (order.Length == 1 ? 1 : rank / (order.Length - 1d)));
        return probabilities;
    }

    private static void KeepFrom(double[] values, double threshold)
    {
        for (var i = 0; i < values.Length; i++)
        {
            if (Math.Abs((float)values[i]) < threshold)
                values[i] = 0;
        }
    }

    // Those of ranks skipped … skipped + kept − 1, descending by magnitude.
    private static void KeepLargest(double[] values, int skipped, int kept)
    {
        var outer = LargestEntries.Of(values, skipped + kept);
        var inner = LargestEntries.Of(values, skipped);
        for (var i = 0; i < values.Length; i++)
        {
            var (take, leave) = (outer.Next(values[i]), inner.Next(values[i]));
            if (!take || leave)
                values[i] = 0;
        }
    }

    // Entry i is kept if word i of the stream is less than 2³² times its probability.
    private static void Draw(Matrix values, ElementwiseInput input, Rescaling rescaling, bool ranked)
    {
        var words = new uint[values.Columns];
        for (var i = 0; i < values.Rows; i++)
        {
            var row = values.Row(i);
            var own = ranked ? Probabilities(row, input.Density, input.Epsilon) : null;
            Philox.Fill(input.Seed, input.Stream, (long)i * values.Columns, words);
            for (var j = 0; j < row.Length; j++)
            {
                var probability = own?[j] ?? input.Density;
                row[j] = words[j] >= probability * Words ? 0 : rescaling == Rescaling.Unbiased ? row[j] / probability : row[j];
            }
        }
    }
}
