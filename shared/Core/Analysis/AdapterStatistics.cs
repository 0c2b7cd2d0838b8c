using System.Collections.Immutable;
using Marketplace.Core.Algebra;

namespace Marketplace.Core.Analysis;

/// <summary>What is known of one module without its factors.</summary>
/// <param name="Module">Its name.</param>
/// <param name="Kind">Linear, Embedding or Conv2d.</param>
/// <param name="Out">Rows of ΔW.</param>
/// <param name="In">Columns of ΔW.</param>
/// <param name="Rank">r.</param>
/// <param name="Scaling">s.</param>
/// <param name="Norm">|ΔW|, Frobenius.</param>
/// <param name="SpectralNorm">The largest singular value of ΔW; 0 where ΔW = 0.</param>
/// <param name="StableRank">(|ΔW| ∕ largest singular value)², between 1 and r: how many directions count. 0 where ΔW = 0.</param>
/// <param name="EffectiveRank">exp(−Σ pᵢ ln pᵢ) with pᵢ = σᵢ² ∕ Σσ², between 1 and r: over how many directions |ΔW|² is spread. 0 where ΔW = 0.</param>
/// <param name="NumericalRank">Singular values that are more than rounding.</param>
/// <param name="Degenerate">Whether the two largest singular values are too close (S₁ − S₂ &lt; 10⁻³·S₁) for the prototype to mean one direction.</param>
/// <param name="SingularValues">All min(out, r, in) of them, descending.</param>
public sealed record ModuleStatistics(
    string Module, string Kind, int Out, int In, int Rank, double Scaling, double Norm, double SpectralNorm, double StableRank, double EffectiveRank,
    int NumericalRank, bool Degenerate, ImmutableArray<double> SingularValues)
{
    internal static ModuleStatistics Of(TargetModule module, LowRankSpectrum spectrum, bool degenerate)
    {
        var stable = spectrum.S1 == 0 ? 0 : Math.Pow(spectrum.Norm / spectrum.S1, 2);
        return new(
            module.Name, module.Kind.ToString(), module.Out, module.In, module.Rank, module.Scaling, spectrum.Norm, spectrum.S1, stable,
            spectrum.S1 == 0 ? 0 : Effective(spectrum.S), spectrum.S.Count(s => s > spectrum.Noise), degenerate, spectrum.S);
    }

    private static double Effective(ImmutableArray<double> s)
    {
        var entropy = 0d;
        var sum = s.Sum(x => x / s[0] * (x / s[0]));
        foreach (var x in s)
        {
            if (x / s[0] * (x / s[0]) / sum is > 0 and var p)
                entropy -= p * Math.Log(p);
        }

        return Math.Exp(entropy);
    }
}

/// <summary>What is known of an adapter without its factors.</summary>
/// <param name="Version">Version of the analysis.</param>
/// <param name="Parameters">Entries of A and B over all modules.</param>
/// <param name="Norm">|ΔW| over all modules.</param>
/// <param name="SpectralNorm">The largest singular value of any module.</param>
/// <param name="MeanStableRank">Mean of the stable ranks, each module weighted by its |ΔW|²; 0 where ΔW = 0 everywhere.</param>
/// <param name="MeanEffectiveRank">The same of the effective ranks.</param>
/// <param name="ZeroModules">Modules with ΔW = 0.</param>
/// <param name="DegenerateModules">Modules whose prototype does not mean one direction.</param>
/// <param name="Modules">The modules, in ordinal order of their names.</param>
public sealed record AdapterStatistics(
    string Version, long Parameters, double Norm, double SpectralNorm, double MeanStableRank, double MeanEffectiveRank,
    int ZeroModules, int DegenerateModules, ImmutableArray<ModuleStatistics> Modules)
{
    /// <summary>Sums up modules.</summary>
    public static AdapterStatistics Of(ImmutableArray<ModuleStatistics> modules)
    {
        var norm = Math.Sqrt(modules.Sum(m => m.Norm * m.Norm));
        return new(
            AdapterAnalysis.Version, modules.Sum(m => (long)m.Rank * (m.Out + m.In)), norm, modules.Select(m => m.SpectralNorm).DefaultIfEmpty().Max(),
            Mean(m => m.StableRank), Mean(m => m.EffectiveRank), modules.Count(m => m.SpectralNorm == 0), modules.Count(m => m.Degenerate), modules);

        double Mean(Func<ModuleStatistics, double> value) => norm == 0 ? 0 : modules.Sum(m => m.Norm / norm * (m.Norm / norm) * value(m));
    }
}
