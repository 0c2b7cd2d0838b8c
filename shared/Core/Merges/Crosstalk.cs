using System.Collections.Immutable;
using Marketplace.Core.Algebra;

namespace Marketplace.Core.Merges;

/// <summary>The pair of adapters that interfere most at a module.</summary>
/// <param name="Module">The module's name.</param>
/// <param name="First">Index of one adapter.</param>
/// <param name="Second">Index of the other, larger than <paramref name="First"/>.</param>
/// <param name="Value">|A₁A₂ᵀ| ∕ (|A₁|·|A₂|) in spectral norms, in [0, 1].</param>
public sealed record ModuleCrosstalk(string Module, int First, int Second, double Value);

/// <summary>
/// How much adapters respond to each other's inputs (arXiv 2312.02432): |A₁A₂ᵀ| ∕ (|A₁|·|A₂|) in spectral norms. It is 0 if the rows of A₁ and A₂
/// are orthogonal: on x in the rows of A₁, adapter 2 adds nothing. For factors A with orthonormal rows it is the cosine of the smallest angle between them.
/// </summary>
/// <remarks>Apart from 0, the value depends on how ΔW is factored: it is meant for factors A that were given to training and frozen.</remarks>
/// <param name="Modules">The worst pair of each module that at least two adapters have, in ordinal order of modules.</param>
public sealed record Crosstalk(ImmutableArray<ModuleCrosstalk> Modules)
{
    /// <summary>The worst pair of all; null if no two adapters share a module.</summary>
    public ModuleCrosstalk? Worst => Modules.MaxBy(m => m.Value);

    /// <summary>Of two factors A (r₁, in) and (r₂, in); 0 where one of them vanishes.</summary>
    /// <exception cref="ArgumentException">The factors have different numbers of columns.</exception>
    /// <exception cref="NotFiniteNumberException">An entry is NaN or infinite.</exception>
    public static double Of(Matrix a1, Matrix a2)
    {
        if (a1.Columns != a2.Columns)
            throw new ArgumentException($"Factors with {a1.Columns} and {a2.Columns} columns have no input in common.", nameof(a2));
        return Of(a1, SpectralNorm(a1), a2, SpectralNorm(a2));
    }

    /// <summary>Over all pairs of adapters and all modules that both have, one module in memory at a time.</summary>
    /// <param name="adapters">Adapters whose modules have equal shapes where they share a name.</param>
    /// <exception cref="NotFiniteNumberException">An entry is NaN or infinite.</exception>
    public static Crosstalk Of(IReadOnlyList<Adapter> adapters) => new(
    [
        .. adapters.SelectMany(a => a.Modules).Select(m => m.Name).Distinct().Order(StringComparer.Ordinal)
            .Select(name => Of(name, [.. adapters.Select(a => a.Delta(name)?.A)])).OfType<ModuleCrosstalk>(),
    ]);

    /// <summary>The worst pair at one module, by the factors A of those that have it; null if fewer than two do.</summary>
    /// <param name="module">The module's name.</param>
    /// <param name="factorsA">A (r, in) of each adapter, null for one that lacks the module.</param>
    /// <exception cref="NotFiniteNumberException">An entry is NaN or infinite.</exception>
    public static ModuleCrosstalk? Of(string module, IReadOnlyList<Matrix?> factorsA)
    {
        var factors = factorsA.Select((a, i) => (Index: i, A: a)).Where(f => f.A is not null)
            .Select(f => (f.Index, A: f.A!, Norm: SpectralNorm(f.A!))).ToList();
        ModuleCrosstalk? worst = null;
        for (var i = 0; i < factors.Count; i++)
            for (var j = i + 1; j < factors.Count; j++)
            {
                var value = Of(factors[i].A, factors[i].Norm, factors[j].A, factors[j].Norm);
                if (worst is null || value > worst.Value)
                    worst = new(module, factors[i].Index, factors[j].Index, value);
            }

        return worst;
    }

    private static double Of(Matrix a1, double norm1, Matrix a2, double norm2)
    {
        if (norm1 == 0 || norm2 == 0)
            return 0;
        var value = JacobiSvd.Factor(MatrixMath.TimesTransposed(a1, a2)).S[0] / norm1 / norm2;
        return Math.Clamp(value, 0, 1);
    }

    // The QR of a wide matrix leaves a small one with the same singular values.
    private static double SpectralNorm(Matrix a)
    {
        if (!MatrixMath.IsFinite(a))
            throw new NotFiniteNumberException("The crosstalk of factors that are not finite is undefined.");
        return JacobiSvd.Factor(new ThinQr(new Matrix(a.Rows, a.Columns, [.. a.Values])).R).S[0];
    }
}
