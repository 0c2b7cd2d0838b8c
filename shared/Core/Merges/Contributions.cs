using System.Collections.Immutable;
using System.Numerics.Tensors;
using Marketplace.Core.Algebra;

namespace Marketplace.Core.Merges;

/// <summary>What one adapter has to do with a module of the result.</summary>
/// <param name="Norm">|ΔWₑ|.</param>
/// <param name="Cosine">Of ΔWₑ and the result; 0 where either vanishes.</param>
/// <param name="Share">
/// Its part of |result|²: γₑ·⟨ΔWₑ, result⟩ ∕ |result|², where Σ γₑΔWₑ is the combination of the adapters that comes closest to the result. The shares of all
/// adapters add up to what such a combination explains: 1 for weighted sums, less where entries were dropped.
/// </param>
public sealed record ParentContribution(double Norm, double Cosine, double Share);

/// <summary>How much of a result comes from which adapter.</summary>
internal static class Contributions
{
    private const double Negligible = 1e-10; // eigenvalues below this share of the largest belong to adapters that are copies of each other

    /// <summary>One entry for each adapter; null for one that lacks the module.</summary>
    public static ImmutableArray<ParentContribution?> Of(IReadOnlyList<LowRankDelta?> adapters, LowRankDelta result, IMergeKernels kernels)
    {
        int[] present = [.. Enumerable.Range(0, adapters.Count).Where(i => adapters[i] is not null)];
        var gram = kernels.Gram([.. present.Select(i => adapters[i]!), result]);
        var k = present.Length;
        var squared = gram[k, k];
        var gamma = Solve(gram, k, kernels);
        var contributions = new ParentContribution?[adapters.Count];
        for (var i = 0; i < k; i++)
        {
            var norm = Math.Sqrt(Math.Max(0, gram[i, i]));
            var scale = norm * Math.Sqrt(Math.Max(0, squared));
            contributions[present[i]] = new(
                norm, scale > 0 ? Math.Clamp(gram[i, k] / scale, -1, 1) : 0, squared > 0 ? gamma[i] * gram[i, k] / squared : 0);
        }

        return [.. contributions];
    }

    // γ = G⁺h with h the last column.
    private static double[] Solve(Matrix gram, int k, IMergeKernels kernels)
    {
        var inner = new Matrix(k, k);
        var h = new double[k];
        for (var i = 0; i < k; i++)
        {
            gram.Row(i)[..k].CopyTo(inner.Row(i));
            h[i] = gram[i, k];
        }

        var (values, vectors) = kernels.SymmetricEigen(inner);
        var gamma = new double[k];
        for (var j = 0; j < k; j++)
        {
            if (values[j] > Negligible * values[^1])
                MatrixMath.AddScaled(vectors.Row(j), TensorPrimitives.Dot<double>(vectors.Row(j), h) / values[j], gamma);
        }

        return gamma;
    }
}
