using System.Collections.Immutable;
using System.Numerics.Tensors;
using System.Runtime.ExceptionServices;

namespace Marketplace.Core.Merges;

/// <summary>
/// What has to be known of all modules before the first one is merged: where a method ranks entries over a whole adapter, the magnitude of the k-th largest
/// of all its entries, k = ⌊p·N⌋. It is exact for entries rounded to float32, found by counting: two passes over all modules, none of them in memory whole.
/// Entries that equal it are all kept.
/// </summary>
public static class MergePrepass
{
    private const int UpperBits = 16; // of the 31 bits of a magnitude
    private const int LowerBits = 15;

    /// <summary>Adds the thresholds to a plan whose methods need them; any other plan is returned as it is.</summary>
    /// <param name="plan">The plan.</param>
    /// <param name="inputs">The adapters it was made for.</param>
    /// <param name="kernels">Who computes.</param>
    /// <param name="parallelism">Modules looked at side by side.</param>
    /// <param name="cancellation">Looked at between modules.</param>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    /// <exception cref="NotFiniteNumberException">The kernels found factors that are not finite.</exception>
    public static MergePlan Run(
        MergePlan plan, IReadOnlyList<Adapter> inputs, IMergeKernels kernels, int parallelism = 1, CancellationToken cancellation = default)
    {
        var known = new Dictionary<(int Leaf, double Density), double>();
        var nodes = plan.Modules[0].Nodes.Select(Thresholds).ToList();
        return known.Count == 0 ? plan : plan with
        {
            Modules = [.. plan.Modules.Select(m => m with { Nodes = [.. m.Nodes.Select((n, i) => n with { Thresholds = nodes[i] })] })],
        };

        ImmutableArray<double?> Thresholds(PlannedNode node) =>
            ElementwiseMethods.RanksOverAdapter(node.Parameters) ? [.. node.Node.Inputs.Select((input, i) => Of(input.Leaf, node.InputParameters[i].Number("density")))] : [];

        double? Of(int leaf, double density)
        {
            if (density >= 1)
                return null;
            if (!known.TryGetValue((leaf, density), out var threshold))
                known.Add((leaf, density), threshold = Threshold(inputs[leaf], density, kernels, parallelism, cancellation));
            return threshold;
        }
    }

    /// <summary>The k-th largest magnitude of an adapter's ΔW over all modules, rounded to float32, k = ⌊p·N⌋; ∞ for k = 0.</summary>
    /// <param name="adapter">The adapter.</param>
    /// <param name="density">p.</param>
    /// <param name="kernels">Who computes.</param>
    /// <param name="parallelism">Modules looked at side by side.</param>
    /// <param name="cancellation">Looked at between modules.</param>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    /// <exception cref="NotFiniteNumberException">The kernels found factors that are not finite.</exception>
    public static double Threshold(Adapter adapter, double density, IMergeKernels kernels, int parallelism = 1, CancellationToken cancellation = default)
    {
        var k = (long)(density * adapter.Modules.Sum(m => (long)m.Out * m.In));
        if (k == 0)
            return double.PositiveInfinity;
        var upper = Find(Count(null, 1 << UpperBits), ref k);
        var lower = Find(Count(upper, 1 << LowerBits), ref k);
        return BitConverter.Int32BitsToSingle((upper << LowerBits) | lower);

        long[] Count(int? prefix, int size)
        {
            var total = new long[size];
            var options = new ParallelOptions { MaxDegreeOfParallelism = parallelism, CancellationToken = cancellation };
            try
            {
                Parallel.ForEach(
                    adapter.Modules, options, () => new long[size],
                    (module, _, counts) =>
                    {
                        kernels.CountMagnitudes(adapter.Delta(module.Name)!, prefix, counts);
                        return counts;
                    },
                    counts =>
                    {
                        lock (total)
                            TensorPrimitives.Add(total, counts, total);
                    });
            }
            catch (AggregateException several)
            {
                ExceptionDispatchInfo.Throw(several.InnerExceptions[0]); // what one module alone would have thrown
            }

            return total;
        }
    }

    /// <summary>What <see cref="IMergeKernels.CountMagnitudes"/> does with entries of ΔW once they are computed.</summary>
    /// <param name="values">The entries.</param>
    /// <param name="upper">The upper bits of those that count, by their lower ones; null to count all by the upper ones.</param>
    /// <param name="counts">One number for each value of the bits.</param>
    public static void Count(ReadOnlySpan<float> values, int? upper, long[] counts)
    {
        foreach (var value in values)
        {
            var bits = BitConverter.SingleToInt32Bits(value) & int.MaxValue;
            if (upper is null)
                counts[bits >> LowerBits]++;
            else if (bits >> LowerBits == upper)
                counts[bits & ((1 << LowerBits) - 1)]++;
        }
    }

    /// <summary>Why thresholds over all modules can't be found for one merge; null if they can, or none are needed.</summary>
    /// <param name="modules">The merge at each module.</param>
    internal static string? Refuse(IReadOnlyList<PlannedNode> modules)
    {
        if (!ElementwiseMethods.RanksOverAdapter(modules[0].Parameters))
            return null;
        if (modules[0].Node.Inputs.Any(i => i.Leaf < 0))
            return "With scope = adapter every input is an adapter: entries of a nested recipe's result are not known before they are merged.";
        var densities = modules[0].InputParameters.Select(p => p.Number("density"));
        return modules.All(m => m.InputParameters.Select(p => p.Number("density")).SequenceEqual(densities)) ? null
            : "With scope = adapter an input's density is the same in all modules.";
    }

    // The bin of the k-th largest; k becomes its place within the bin.
    private static int Find(long[] counts, ref long k)
    {
        var bin = counts.Length - 1;
        for (; counts[bin] < k; bin--)
            k -= counts[bin];
        return bin;
    }
}
