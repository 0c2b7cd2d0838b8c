using Marketplace.Tests.Algebra;
using MathNet.Numerics.LinearAlgebra;

namespace Marketplace.Tests.Merges;

/// <summary>Basis methods on ΔW itself, as their formulas are written, with another library's decompositions.</summary>
internal static class BasisOracles
{
    /// <summary>Σ |(M − τₑ)·τₑᵀ|² ∕ |τₑ|².</summary>
    public static double WudiLoss(double[,] merged, IEnumerable<double[,]> inputs) => inputs.Where(t => Dense.Norm(t) > 0).Sum(t =>
        Math.Pow((Of(merged) - Of(t)).TransposeAndMultiply(Of(t)).FrobeniusNorm() / Of(t).FrobeniusNorm(), 2));

    /// <summary>Half the gradient of the loss with a ridge: Σ (M − τₑ)·τₑᵀτₑ ∕ |τₑ|² + ρ·(M − Σ τₑ).</summary>
    public static double[,] WudiGradient(double[,] merged, double[][,] inputs, double rho)
    {
        var m = Of(merged);
        var gradient = rho * (m - Of(Dense.Sum([.. inputs.Select(t => (1d, t))])));
        foreach (var t in inputs.Select(Of).Where(t => t.FrobeniusNorm() > 0))
            gradient += (m - t) * t.TransposeThisAndMultiply(t) / Math.Pow(t.FrobeniusNorm(), 2);
        return gradient.ToArray();
    }

    /// <summary>The number of directions that the inputs respond to.</summary>
    public static int RowSpace(double[][,] inputs)
    {
        var stacked = inputs.Select(Of).Where(t => t.FrobeniusNorm() > 0).Select(t => t / t.FrobeniusNorm()).Aggregate((x, y) => x.Stack(y));
        return stacked.Svd(false).S.Count(s => s > 1e-9);
    }

    /// <summary>The sum of the <paramref name="count"/> strongest axes of all wₑΔWₑ.</summary>
    public static double[,] Axis((double Weight, double[,] Delta)[] inputs, int count)
    {
        var axes = inputs.SelectMany(i =>
        {
            var svd = (i.Weight * Of(i.Delta)).Svd();
            return Enumerable.Range(0, svd.S.Count).Select(k => (Sigma: svd.S[k], Matrix: svd.S[k] * svd.U.Column(k).OuterProduct(svd.VT.Row(k))));
        });
        return axes.OrderByDescending(a => a.Sigma).Take(count).Select(a => a.Matrix).Aggregate((x, y) => x + y).ToArray();
    }

    public static Matrix<double> Of(double[,] x) => Matrix<double>.Build.DenseOfArray(x);
}
