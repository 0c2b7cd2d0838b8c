using System.Collections.Immutable;
using Marketplace.Core.Algebra;

namespace Marketplace.Core.Merges;

/// <summary>How far two adapters share what they read and what they write at one module; all numbers in [0, 1].</summary>
/// <param name="Module">The module.</param>
/// <param name="Input">
/// The overlap of input spans: ½·(|ΔW₁V₂|² ∕ |ΔW₁|² + |ΔW₂V₁|² ∕ |ΔW₂|²), V an orthonormal basis of a row space: the share of one's energy that reads directions which the other reads too.
/// </param>
/// <param name="Output">The same of column spaces: ½·(|U₂ᵀΔW₁|² ∕ |ΔW₁|² + |U₁ᵀΔW₂|² ∕ |ΔW₂|²).</param>
/// <param name="Overlap">√(input·output): 0 where either is orthogonal, for then the two do not meet.</param>
public sealed record ModuleOverlap(string Module, double Input, double Output, double Overlap);

/// <summary>
/// How far two adapters share what they read and write over all modules. Spans do not depend on how ΔW is factored. Where ranks come near the size of a module they fill it, and
/// every overlap is near 1.
/// </summary>
/// <param name="Input">Overlap of input spans, each adapter's modules weighted by its energy |ΔW|² there; a module that one lacks overlaps with nothing.</param>
/// <param name="Output">The same of output spans.</param>
/// <param name="Overlap">The mean of the modules' overlaps with the same weights, ½·(|ΔW₁|²ₘ ∕ |ΔW₁|² + |ΔW₂|²ₘ ∕ |ΔW₂|²).</param>
/// <param name="Complementarity">1 − overlap: 0 for copies, 1 for adapters of disjoint modules or orthogonal spans.</param>
/// <param name="Modules">The modules that overlap most, descending: all of them for two adapters, fewer where there are many pairs.</param>
public sealed record PairOverlap(double Input, double Output, double Overlap, double Complementarity, ImmutableArray<ModuleOverlap> Modules);

/// <summary>Gathers overlaps of spans, module by module.</summary>
/// <param name="adapters">How many adapters there are.</param>
internal sealed class SpanOverlap(int adapters)
{
    private const int MostRows = 20_000; // of a report
    private const int FewestRows = 3;    // of a pair

    private readonly double[] energies = new double[adapters];
    private readonly Dictionary<(int, int), Totals> pairs = [];

    /// <summary>Looks at one module.</summary>
    /// <param name="module">Its name.</param>
    /// <param name="present">The adapters that have it.</param>
    /// <param name="cores">Their ΔW.</param>
    /// <param name="norms">Their |ΔW|.</param>
    public void Add(string module, ReadOnlySpan<int> present, SharedCores cores, ReadOnlySpan<double> norms)
    {
        var spans = new LowRankSvd?[present.Length];
        for (var k = 0; k < present.Length; k++)
        {
            energies[present[k]] += norms[k] * norms[k];
            if (norms[k] > 0)
                spans[k] = cores.Svd(k);
        }

        for (var k = 0; k < present.Length; k++)
            for (var l = k + 1; l < present.Length; l++)
            {
                if (spans[k] is not { } first || spans[l] is not { } second)
                    continue;
                var key = (present[k], present[l]);
                if (!pairs.TryGetValue(key, out var totals))
                    pairs.Add(key, totals = new());
                totals.Add(module, Inside(first, second), Inside(second, first), norms[k] * norms[k], norms[l] * norms[l]);
            }
    }

    /// <summary>The overlap of two adapters; null where one of them changes nothing.</summary>
    public PairOverlap? Of(int first, int second)
    {
        var (one, two) = (energies[first], energies[second]);
        if (one == 0 || two == 0)
            return null;
        if (!pairs.TryGetValue((first, second), out var totals))
            return new(0, 0, 0, 1, []);
        var overlap = Math.Clamp(((totals.First / one) + (totals.Second / two)) / 2, 0, 1);
        var rows = Math.Max(FewestRows, MostRows / Math.Max(1, adapters * (adapters - 1) / 2));
        return new(
            Math.Clamp(((totals.FirstInput / one) + (totals.SecondInput / two)) / 2, 0, 1), Math.Clamp(((totals.FirstOutput / one) + (totals.SecondOutput / two)) / 2, 0, 1),
            overlap, 1 - overlap, [.. totals.Modules.OrderByDescending(m => m.Overlap).ThenBy(m => m.Module, StringComparer.Ordinal).Take(rows)]);
    }

    // The shares of one's energy in the row space and the column space of the other: both are given by singular vectors in one basis.
    private static (double Input, double Output) Inside(LowRankSvd one, LowRankSvd other)
    {
        var total = one.S.Sum(s => s * s);
        var rank = other.S.Count(s => s > other.Noise);
        return (Share(one.Vt, other.Vt), Share(one.Ut, other.Ut));

        double Share(Matrix mine, Matrix theirs)
        {
            var (cosines, inside) = (MatrixMath.TimesTransposed(mine, theirs), 0d);
            for (var i = cosines.Rows - 1; i >= 0; i--)
                inside += one.S[i] * one.S[i] * System.Numerics.Tensors.TensorPrimitives.SumOfSquares<double>(cosines.Row(i)[..rank]);
            return Math.Clamp(inside / total, 0, 1);
        }
    }

    private sealed class Totals
    {
        public double First { get; private set; }

        public double Second { get; private set; }

        public double FirstInput { get; private set; }

        public double SecondInput { get; private set; }

        public double FirstOutput { get; private set; }

        public double SecondOutput { get; private set; }

        public List<ModuleOverlap> Modules { get; } = [];

        public void Add(string module, (double Input, double Output) one, (double Input, double Output) two, double energy1, double energy2)
        {
            var (input, output) = ((one.Input + two.Input) / 2, (one.Output + two.Output) / 2);
            var overlap = Math.Sqrt(input * output);
            Modules.Add(new(module, input, output, overlap));
            (First, Second) = (First + (energy1 * overlap), Second + (energy2 * overlap));
            (FirstInput, SecondInput) = (FirstInput + (energy1 * one.Input), SecondInput + (energy2 * two.Input));
            (FirstOutput, SecondOutput) = (FirstOutput + (energy1 * one.Output), SecondOutput + (energy2 * two.Output));
        }
    }
}
