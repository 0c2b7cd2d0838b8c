using System.Collections.Immutable;
using Marketplace.Core.Algebra;

namespace Marketplace.Core.Merges;

/// <summary>Gathers the figures of a <see cref="CompatibilityReport"/>, module by module.</summary>
internal sealed class Comparison(IReadOnlyList<Adapter> adapters, ImmutableArray<int> ranks, SignSampling signs)
{
    private const int LowestShown = 3;
    private const double NearDuplicate = 1e-3;
    private const double ExactDuplicate = 1e-6;

    private readonly ImmutableArray<ModuleFigures>.Builder modules = ImmutableArray.CreateBuilder<ModuleFigures>();
    private readonly Matrix inner = new(adapters.Count, adapters.Count);    // Σ ⟨ΔWᵢ, ΔWⱼ⟩
    private readonly Matrix distance = new(adapters.Count, adapters.Count); // Σ |ΔWᵢ − ΔWⱼ|²
    private readonly Matrix crosstalk = new(adapters.Count, adapters.Count);
    private readonly string?[,] crosstalkAt = new string?[adapters.Count, adapters.Count];
    private readonly int[,] shared = new int[adapters.Count, adapters.Count];
    private readonly Dictionary<(int, int), List<ModuleValue>> cosines = [];
    private readonly double[] kept = new double[ranks.Length]; // Σ S² up to each rank
    private readonly SpanOverlap spans = new(adapters.Count);
    private double energy;

    /// <summary>Looks at one module of all adapters.</summary>
    public void Add(TargetModule module)
    {
        int[] present = [.. Enumerable.Range(0, adapters.Count).Where(i => adapters[i].Find(module.Name) is not null)];
        LowRankDelta[] deltas = [.. present.Select(i => adapters[i].Delta(module.Name)!)];
        var cores = new SharedCores(deltas);
        double[] norms = [.. present.Select((_, k) => cores.Norm(k))];
        double? lowest = null;
        for (var k = 0; k < present.Length; k++)
        {
            var i = present[k];
            inner[i, i] += norms[k] * norms[k];
            // Against those that lack the module, the whole of it is the difference.
            foreach (var j in Enumerable.Range(0, adapters.Count).Except(present))
                distance[Math.Min(i, j), Math.Max(i, j)] += norms[k] * norms[k];
            for (var l = k + 1; l < present.Length; l++)
                lowest = Least(lowest, AddPair(module.Name, cores, norms, (k, i), (l, present[l])));
        }

        signs.Add(module.Name, present, deltas);
        spans.Add(module.Name, present, cores, norms);
        var spectrum = cores.SumSpectrum();
        AddSpectrum(spectrum);
        modules.Add(new(
            module.Name, module.Out, module.In, Each(m => (int?)m.Rank), Each(m => (double?)m.Scaling),
            [.. Enumerable.Range(0, adapters.Count).Select(i => Array.IndexOf(present, i) is >= 0 and var k ? norms[k] : (double?)null)], lowest, spectrum.Length));

        ImmutableArray<T?> Each<T>(Func<TargetModule, T?> value) => [.. adapters.Select(a => a.Find(module.Name) is { } own ? value(own) : default)];
    }

    /// <summary>|ΔW| of an adapter over all modules.</summary>
    public double Norm(int adapter) => Math.Sqrt(inner[adapter, adapter]);

    /// <summary>All modules that were added.</summary>
    public ImmutableArray<ModuleFigures> Modules() => modules.ToImmutable();

    /// <summary>All pairs.</summary>
    public ImmutableArray<PairFigures> Pairs() =>
        [.. Enumerable.Range(0, adapters.Count).SelectMany(i => Enumerable.Range(i + 1, adapters.Count - i - 1).Select(j => Pair(i, j)))];

    /// <summary>What the sum comes to.</summary>
    public SumForecast Sum()
    {
        var norm = Math.Sqrt(energy) / adapters.Count;
        var mean = Enumerable.Range(0, adapters.Count).Average(Norm);
        return new(
            norm, mean == 0 ? 0 : norm / mean, modules.Select(m => m.SumRank).DefaultIfEmpty().Max(),
            [.. ranks.Select((rank, r) => new RankEnergy(rank, energy == 0 ? 1 : Math.Min(1, kept[r] / energy)))]);
    }

    private double? AddPair(string module, SharedCores cores, double[] norms, (int Core, int Index) first, (int Core, int Index) second)
    {
        var (i, j) = (first.Index, second.Index);
        var product = cores.Inner(first.Core, second.Core);
        var difference = cores.Distance(first.Core, second.Core);
        inner[i, j] += product;
        distance[i, j] += difference * difference;
        var talk = cores.Crosstalk(first.Core, second.Core, shared[i, j] == 0 ? -1 : crosstalk[i, j]);
        if (shared[i, j]++ == 0 || talk > crosstalk[i, j])
            (crosstalk[i, j], crosstalkAt[i, j]) = (talk, module);
        var scale = norms[first.Core] * norms[second.Core];
        if (scale == 0)
            return null;
        var cosine = Math.Clamp(product / scale, -1, 1);
        if (!cosines.TryGetValue((i, j), out var all))
            cosines.Add((i, j), all = []);
        all.Add(new(module, cosine));
        return cosine;
    }

    private void AddSpectrum(double[] spectrum)
    {
        // Smallest first, so that what follows a rank and what it keeps add up without loss.
        var total = spectrum.Reverse().Sum(s => s * s);
        energy += total;
        for (var r = 0; r < ranks.Length; r++)
            kept[r] += spectrum.Take(ranks[r]).Reverse().Sum(s => s * s);
    }

    private PairFigures Pair(int i, int j)
    {
        var (larger, scale) = (Math.Max(Norm(i), Norm(j)), Norm(i) * Norm(j));
        var relative = larger == 0 ? 0 : Math.Sqrt(distance[i, j]) / larger;
        return new(
            i, j, shared[i, j], scale == 0 ? 0 : Math.Clamp(inner[i, j] / scale, -1, 1), relative,
            relative < ExactDuplicate ? Duplication.Exact : relative < NearDuplicate ? Duplication.Near : Duplication.None,
            cosines.TryGetValue((i, j), out var all) ? Spread(all) : null, signs.Of(i, j),
            crosstalkAt[i, j] is { } module ? new(module, crosstalk[i, j]) : null, spans.Of(i, j));
    }

    private static ModuleCosines Spread(List<ModuleValue> all)
    {
        var sorted = all.OrderBy(m => m.Value).ThenBy(m => m.Module, StringComparer.Ordinal).ToList();
        var middle = sorted.Count / 2;
        var median = sorted.Count % 2 == 1 ? sorted[middle].Value : (sorted[middle - 1].Value + sorted[middle].Value) / 2;
        return new(sorted[0].Value, median, sorted[^1].Value, [.. sorted.Take(LowestShown)]);
    }

    private static double? Least(double? a, double? b) => a is null ? b : b is null ? a : Math.Min(a.Value, b.Value);
}
