using Marketplace.Core.Algebra;

namespace Marketplace.Core.Evaluation;

/// <summary>The binomial distribution: how many of n independent trials succeed, each with probability p.</summary>
public static class Binomial
{
    private const int BisectionSteps = 200;

    /// <summary>ln P(X = k) = ln C(n, k) + k·ln p + (n − k)·ln(1 − p).</summary>
    public static double LogPmf(int k, int n, double p)
    {
        if (p <= 0 || p >= 1)
            return k == (p <= 0 ? 0 : n) ? 0 : double.NegativeInfinity;
        return LogGamma(n + 1) - LogGamma(k + 1) - LogGamma(n - k + 1) + (k * Math.Log(p)) + ((n - k) * double.LogP1(-p));
    }

    /// <summary>P(X ≥ k), to a relative accuracy of about 10⁻¹⁰.</summary>
    public static double UpperTail(int k, int n, double p) =>
        k <= 0 ? 1 : k > n ? 0 : 2L * k > n * p * 2 ? SumFrom(k, n, p, +1) : 1 - SumFrom(k - 1, n, p, -1);

    /// <summary>P(X ≤ k).</summary>
    public static double LowerTail(int k, int n, double p) => UpperTail(n - k, n, 1 - p);

    /// <summary>
    /// The Clopper–Pearson bound: the p at which P(X ≥ k) = α. Below it, k or more successes would be rarer than α, so that with a probability of at least
    /// 1 − α the true p is not below. 0 for k = 0.
    /// </summary>
    /// <param name="k">Successes seen.</param>
    /// <param name="n">Trials, at least 1.</param>
    /// <param name="alpha">Probability of error, in (0, 1).</param>
    public static double LowerBound(int k, int n, double alpha)
    {
        if (k == 0)
            return 0;
        var (low, high) = (0.0, (double)k / n);
        // At k/n the tail is about a half; the bound is above that only where α is.
        if (UpperTail(k, n, high) < alpha)
            (low, high) = (high, 1);
        for (var step = 0; step < BisectionSteps && low < high; step++)
        {
            var middle = 0.5 * (low + high);
            if (middle <= low || middle >= high)
                break;
            (low, high) = UpperTail(k, n, middle) < alpha ? (middle, high) : (low, middle);
        }

        return low;
    }

    /// <summary>The Clopper–Pearson bound from above: the p at which P(X ≤ k) = α; 1 for k = n.</summary>
    public static double UpperBound(int k, int n, double alpha) => 1 - LowerBound(n - k, n, alpha);

    /// <summary>One draw, by searching from the mode outwards: about √n steps.</summary>
    public static int Sample(Philox random, int n, double p)
    {
        if (n == 0 || p <= 0 || p >= 1)
            return p >= 1 ? n : 0;
        var left = random.NextDouble();
        var mode = Math.Min(n, (int)((n + 1) * p));
        var (down, up) = (mode, mode);
        var (below, above) = (Math.Exp(LogPmf(mode, n, p)), 0.0);
        above = below;
        left -= below;
        var odds = p / (1 - p);
        while (left >= 0 && (down > 0 || up < n))
        {
            if (up < n)
            {
                above *= (n - up) / (up + 1.0) * odds;
                up++;
                left -= above;
                if (left < 0)
                    return up;
            }

            if (down > 0)
            {
                below *= down / ((n - down + 1) * odds);
                down--;
                left -= below;
                if (left < 0)
                    return down;
            }
        }

        return mode;
    }

    // Terms shrink from the start on, since k lies beyond the mean on the side that is summed.
    private static double SumFrom(int k, int n, double p, int direction)
    {
        var term = Math.Exp(LogPmf(k, n, p));
        var (sum, odds) = (term, p / (1 - p));
        for (var i = k; term > sum * 1e-17 && (direction > 0 ? i < n : i > 0); i += direction)
        {
            term *= direction > 0 ? (n - i) / (i + 1.0) * odds : i / ((n - i + 1) * odds);
            sum += term;
        }

        return Math.Min(1, sum);
    }

    /// <summary>ln Γ(x) for x ≥ 1: Stirling's series, after the argument was raised to 16 or more by Γ(x + 1) = x·Γ(x).</summary>
    internal static double LogGamma(double x)
    {
        var product = 1.0;
        for (; x < 16; x++)
            product *= x;
        var square = 1 / (x * x);
        var series = (1 / 12.0) - (square * ((1 / 360.0) - (square * ((1 / 1260.0) - (square * (1 / 1680.0))))));
        return ((x - 0.5) * Math.Log(x)) - x + (0.5 * Math.Log(2 * Math.PI)) + (series / x) - Math.Log(product);
    }
}
