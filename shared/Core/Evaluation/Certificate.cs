namespace Marketplace.Core.Evaluation;

/// <summary>
/// What is sure of the best of N candidates that were tried on the same n items, drawn independently from what the score stands for: with a probability of at least
/// 1 − δ each bound holds for all N at once, hence for whichever was picked, however it was picked. N counts everything that was looked at to pick, and not only what is shown;
/// candidates that were made by looking at these items do not count as tried on them, and nothing is sure of those.
/// </summary>
/// <param name="Examples">n.</param>
/// <param name="Candidates">N.</param>
/// <param name="Delta">δ.</param>
/// <param name="Empirical">The share k ∕ n that the picked one has right.</param>
/// <param name="Hoeffding">
/// ε = √(ln(2N ∕ δ) ∕ (2n)): two-sided, the true share is within k ∕ n ± ε (Hoeffding 1963, and the sum of N errors).
/// </param>
/// <param name="Lower">
/// One-sided: the true share is at least this, the p at which k or more of n have the probability δ ∕ N (Clopper and Pearson 1934). Never below k ∕ n − ε.
/// </param>
/// <param name="ExactLow">Two-sided: lower end, the same at δ ∕ (2N).</param>
/// <param name="ExactHigh">Two-sided: upper end, the p at which k or fewer have the probability δ ∕ (2N).</param>
public sealed record Certificate(
    int Examples, int Candidates, double Delta, double Empirical, double Hoeffding, double Lower, double ExactLow, double ExactHigh)
{
    /// <summary>Probability of error where nothing else is asked for.</summary>
    public const double DefaultDelta = 0.05;

    /// <summary>The Hoeffding interval's lower end, cut at 0.</summary>
    public double HoeffdingLow => Math.Max(0, Empirical - Hoeffding);

    /// <summary>The Hoeffding interval's upper end, cut at 1.</summary>
    public double HoeffdingHigh => Math.Min(1, Empirical + Hoeffding);

    /// <summary>The certificate of a 0/1 metric.</summary>
    /// <param name="correct">k, of the one that was picked.</param>
    /// <param name="examples">n, at least 1.</param>
    /// <param name="candidates">N, at least 1.</param>
    /// <param name="delta">δ in (0, 1).</param>
    /// <exception cref="ArgumentOutOfRangeException">A number is out of its range.</exception>
    public static Certificate Of(int correct, int examples, int candidates, double delta = DefaultDelta)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(examples, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(candidates, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(correct);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(correct, examples);
        if (!(delta > 0 && delta < 1))
            throw new ArgumentOutOfRangeException(nameof(delta));
        return new(
            examples, candidates, delta, (double)correct / examples, Math.Sqrt(Math.Log(2.0 * candidates / delta) / (2.0 * examples)),
            Binomial.LowerBound(correct, examples, delta / candidates), Binomial.LowerBound(correct, examples, delta / (2.0 * candidates)),
            Binomial.UpperBound(correct, examples, delta / (2.0 * candidates)));
    }
}
