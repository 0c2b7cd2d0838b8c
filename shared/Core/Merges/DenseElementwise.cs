using System.Numerics.Tensors;
using Marketplace.Core.Algebra;

namespace Marketplace.Core.Merges;

/// <summary>Element-wise merges of dense matrices, in float64: the reference, and what basis methods use on their small matrices.</summary>
public static class DenseElementwise
{
    /// <summary>Combines matrices of one shape as <paramref name="merge"/> says.</summary>
    /// <param name="merge">What is done.</param>
    /// <param name="values">One matrix per input; not changed.</param>
    /// <param name="inputs">Weights, densities and streams of the inputs; their deltas are not looked at.</param>
    /// <exception cref="NotFiniteNumberException">An entry is NaN or infinite.</exception>
    public static Matrix Run(ElementwiseMerge merge, IReadOnlyList<Matrix> values, IReadOnlyList<ElementwiseInput> inputs)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(inputs.Count, values.Count);
        if (!values.All(MatrixMath.IsFinite))
            throw new NotFiniteNumberException("Entries that are merged one by one must be finite.");
        return Combine(merge, [.. values.Zip(inputs, (v, i) => Sparsification.Apply(merge, i, v))], [.. inputs.Select(i => i.Weight)]);
    }

    /// <summary>The part after sparsification.</summary>
    /// <param name="merge">Which combination.</param>
    /// <param name="values">One matrix per input; not changed.</param>
    /// <param name="weights">One weight per input.</param>
    internal static Matrix Combine(ElementwiseMerge merge, IReadOnlyList<Matrix> values, double[] weights)
    {
        var result = new Matrix(values[0].Rows, values[0].Columns);
        double[][] x = [.. values.Select(v => v.Values)];
        switch (merge.Combination)
        {
            case Combination.Sum:
                Sum(merge, x, weights, result.Values);
                break;
            case Combination.Ties:
                Ties(merge, x, weights, result.Values);
                break;
            case Combination.Sce:
                Sce(merge, x, result.Values);
                break;
            case Combination.Ram:
                Ram(merge, x, result.Values);
                break;
        }

        TensorPrimitives.Multiply(result.Values, merge.Lambda, result.Values);
        return result;
    }

    private static void Sum(ElementwiseMerge merge, double[][] x, double[] weights, double[] result)
    {
        var sum = merge.Normalize ? weights.Sum() : 1;
        for (var e = 0; e < x.Length; e++)
            MatrixMath.AddScaled(x[e], weights[e] / (sum == 0 ? 1 : sum), result);
    }

    // γ = sign of Σ votes; then the weighted values of those whose own vote has that sign, added up and divided. What voted for nothing agrees with nobody.
    private static void Ties(ElementwiseMerge merge, double[][] x, double[] weights, double[] result)
    {
        for (var i = 0; i < result.Length; i++)
        {
            var votes = 0d;
            for (var e = 0; e < x.Length; e++)
                votes += merge.ElectByCount ? Math.Sign(Vote(e)) : Vote(e);
            var elected = votes == 0 && merge.DrawIsPositive ? 1 : Math.Sign(votes);
            var (sum, divisor) = (0d, 0d);
            for (var e = 0; e < x.Length; e++)
            {
                if (elected == 0 || Math.Sign(Vote(e)) != elected)
                    continue;
                sum += weights[e] * x[e][i];
                divisor += merge.Divisor == TiesDivisor.Weights ? weights[e] : 1;
            }

            result[i] = merge.Divisor == TiesDivisor.None || divisor == 0 ? sum : sum / divisor;

            double Vote(int e) => merge.ElectWeighted ? weights[e] * x[e][i] : x[e][i];
        }
    }

    // Entries of largest population variance; weights ωₑ = mean(xₑ²) ∕ Σ mean(x²) of what is left; then those of the majority's sign, averaged by ω.
    private static void Sce(ElementwiseMerge merge, double[][] x, double[] result)
    {
        var selected = merge.SelectTopK < 1 ? Variances(x) : null;
        var varying = selected?.Count(v => v > 0) ?? 0;
        if (varying > 0)
        {
            var largest = LargestEntries.Of(selected, Sparsification.Count(merge.SelectTopK, varying));
            x = [.. x.Select(e => (double[])e.Clone())];
            for (var i = 0; i < result.Length; i++)
            {
                if (largest.Next(selected![i]))
                    continue;
                foreach (var e in x)
                    e[i] = 0;
            }
        }

        double[] energy = [.. x.Select(e => TensorPrimitives.SumOfSquares<double>(e))];
        var total = energy.Sum();
        for (var i = 0; i < result.Length && total > 0; i++)
        {
            var votes = 0d;
            foreach (var e in x)
                votes += e[i];
            var elected = votes >= 0 ? 1 : -1;
            var (sum, divisor) = (0d, 0d);
            for (var e = 0; e < x.Length; e++)
            {
                if (Math.Sign(x[e][i]) != elected)
                    continue;
                sum += energy[e] / total * x[e][i];
                divisor += energy[e] / total;
            }

            result[i] = sum / Math.Max(divisor, ElementwiseMerge.SmallestSceDivisor);
        }
    }

    // Over the inputs, for each entry. Taken of the differences to the first input, so that it is exactly zero for copies.
    private static double[] Variances(double[][] x)
    {
        var variances = new double[x[0].Length];
        for (var i = 0; i < variances.Length; i++)
        {
            var mean = 0d;
            foreach (var e in x)
                mean += e[i] - x[0][i];
            mean /= x.Length;
            foreach (var e in x)
                variances[i] += (e[i] - x[0][i] - mean) * (e[i] - x[0][i] - mean);
            variances[i] /= x.Length;
        }

        return variances;
    }

    // Entries that several inputs change are averaged over these; those that one changes are kept whole, raised by 1 + r·min(α, shared ∕ unique) of it.
    private static void Ram(ElementwiseMerge merge, double[][] x, double[] result)
    {
        var (shared, unique, changing) = (new long[x.Length], new long[x.Length], new int[result.Length]);
        for (var i = 0; i < result.Length; i++)
        {
            foreach (var e in x)
                changing[i] += Changed(e[i]) ? 1 : 0;
            for (var e = 0; e < x.Length; e++)
            {
                if (Changed(x[e][i]))
                    (changing[i] == 1 ? unique : shared)[e]++;
            }
        }

        for (var e = 0; e < x.Length; e++)
        {
            var raise = 1 + (merge.RaiseBy * Math.Min(merge.RaiseUpTo, shared[e] / (double)Math.Max(unique[e], 1)));
            for (var i = 0; i < result.Length; i++)
            {
                if (Changed(x[e][i]))
                    result[i] += changing[i] == 1 ? raise * x[e][i] : x[e][i] / changing[i];
            }
        }

        bool Changed(double value) => Math.Abs(value) > merge.ChangedAbove;
    }
}
