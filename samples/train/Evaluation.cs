using Marketplace.Core;
using Marketplace.Core.Algebra;
using Marketplace.Core.Merges;
using Marketplace.Core.Methods;
using Marketplace.Kernels;
using Marketplace.Kernels.Models;

namespace Marketplace.Train;

/// <summary>What one row of the table got right, by task and item.</summary>
/// <param name="Row">The row's name.</param>
/// <param name="Right">For each task of the row's part of the table, item for item.</param>
internal sealed record RowResult(string Row, bool[][] Right);

/// <summary>Scores everything that can be made of one library.</summary>
internal sealed class Evaluation(LanguageModel model, World world, IReadOnlyDictionary<string, Item[]> sets, Adapter[] experts, Adapter[] general)
{
    public const string Base = "base";
    public const string Own = "own adapter";
    public const string Others = "adapters of other families, mean";
    public const string Family = "adapters of the family, mean";
    public const string Uniform = "uniform merge";
    public const string Tuned = "merge, λ tuned on the library's tasks";
    public const string Clusters = "Arrow over MBC's merged clusters, top 1";

    public const string Projected = "Arrow, top 2, − L1 + L2, projected";
    public const string ProjectedOther = "Arrow, top 2, − L3, of no task, projected";
    public const string TiesRow = "TIES, density 0.2";

    /// <summary>How much is subtracted, where it is not all.</summary>
    public static readonly double[] Betas = [0.1, 0.25, 0.5];

    public static readonly int[] TopK = [1, 2, 4];

    private const int Few = 50; // items of each task, where every adapter is scored by itself

    // What λ·Σ ΔW is tried with: from the mean to the sum.
    private static readonly double[] Scales = [1, 2, 4, 6, 9];

    private readonly string[] names = [.. world.Library.Select(t => t.Name)];

    public static string Arrow(int k, string? subtracted = null, bool factorwise = false) =>
        $"Arrow, top {k}" + (subtracted is null ? "" : $", − {subtracted}") + (factorwise ? ", factor-wise" : "");

    public static string Partly(double beta) => $"Arrow, top 2, − {beta} of L1 + L2";

    /// <summary>Clusters the library into as many as silhouettes choose, into as many as there are families, and the residuals without L1 and L2 likewise.</summary>
    public (Clustering Chosen, Clustering Families, Clustering Residuals) Cluster()
    {
        var cosines = Cosines(experts);
        Adapter[] residuals = [.. experts.Select(e => Merged.Residual(e, general[..2]))];
        var result = (Mbc.RunWithBestSilhouette(cosines), Mbc.Run(cosines, Train.Family.All.Length), Mbc.Run(Cosines(residuals), Train.Family.All.Length));
        foreach (var residual in residuals)
            residual.Dispose();
        return result;
    }

    /// <summary>Rows over the tasks that have adapters.</summary>
    public IEnumerable<RowResult> Library()
    {
        yield return new(Base, Score(ActiveAdapters.None, world.Library));
        bool[][][] matrix = [.. experts.Select(e => Using(Load([(e, 1)]), active => Score(active, world.Library)))];
        yield return new(Own, [.. world.Library.Select((_, t) => matrix[t][t])]);
        yield return new(Others, [.. world.Library.Select((task, t) => matrix.Where((_, e) => world.Library[e].Families[0] != task.Families[0]).SelectMany(rows => rows[t]).ToArray())]);
        yield return new(Uniform, Using(Load(Weighted(1)), active => Score(active, world.Library)));
        yield return new(Arrow(2), Using(Route(2), active => Score(active, world.Library)));
        yield return new(Arrow(2, "L1 + L2"), Using(Route(2, [0, 1]), active => Score(active, world.Library)));
    }

    /// <summary>Rows over the tasks that have none.</summary>
    /// <param name="clusters">The library's clusters, whose merged adapters are routed among as well.</param>
    public IEnumerable<RowResult> HeldOut(Clustering clusters)
    {
        bool[][] All(ActiveAdapters active) => Score(active, world.HeldOut);
        yield return new(Base, All(ActiveAdapters.None));
        bool[][][] matrix = [.. experts.Select(e => Using(Load([(e, 1)]), active => Score(active, world.HeldOut, Few)))];
        bool[][] Of(bool sameFamily) =>
            [.. world.HeldOut.Select((task, t) => matrix.Where((_, e) => task.Families.Contains(world.Library[e].Families[0]) == sameFamily).SelectMany(rows => rows[t]).ToArray())];
        yield return new(Family, Of(true));
        yield return new(Others, Of(false));
        yield return new(Uniform, Using(Load(Weighted(1)), All));
        var tuned = Scales.MaxBy(s => Using(Load(Weighted(s)), active => Score(active, world.Library)).Sum(t => t.Count(r => r)));
        yield return new(Tuned, Using(Load(Weighted(tuned)), All));
        yield return new(TiesRow, Using(Merged.Ties(experts), merged => Using(Load([(merged, 1)]), All)));
        foreach (var k in TopK)
            yield return new(Arrow(k), Using(Route(k), All));
        Adapter[] merges = [.. clusters.Clusters.Select(c => Merged.Mean([.. c.Members.Select(m => experts[m])]))];
        yield return new(Clusters, Using(Route(1, [.. merges.Select((_, i) => $"cluster-{i}")], merges, null, []), All));
        foreach (var merge in merges)
            merge.Dispose();
        foreach (var k in TopK)
            yield return new(Arrow(k, "L1 + L2"), Using(Route(k, [0, 1]), All));
        yield return new(Arrow(2, "L1 + L2", factorwise: true), Using(Route(2, [0, 1], factorwise: true), All));
        foreach (var beta in Betas)
            yield return new(Partly(beta), Using(Route(2, [0, 1], beta: beta), All));
        yield return new(Projected, RouteProjected(general[..2], All));
        yield return new(ProjectedOther, RouteProjected(general[2..], All));
        yield return new(Arrow(2, "L1"), Using(Route(2, [0]), All));
        yield return new(Arrow(2, "L2"), Using(Route(2, [1]), All));
        yield return new(Arrow(2, "L3, of no task"), Using(Route(2, [2]), All));
    }

    private static Matrix Cosines(IReadOnlyList<Adapter> adapters) =>
        Similarities.TryCompute(adapters, AdapterSimilarity.Delta, out var cosines, out var problems) ? cosines : throw new InvalidDataException(string.Join('\n', problems));

    private static T Using<TResource, T>(TResource resource, Func<TResource, T> compute)
        where TResource : IDisposable
    {
        using (resource)
            return compute(resource);
    }

    // Tasks side by side, each on one thread.
    private bool[][] Score(ActiveAdapters active, TextTask[] tasks, int items = int.MaxValue)
    {
        var right = new bool[tasks.Length][];
        Parallel.For(0, tasks.Length, new ParallelOptions { MaxDegreeOfParallelism = Environment.ProcessorCount }, t =>
        {
            KernelDevice.UseOneThread();
            right[t] = Scoring.Right(model, active, [.. sets[tasks[t].Name].Take(items)]);
        });
        return right;
    }

    private (Adapter, double)[] Weighted(double scale) => [.. experts.Select(e => (e, scale / experts.Length))];

    private ActiveAdapters Load(IReadOnlyList<(Adapter, double)> set) =>
        ActiveAdapters.TryLoad(model, set, out var active, out var problems) ? active : throw new InvalidDataException(string.Join('\n', problems));

    public ActiveAdapters Route(int k, int[]? subtracted = null, bool factorwise = false, double beta = 1) => Route(
        k, names, experts,
        subtracted is null ? null : new([.. subtracted.Select(g => $"general-{g + 1}")], [.. subtracted.Select(_ => 1.0)], beta, factorwise ? RouterSubtractionMode.Factorwise : RouterSubtractionMode.Exact),
        [.. (subtracted ?? []).Select(g => general[g])]);

    // By the input side: what an expert reads of what general adapters read is taken out of it.
    private bool[][] RouteProjected(Adapter[] subtracted, Func<ActiveAdapters, bool[][]> score)
    {
        Adapter[] residuals = [.. experts.Select(e => Merged.Residual(e, subtracted, GenKnowSubMethods.Project))];
        var right = Using(Route(2, names, residuals, null, []), score);
        foreach (var residual in residuals)
            residual.Dispose();
        return right;
    }

    private ActiveAdapters Route(int k, string[] routed, Adapter[] adapters, RouterSubtraction? subtraction, Adapter[] subtracted)
    {
        if (!RouterPlan.TryCreate(routed, adapters, subtraction, subtracted, new(k), out var plan, out var wrong))
            throw new InvalidDataException(string.Join('\n', wrong));
        return ActiveAdapters.TryLoad(model, plan.Compute(), plan, out var active, out var problems) ? active : throw new InvalidDataException(string.Join('\n', problems));
    }
}
