using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
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

    private const long BufferBytes = 192L << 20;

    /// <summary>Gᵢⱼ = ⟨xᵢ, xⱼ⟩ of the sparsified entries, shape (n, n).</summary>
    /// <remarks>
    /// Of each module as many entries of all adapters are held as fit in <see cref="BufferBytes"/>; a module that is larger is read once for each piece. Reading costs n
    /// numbers per entry and the products n²∕2, so that hardly shows.
    /// </remarks>
    /// <param name="adapters">Adapters of equal modules and ranks.</param>
    /// <param name="sparsity">q in [0, 1]; null keeps all entries.</param>
    /// <param name="done">Told the number of each module when it is done.</param>
    public static Matrix Gram(IReadOnlyList<Adapter> adapters, double? sparsity, Action<int>? done = null)
    {
        var gram = new Matrix(adapters.Count, adapters.Count);
        if (adapters.Count == 0)
            return gram;
        var thresholds = new double[adapters.Count];
        Parallel.For(0, adapters.Count, i => thresholds[i] = sparsity is { } q ? Threshold(adapters[i], q) : -1);
        var longest = adapters[0].Modules.Select(m => (long)m.Rank * (m.Out + m.In)).DefaultIfEmpty().Max();
        var piece = (int)Math.Min(longest, Math.Max(1024, BufferBytes / (sizeof(double) * (long)adapters.Count)));
        var rows = new double[(long)piece * adapters.Count];
        for (var module = 0; module < adapters[0].Modules.Length; module++)
        {
            var found = adapters[0].Modules[module];
            var entries = found.Rank * (found.Out + found.In);
            for (var start = 0; start < entries; start += piece)
            {
                var (first, length) = (start, Math.Min(piece, entries - start));
                Parallel.For(
                    0, adapters.Count, () => new double[entries],
                    (i, _, raw) =>
                    {
                        Read(adapters[i], found.Name, raw);
                        Sparsify(raw.AsSpan(first, length), thresholds[i], rows.AsSpan(i * length, length));
                        return raw;
                    },
                    _ => { });
                BlockedProduct.AddGram(rows, length, gram);
            }

            done?.Invoke(module);
        }

        return gram;
    }

    private static void Sparsify(ReadOnlySpan<double> x, double threshold, Span<double> target)
    {
        var least = Vector512.Create(threshold);
        ref var source = ref MemoryMarshal.GetReference(x);
        ref var result = ref MemoryMarshal.GetReference(target);
        var i = 0;
        for (; i <= x.Length - Vector512<double>.Count; i += Vector512<double>.Count)
        {
            var values = Vector512.LoadUnsafe(ref source, (nuint)i);
            Vector512.AndNot(values, Vector512.LessThanOrEqual(Vector512.Abs(values), least)).StoreUnsafe(ref result, (nuint)i);
        }

        for (; i < x.Length; i++)
            target[i] = Math.Abs(x[i]) <= threshold ? 0 : x[i];
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

    // A, then B, whose scaling has to come out again: it is folded into B.
    private static void Read(Adapter adapter, string name, Span<double> raw)
    {
        var module = adapter.Find(name)!;
        var b = raw[(module.Rank * module.In)..];
        adapter.ReadFactors(module, b, raw[..(module.Rank * module.In)]);
        TensorPrimitives.Divide(b, module.Scaling, b);
    }
}
