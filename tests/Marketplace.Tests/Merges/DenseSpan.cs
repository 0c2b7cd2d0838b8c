namespace Marketplace.Tests.Merges;

/// <summary>The oracle of span methods: their formulas on vectors, step by step as published, with nothing in factored form and no Gram matrix.</summary>
internal static class DenseSpan
{
    public static double[] Slerp(double[] x, double[] y, double t, double linearAbove = 0.9995)
    {
        var (nx, ny) = (Norm(x), Norm(y));
        if (nx == 0 || ny == 0)
            return Sum((1 - t, x), (t, y));
        var cosine = Math.Clamp(Dot(x, y) / (nx * ny), -1, 1);
        if (Math.Abs(cosine) > linearAbove)
            return Sum((1 - t, x), (t, y));
        var angle = Math.Acos(cosine);
        return Sum((Math.Sin((1 - t) * angle) / Math.Sin(angle), x), (Math.Sin(t * angle) / Math.Sin(angle), y));
    }

    /// <summary>With the way into the tangent space at the mean and back.</summary>
    public static double[] MultiSlerp(double[][] x, double[] weights)
    {
        double[][] units = [.. x.Select(Unit)];
        var sum = Sum([.. weights.Zip(units)]);
        if (Norm(sum) < 1e-3 * weights.Zip(units, (w, u) => Math.Abs(w) * Norm(u)).Sum())
            return Sum([.. weights.Zip(x)]);
        var mean = Unit(sum);
        var tangent = Sum([.. weights.Zip(units, (w, u) => (w, Sum((1, u), (-Dot(u, mean), mean))))]);
        var angle = Norm(tangent) + 1e-12;
        var direction = Sum((Math.Cos(angle), mean), (Math.Sin(angle) / angle, tangent));
        return Sum((weights.Zip(x, (w, v) => w * Norm(v)).Sum(), direction));
    }

    public static double[] Karcher(double[][] x, double[] shares, int iterations = 10, double tolerance = 1e-5)
    {
        double[][] units = [.. x.Select(Unit)];
        var sum = Sum([.. shares.Zip(units)]);
        if (Norm(sum) < 1e-3 * shares.Zip(units, (a, u) => a * Norm(u)).Sum())
            return Sum([.. shares.Zip(x)]);
        var centre = Unit(sum);
        for (var i = 0; i < iterations; i++)
        {
            var tangent = new double[centre.Length];
            foreach (var (share, unit) in shares.Zip(units).Where(p => Norm(p.Second) > 0))
            {
                var across = Sum((1, unit), (-Dot(unit, centre), centre));
                var angle = Math.Atan2(Norm(across), Dot(unit, centre));
                if (angle > 1e-9 && 1 + Math.Cos(angle) > 1e-6)
                    tangent = Sum((1, tangent), (share * angle / Math.Sin(angle), across));
            }

            var step = Norm(tangent);
            if (step < tolerance)
                break;
            centre = Unit(Sum((Math.Cos(step), centre), (Math.Sin(step) / step, tangent)));
        }

        return Sum((shares.Zip(x, (a, v) => a * Norm(v)).Sum(), centre));
    }

    /// <summary>Mean cosine of pairs, t before it is clamped, and the result.</summary>
    public static (double Cosine, double T, double[] Result) ModelStock(double[][] x)
    {
        double[][] units = [.. x.Select(Unit)];
        var cosine = Enumerable.Range(0, x.Length).SelectMany(i => Enumerable.Range(0, i).Select(j => Dot(units[i], units[j]))).Average();
        var t = x.Length * cosine / (1 + ((x.Length - 1) * cosine));
        return (cosine, t, Sum([.. x.Select(v => ((cosine <= 0 ? 0 : t) / x.Length, v))]));
    }

    /// <summary>Applies a formula to each row (or column) of matrices on its own.</summary>
    public static double[,] ByRow(double[][,] matrices, Func<double[][], double[]> formula, bool columns = false)
    {
        var result = new double[matrices[0].GetLength(0), matrices[0].GetLength(1)];
        var (lines, length) = columns ? (result.GetLength(1), result.GetLength(0)) : (result.GetLength(0), result.GetLength(1));
        for (var line = 0; line < lines; line++)
        {
            var merged = formula([.. matrices.Select(m => Enumerable.Range(0, length).Select(k => columns ? m[k, line] : m[line, k]).ToArray())]);
            for (var k = 0; k < length; k++)
                result[columns ? k : line, columns ? line : k] = merged[k];
        }

        return result;
    }

    /// <summary>Applies a formula to whole matrices.</summary>
    public static double[,] Whole(double[][,] matrices, Func<double[][], double[]> formula)
    {
        var merged = formula([.. matrices.Select(m => m.Cast<double>().ToArray())]);
        var result = new double[matrices[0].GetLength(0), matrices[0].GetLength(1)];
        Buffer.BlockCopy(merged, 0, result, 0, merged.Length * sizeof(double));
        return result;
    }

    private static double Dot(double[] x, double[] y) => x.Zip(y, (a, b) => a * b).Sum();

    private static double Norm(double[] x) => Math.Sqrt(Dot(x, x));

    private static double[] Unit(double[] x) => Norm(x) is var n && n > 0 ? [.. x.Select(v => v / n)] : x;

    private static double[] Sum(params ReadOnlySpan<(double Weight, double[] Vector)> terms)
    {
        var sum = new double[terms[0].Vector.Length];
        foreach (var (weight, vector) in terms)
            for (var i = 0; i < sum.Length; i++)
                sum[i] += weight * vector[i];
        return sum;
    }
}
