using Marketplace.Core.Algebra;

namespace Marketplace.Core.Merges;

/// <summary>
/// How much of a target was general knowledge, at one module or over all of them, and what a subtraction left. Norms are Frobenius norms of ΔW.
/// </summary>
/// <param name="Target">|ΔW_t|, the target with its weight.</param>
/// <param name="Mean">|ΔW_g|, the weighted mean of the general adapters.</param>
/// <param name="Removed">|ΔW_t − result|.</param>
/// <param name="Residual">|result|.</param>
/// <param name="EnergyRemoved">
/// 1 − |result|² ∕ |ΔW_t|². Negative where a subtraction added more than it took: subtracting what a target does not hold leaves its opposite in it. 0 where ΔW_t = 0.
/// </param>
/// <param name="Cosine">Of ΔW_t and ΔW_g; 0 where either vanishes.</param>
/// <param name="Share">
/// |Q_bᵀ ΔW_t Q_a|² ∕ |ΔW_t|²: the part of the target that reads what general adapters read and writes what they write, in [0, 1]. It does not depend on the
/// method. Two unrelated adapters have about r_g² ∕ (in·out) in common by chance.
/// </param>
/// <param name="InputShare">|ΔW_t Q_a|² ∕ |ΔW_t|²: the part that reads what they read, in [0, 1]; what a projection of the input removes. By chance about r_g ∕ in.</param>
/// <param name="OutputShare">|Q_bᵀ ΔW_t|² ∕ |ΔW_t|²: the part that writes what they write, in [0, 1]. By chance about r_g ∕ out.</param>
public sealed record GeneralKnowledge(
    double Target, double Mean, double Removed, double Residual, double EnergyRemoved, double Cosine, double Share, double InputShare, double OutputShare)
{
    /// <summary>The same over all modules: norms and inner products add up before anything is divided.</summary>
    /// <param name="modules">One entry for each module.</param>
    public static GeneralKnowledge Total(IReadOnlyCollection<GeneralKnowledge> modules)
    {
        double target = Sum(m => Square(m.Target)), mean = Sum(m => Square(m.Mean)), removed = Sum(m => Square(m.Removed)), residual = Sum(m => Square(m.Residual));
        var inner = Sum(m => m.Cosine * m.Target * m.Mean);
        return new(
            Math.Sqrt(target), Math.Sqrt(mean), Math.Sqrt(removed), Math.Sqrt(residual), target > 0 ? 1 - (residual / target) : 0, Cos(inner, Math.Sqrt(target), Math.Sqrt(mean)),
            Part(m => m.Share), Part(m => m.InputShare), Part(m => m.OutputShare));

        double Sum(Func<GeneralKnowledge, double> value) => modules.Sum(value);
        double Part(Func<GeneralKnowledge, double> share) => target > 0 ? Math.Clamp(Sum(m => share(m) * Square(m.Target)) / target, 0, 1) : 0;
    }

    /// <summary>
    /// Measures one module, from factors alone: Q_a and Q_b span what the general adapters of a weight other than 0 read and write.
    /// </summary>
    /// <param name="target">ΔW_t with its weight; null where the target lacks the module.</param>
    /// <param name="general">The general adapters that have the module, with their weights.</param>
    /// <param name="sum">The sum of the weights of all general adapters, those included that lack the module.</param>
    /// <param name="result">What the subtraction made of it.</param>
    /// <exception cref="NotFiniteNumberException">A factor holds NaN or infinity.</exception>
    internal static GeneralKnowledge Of(LowRankDelta? target, IReadOnlyList<(double Weight, LowRankDelta Delta)> general, double sum, LowRankDelta result)
    {
        var kernels = ReferenceKernels.Instance;
        var mean = general.Count > 0 && sum != 0 ? Deltas.WeightedSum([.. general.Select(g => (g.Weight / sum, g.Delta))]) : null;
        var (meanNorm, left) = (mean is null ? 0 : Deltas.Norm(mean), Deltas.Norm(result));
        if (target is null || Deltas.Norm(target) is not (> 0 and var norm))
            return new(0, meanNorm, left, left, 0, 0, 0, 0, 0);

        LowRankDelta[] sources =
        [
            .. general.Where(g => g.Weight != 0).Select(g => kernels.Recompress(g.Delta, RankPolicy.Lossless).Delta)
                .Where(d => d.B.Values.AsSpan().ContainsAnyExcept(0d)),
        ];
        double share = 0, input = 0, output = 0;
        if (GenKnowSubMethods.Span(sources, written: false, kernels) is { } read && GenKnowSubMethods.Span(sources, written: true, kernels) is { } written)
        {
            Matrix a = MatrixMath.TimesTransposed(target.A, read), b = MatrixMath.Times(written, target.B);
            share = Energy(new(b, a));
            input = Energy(new(target.B, a));
            output = Energy(new(b, target.A));
        }

        return new(
            norm, meanNorm, Deltas.Distance(target, result), left, 1 - Square(left / norm),
            mean is null ? 0 : Cos(Deltas.Inner(target, mean), norm, meanNorm), share, input, output);

        double Energy(LowRankDelta part) => Math.Min(1, Square(Deltas.Norm(part) / norm));
    }

    private static double Cos(double inner, double first, double second) => first * second > 0 ? Math.Clamp(inner / (first * second), -1, 1) : 0;

    private static double Square(double x) => x * x;
}
