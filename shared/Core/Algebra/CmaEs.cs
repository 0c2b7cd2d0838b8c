using System.Numerics.Tensors;

namespace Marketplace.Core.Algebra;

/// <summary>What a black-box search has found.</summary>
/// <param name="Best">The point of the smallest value that was seen; of equals the first.</param>
/// <param name="Value">Its value.</param>
/// <param name="Values">The value of every evaluation, in order; the first is that of the start.</param>
public sealed record SearchResult(double[] Best, double Value, IReadOnlyList<double> Values);

/// <summary>
/// CMA-ES (Hansen 2016, arXiv 1604.00772) with weighted recombination, cumulative step sizes and rank-one and rank-μ updates of a full covariance: finds a
/// minimum from values alone, in a box, with a budget of evaluations. The constants are the paper's defaults. Same seed, same points.
/// </summary>
/// <remarks>
/// Points outside of the box are evaluated where they would enter it, with the squared distance to there added. The first evaluation is the start, so that
/// no search ends above it; the last is the mean of the distribution, which averages out what single samples have by chance.
/// </remarks>
public sealed class CmaEs
{
    private readonly int n;
    private readonly int parents;
    private readonly double[] weights; // of the best, descending, sum 1
    private readonly double effective; // μ_eff
    private readonly double pathRate; // c_c
    private readonly double stepRate; // c_σ
    private readonly double damping; // d_σ
    private readonly double rankOne; // c₁
    private readonly double rankMu; // c_μ
    private readonly double expectedNorm; // E|N(0, I)|
    private readonly NormalNumbers random;
    private readonly double[] mean;
    private readonly double[] stepPath;
    private readonly double[] path;
    private readonly Matrix covariance;
    private double[] scales; // √eigenvalues
    private Matrix axes; // eigenvectors as rows
    private double sigma;

    private CmaEs(double[] start, double sigma, ulong seed, int? population)
    {
        n = start.Length;
        (mean, this.sigma, random) = ([.. start], sigma, new NormalNumbers(seed, "cma-es"));
        Population = population ?? 4 + (int)(3 * Math.Log(n));
        parents = Population / 2;
        weights = [.. Enumerable.Range(1, parents).Select(i => Math.Log(parents + 0.5) - Math.Log(i))];
        TensorPrimitives.Divide(weights, TensorPrimitives.Sum<double>(weights), weights);
        effective = 1 / TensorPrimitives.SumOfSquares<double>(weights);
        pathRate = (4 + (effective / n)) / (n + 4 + (2 * effective / n));
        stepRate = (effective + 2) / (n + effective + 5);
        damping = 1 + (2 * Math.Max(0, Math.Sqrt((effective - 1) / (n + 1)) - 1)) + stepRate;
        rankOne = 2 / (((n + 1.3) * (n + 1.3)) + effective);
        rankMu = Math.Min(1 - rankOne, 2 * (effective - 2 + (1 / effective)) / (((n + 2.0) * (n + 2)) + effective));
        expectedNorm = Math.Sqrt(n) * (1 - (1 / (4.0 * n)) + (1 / (21.0 * n * n)));
        (stepPath, path, covariance, scales, axes) = (new double[n], new double[n], new Matrix(n, n), new double[n], new Matrix(n, n));
        for (var i = 0; i < n; i++)
            covariance[i, i] = axes[i, i] = scales[i] = 1;
    }

    /// <summary>Samples of a generation: 4 + ⌊3·ln n⌋ unless said otherwise.</summary>
    private int Population { get; }

    /// <summary>Searches for the smallest value of a function of n numbers.</summary>
    /// <param name="value">The function; NaN counts as +∞. Called in order, from one thread.</param>
    /// <param name="start">Where to start, n numbers in the box.</param>
    /// <param name="bound">The box: no number is larger in magnitude.</param>
    /// <param name="sigma">Standard deviation of the first samples.</param>
    /// <param name="budget">Evaluations, at least 1; all are spent.</param>
    /// <param name="seed">Seed.</param>
    /// <param name="population">Samples of a generation, at least 2; see <see cref="Population"/> for the default.</param>
    public static SearchResult Minimize(
        Func<double[], double> value, double[] start, double bound, double sigma, int budget, ulong seed, int? population = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(start.Length, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(budget, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(population ?? 2, 2);
        var (best, least, values) = ((double[])[.. start], double.PositiveInfinity, new List<double>(budget));
        double Evaluate(double[] point)
        {
            var inside = new double[point.Length];
            for (var i = 0; i < inside.Length; i++)
                inside[i] = Math.Clamp(point[i], -bound, bound);
            var found = value(inside);
            found = double.IsNaN(found) ? double.PositiveInfinity : found;
            if (values.Count == 0 || found < least)
                (best, least) = (inside, found);
            values.Add(found);
            var outside = TensorPrimitives.Distance<double>(point, inside);
            return found + (outside * outside);
        }

        Evaluate(start);
        var search = new CmaEs(start, sigma, seed, population);
        while (budget - values.Count > 1)
        {
            // A generation that the budget cuts short teaches nothing more than its best sample.
            var samples = new List<(double Value, double[] Step)>(search.Population);
            while (samples.Count < search.Population && budget - values.Count > 1)
            {
                var step = search.Sample();
                samples.Add((Evaluate(search.At(step)), step));
            }

            if (samples.Count == search.Population)
                search.Learn([.. samples.OrderBy(s => s.Value).Take(search.parents).Select(s => s.Step)]);
        }

        if (budget > 1)
            Evaluate(search.mean);
        return new(best, least, values);
    }

    // Distributed as N(0, C).
    private double[] Sample()
    {
        var step = new double[n];
        for (var k = 0; k < n; k++)
            MatrixMath.AddScaled(axes.Row(k), scales[k] * random.Next(), step);
        return step;
    }

    private double[] At(double[] step)
    {
        double[] point = [.. mean];
        MatrixMath.AddScaled(step, sigma, point);
        return point;
    }

    // From the steps of the best samples, best first.
    private void Learn(double[][] steps)
    {
        var shift = new double[n];
        for (var i = 0; i < parents; i++)
            MatrixMath.AddScaled(steps[i], weights[i], shift);
        MatrixMath.AddScaled(shift, sigma, mean);

        Decay(stepPath, stepRate, Whitened(shift));
        var length = TensorPrimitives.Norm<double>(stepPath);
        var stalled = length / Math.Sqrt(1 - Math.Pow(1 - stepRate, 2)) >= (1.4 + (2.0 / (n + 1))) * expectedNorm;
        if (stalled)
            TensorPrimitives.Multiply(path, 1 - pathRate, path);
        else
            Decay(path, pathRate, shift);

        // A path that was held back loses variance, which is given back.
        var kept = 1 - rankOne - rankMu + (stalled ? rankOne * pathRate * (2 - pathRate) : 0);
        TensorPrimitives.Multiply(covariance.Values, kept, covariance.Values);
        AddOuter(path, rankOne);
        for (var i = 0; i < parents; i++)
            AddOuter(steps[i], rankMu * weights[i]);
        sigma *= Math.Exp(Math.Min(1, stepRate / damping * ((length / expectedNorm) - 1)));

        var (values, vectors) = JacobiEigen.Factor(covariance);
        (scales, axes) = ([.. values.Select(v => Math.Sqrt(Math.Max(v, 0)))], vectors);
    }

    // C^(−½)·x.
    private double[] Whitened(double[] x)
    {
        var whitened = new double[n];
        for (var k = 0; k < n; k++)
        {
            if (scales[k] > 0)
                MatrixMath.AddScaled(axes.Row(k), TensorPrimitives.Dot<double>(axes.Row(k), x) / scales[k], whitened);
        }

        return whitened;
    }

    private void Decay(double[] path, double rate, double[] step)
    {
        TensorPrimitives.Multiply(path, 1 - rate, path);
        MatrixMath.AddScaled(step, Math.Sqrt(rate * (2 - rate) * effective), path);
    }

    private void AddOuter(double[] x, double factor)
    {
        for (var i = 0; i < n; i++)
            MatrixMath.AddScaled(x, factor * x[i], covariance.Row(i));
    }
}
