using System.Collections.Immutable;
using Marketplace.Core.Algebra;

namespace Marketplace.Core.Merges;

/// <summary>What one module of a merge takes, by rule of thumb: good to a factor of about two.</summary>
/// <param name="Module">Its name.</param>
/// <param name="Path">How it is computed, in words, one phrase for each merge of the recipe.</param>
/// <param name="Flops">Floating-point operations.</param>
/// <param name="PeakBytes">Memory that the computation holds at its peak: factors, work space and result; without the files, which are mapped.</param>
/// <param name="ResultBytes">Memory of the result's factors, in float64.</param>
public sealed record ModuleEstimate(string Module, string Path, double Flops, long PeakBytes, long ResultBytes);

/// <summary>What one merge of a recipe takes, over all modules.</summary>
/// <param name="Path">How it is computed, in words: the phrases of its modules, the most frequent first.</param>
/// <param name="Flops">Floating-point operations.</param>
/// <param name="Rank">Largest rank that a module of its result can have.</param>
public sealed record NodeEstimate(string Path, double Flops, int Rank);

/// <summary>
/// What a merge takes, before anything is computed; from shapes and ranks alone. m × n is the shape of ΔW, R the sum of the inputs' ranks and k the rank of
/// the result, as far as the recipe settles it.
/// </summary>
/// <param name="Modules">One entry for each module, in the plan's order.</param>
/// <param name="Nodes">Totals for each merge of the recipe.</param>
public sealed record MergeEstimate(ImmutableArray<ModuleEstimate> Modules, ImmutableArray<NodeEstimate> Nodes)
{
    private const int Double = 8;
    private const int Single = 4;
    private const int TileBytes = 1 << 19; // of one input, in float32
    private const int TilesPerInput = 4; // the tile, its sign, its magnitude, what agrees
    private const int Direct = 512; // up to this side the dense result is decomposed whole
    private const int BlocksOfIteration = 4;
    private const int ProductsOfIteration = 24; // by M or Mᵀ, until a flat spectrum has settled

    /// <summary>Floating-point operations of all modules.</summary>
    public double Flops => Modules.Sum(m => m.Flops);

    /// <summary>The largest peak of one module: what a merge needs at least, when it computes one module at a time.</summary>
    public long PeakBytes => Modules.Max(m => m.PeakBytes);

    /// <summary>The result's factors in float64, all modules together; files hold a quarter of it in half precision.</summary>
    public long ResultBytes => Modules.Sum(m => m.ResultBytes);

    /// <summary>Estimates a plan.</summary>
    public static MergeEstimate Of(MergePlan plan)
    {
        var costs = plan.Modules.Select(m => (Module: m, Costs: Costs(m))).ToList();
        return new(
            [.. costs.Select(c => Total(c.Module, c.Costs))],
            [.. plan.Graph.Nodes.Select((_, n) => new NodeEstimate(
                string.Join("; ", costs.GroupBy(c => c.Costs[n].Path).OrderByDescending(g => g.Count()).ThenBy(g => g.Key, StringComparer.Ordinal).Select(g => g.Key)),
                costs.Sum(c => c.Costs[n].Flops), costs.Max(c => c.Costs[n].Rank)))]);
    }

    /// <summary>Estimates one module.</summary>
    public static ModuleEstimate Of(PlannedModule module) => Total(module, Costs(module));

    // Inputs and results of earlier merges stay until the module is done; the work space of each merge only while it lasts.
    private static ModuleEstimate Total(PlannedModule module, List<Cost> costs)
    {
        long sides = module.Module.Out + module.Module.In;
        var inputs = Double * sides * module.Ranks.Sum();
        return new(
            module.Module.Name, string.Join("; ", costs.Select(c => c.Path).Distinct()),
            costs.Sum(c => c.Flops) + Contributions(sides, module.Ranks.Sum() + costs[^1].Rank),
            inputs + costs.Sum(c => Double * sides * c.Rank) + costs.Max(c => c.Bytes), Double * sides * costs[^1].Rank);
    }

    private static List<Cost> Costs(PlannedModule module)
    {
        var costs = new List<Cost>();
        foreach (var planned in module.Nodes)
        {
            int[] ranks = [.. planned.Node.Inputs.Select(i => i.Leaf >= 0 ? module.Ranks[i.Leaf] : costs[i.Node].Rank)];
            costs.Add(planned.Node.Method.Class switch
            {
                _ when ranks.All(r => r == 0) => new(0, "nothing", 0, 0),
                MethodClass.Elementwise => Elementwise(module.Module, planned.Node, ranks),
                MethodClass.Factorwise => Factorwise(module.Module, ranks),
                _ => Factored(module.Module, planned.Node, ranks),
            });
        }

        return costs;
    }

    // QR of both stacked factors, SVD of the core, the kept columns of Q. Bases and inner products take about as much again.
    private static Cost Factored(TargetModule module, MergeNode node, int[] ranks)
    {
        long sides = module.Out + module.In;
        var (sum, shorter) = ((long)ranks.Sum(), Math.Min(module.Out, module.In));
        var core = Math.Min(sum, shorter);
        var policy = Policy(node, ranks);
        var kept = (int)Math.Min(policy?.Rank ?? sum, policy is null ? sum : core);
        var again = node.Method.Class == MethodClass.Linear ? 1 : 2;
        return policy is null && node.Method.Class == MethodClass.Linear
            ? new(kept, $"factors joined, rank {kept}", 2d * sides * sum * sum, 4 * Double * sides * sum)
            : new(
                kept, $"from the factors: QR of rank {sum}, SVD of {core}×{core}",
                (again * 2d * sides * sum * sum) + (22d * core * core * core) + (4d * sides * sum * kept), again * 4 * Double * sides * sum);
    }

    // Tiles are computed once for thresholds and once to be merged; the dense result is refactored.
    private static Cost Elementwise(TargetModule module, MergeNode node, int[] ranks)
    {
        var (m, n, sum) = ((long)module.Out, (long)module.In, ranks.Sum());
        var (shorter, sides, entries) = (Math.Min(m, n), m + n, (double)m * n);
        var policy = Policy(node, ranks) ?? RankPolicy.Lossless;
        var tiles = (4 * entries * sum) + (32 * entries * ranks.Length);
        var bytes = (Single * m * n) + (Single * sides * sum) + ((long)TileBytes * TilesPerInput * ranks.Length);
        var width = policy.Rank is { } rank ? rank + Math.Max(16, rank / 4) : 64L;
        if (shorter <= Direct || (policy.Rank is null && policy.Energy is null) || 2 * BlocksOfIteration * width > shorter)
        {
            return new(
                (int)Math.Min(policy.Rank ?? shorter, shorter), $"entries of ΔW in tiles, whole SVD of {m}×{n}",
                tiles + (22 * entries * shorter), bytes + (Double * ((3 * m * n) + (4 * shorter * shorter))));
        }

        var basis = BlocksOfIteration * width;
        return new(
            (int)Math.Min(policy.Rank ?? basis, shorter), policy.Rank is { } kept ? $"entries of ΔW in tiles, rank {kept} by subspace iteration" : "entries of ΔW in tiles, energy by subspace iteration",
            tiles + (ProductsOfIteration * 2 * entries * width) + (ProductsOfIteration * 4d * sides * basis * width),
            bytes + Math.Max(4 * Single * sides * basis, 3L * Single << 22));
    }

    private static Cost Factorwise(TargetModule module, int[] ranks)
    {
        long sides = module.Out + module.In;
        return new(ranks.Max(), "A and B apart", 8d * sides * ranks.Sum(), 4 * Double * sides * ranks.Sum());
    }

    private static double Contributions(long sides, long rank) => 2d * sides * rank * rank;

    private static RankPolicy? Policy(MergeNode node, int[] ranks) => node.Rank ?? node.Method.Rank switch
    {
        DefaultRank.Lossless => RankPolicy.Lossless,
        DefaultRank.LargestInput => new RankPolicy(ranks.Max()),
        _ => null,
    };

    private sealed record Cost(int Rank, string Path, double Flops, long Bytes);
}
