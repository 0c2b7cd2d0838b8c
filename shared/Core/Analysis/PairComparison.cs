using Marketplace.Core.Algebra;
using Marketplace.Core.Merges;

namespace Marketplace.Core.Analysis;

/// <summary>How the ΔW of one adapter relates to another's, over all modules, exact; a module that one of them lacks counts as ΔW = 0.</summary>
/// <param name="Cosine">⟨ΔW₁, ΔW₂⟩ ∕ (|ΔW₁|·|ΔW₂|); 0 where one of them is zero.</param>
/// <param name="RelativeDistance">|ΔW₁ − ΔW₂| ∕ |ΔW₁|; 0 where ΔW₁ = 0.</param>
/// <param name="Scale">t, the number for which t·ΔW₂ comes nearest to ΔW₁.</param>
/// <param name="Residual">|ΔW₁ − t·ΔW₂| ∕ |ΔW₁|: what is left when size is no difference.</param>
public sealed record PairComparison(double Cosine, double RelativeDistance, double Scale, double Residual)
{
    // Below this, differences of squares would lose too many digits.
    private const double Cancelling = 1e-3;

    /// <summary>Compares two adapters; null where they can't be: modules of one name have other shapes, or the effect of one depends on the base weights (DoRA).</summary>
    public static PairComparison? Of(Adapter first, Adapter second)
    {
        var problems = new List<MergeProblem>();
        MergeChecks.Comparable(problems, [first, second]);
        if (problems.Count > 0)
            return null;
        var (one, two) = (new FactorBuffer(first), new FactorBuffer(second));
        var (n11, n22, n12) = (0d, 0d, 0d);
        foreach (var (x, y) in Modules(first, second))
        {
            if (x is not null)
            {
                one.Read(x);
                n11 += FactorProducts.Inner(one.B, one.A, x.Rank, one.B, one.A, x.Rank);
            }

            if (y is not null)
            {
                two.Read(y);
                n22 += FactorProducts.Inner(two.B, two.A, y.Rank, two.B, two.A, y.Rank);
            }

            if (x is not null && y is not null)
                n12 += FactorProducts.Inner(one.B, one.A, x.Rank, two.B, two.A, y.Rank);
        }

        if (n11 <= 0 || n22 <= 0)
            return new(0, n11 <= 0 ? 0 : 1, 0, n11 <= 0 ? 0 : 1);
        var (cosine, scale) = (Math.Clamp(n12 / Math.Sqrt(n11) / Math.Sqrt(n22), -1, 1), n12 / n22);
        var residual = Math.Sqrt(Math.Max(0, 1 - (cosine * cosine)));
        return residual < Cancelling
            ? new(cosine, Distance(first, second, 1) / Math.Sqrt(n11), scale, Distance(first, second, scale) / Math.Sqrt(n11))
            : new(cosine, Math.Sqrt(Math.Max(0, n11 + n22 - (2 * n12)) / n11), scale, residual);
    }

    // From QR factors, module by module.
    private static double Distance(Adapter first, Adapter second, double scale)
    {
        var sum = 0d;
        foreach (var (x, y) in Modules(first, second))
        {
            var terms = new List<(double, LowRankDelta)>();
            if (x is not null)
                terms.Add((1, first.Delta(x.Name)!));
            if (y is not null)
                terms.Add((-scale, second.Delta(y.Name)!));
            var norm = Deltas.Norm(Deltas.WeightedSum(terms));
            sum += norm * norm;
        }

        return Math.Sqrt(sum);
    }

    private static IEnumerable<(TargetModule? First, TargetModule? Second)> Modules(Adapter first, Adapter second) =>
        first.Modules.Select(m => ((TargetModule?)m, second.Find(m.Name))).Concat(second.Modules.Where(m => first.Find(m.Name) is null).Select(m => ((TargetModule?)null, (TargetModule?)m)));
}
