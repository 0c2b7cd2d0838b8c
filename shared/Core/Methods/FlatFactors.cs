using System.Numerics.Tensors;
using Marketplace.Core.Algebra;
using Marketplace.Core.Analysis;
using Marketplace.Core.Merges;

namespace Marketplace.Core.Methods;

/// <summary>
/// The embedding of published MBC: x = all entries of A and B, unscaled, with every |xᵢ| up to a quantile set to zero. Only inner
/// products are needed, and they are summed module by module, so that no x is ever laid out. (The published code also reduces x to
/// 64 dimensions, which changes nothing for up to 64 adapters.)
/// </summary>
public static class FlatFactors
{
    /// <summary>mttl's default share of entries set to zero.</summary>
    public const double DefaultSparsity = 0.8;

    /// <summary>Gᵢⱼ = ⟨xᵢ, xⱼ⟩ of the sparsified entries, shape (n, n).</summary>
    /// <param name="adapters">Adapters of equal modules and ranks.</param>
    /// <param name="sparsity">q in [0, 1]; null keeps all entries.</param>
    public static Matrix Gram(IReadOnlyList<Adapter> adapters, double? sparsity)
    {
        var thresholds = adapters.Select(a => sparsity is { } q ? Threshold(a, q) : -1).ToList();
        var gram = new Matrix(adapters.Count, adapters.Count);
        foreach (var module in adapters.Count == 0 ? [] : adapters[0].Modules)
        {
            var sparse = new double[adapters.Count][];
            Parallel.For(0, adapters.Count, i => sparse[i] = Array.ConvertAll(
                Raw(adapters[i], module.Name), x => Math.Abs(x) <= thresholds[i] ? 0 : x));
            Parallel.For(0, adapters.Count, i =>
            {
                for (var j = 0; j <= i; j++)
                {
                    gram[i, j] += TensorPrimitives.Dot<double>(sparse[i], sparse[j]);
                    gram[j, i] = gram[i, j];
                }
            });
        }
        return gram;
    }

    /// <summary>The q-quantile of |xᵢ| with linear interpolation, as numpy computes it.</summary>
    /// <remarks>Found by counting the bits of the entries, in a few passes over the adapter, with no more memory than for one module.</remarks>
    public static double Threshold(Adapter adapter, double q) => FlatQuantile.Of(adapter, q);

    /// <summary>Adds what keeps factors from being compared entry by entry.</summary>
    internal static void Check(List<MergeProblem> found, IReadOnlyList<Adapter> adapters)
    {
        for (var i = 0; i < adapters.Count; i++)
        {
            var differing = adapters[0].Modules.Select(m => (m.Name, m.Rank)).Except(adapters[i].Modules.Select(m => (m.Name, m.Rank)))
                .Concat(adapters[i].Modules.Select(m => (m.Name, m.Rank)).Except(adapters[0].Modules.Select(m => (m.Name, m.Rank))))
                .FirstOrDefault();
            if (differing.Name is { } module)
                found.Add(new(MergeProblem.FactorsNotComparable, $"{module} is missing or has another rank than in the first adapter.", i, module));
            else if (adapters[i].Modules.FirstOrDefault(m => m.Scaling == 0) is { } zero)
                found.Add(new(MergeProblem.FactorsNotComparable, $"{zero.Name} has scaling 0, so B can't be told from ΔW.", i, zero.Name));
        }
    }

    // Folded factors carry the scaling in B; here it has to come out again.
    private static double[] Raw(Adapter adapter, string module)
    {
        var delta = adapter.Delta(module)!;
        var raw = new double[delta.A.Values.Length + delta.B.Values.Length];
        delta.A.Values.CopyTo(raw, 0);
        TensorPrimitives.Divide(delta.B.Values, adapter.Find(module)!.Scaling, raw.AsSpan(delta.A.Values.Length));
        return raw;
    }
}
