using System.Collections.Immutable;

namespace Marketplace.Core.Merges;

/// <summary>
/// What is to be known of adapters of one base model before they are merged. All numbers are exact to float64 rounding, except the agreement of
/// signs, which is estimated and says how well.
/// </summary>
/// <param name="Adapters">Each adapter by itself.</param>
/// <param name="Coverage">Which modules they share.</param>
/// <param name="Modules">Every module that can be compared, in ordinal order.</param>
/// <param name="Pairs">Every pair, (0, 1), (0, 2), … .</param>
/// <param name="Sum">What an exact merge would come to.</param>
/// <param name="Warnings">What stands out, what a merge refuses first.</param>
public sealed record CompatibilityReport(
    ImmutableArray<AdapterFigures> Adapters, ModuleCoverage Coverage, ImmutableArray<ModuleFigures> Modules, ImmutableArray<PairFigures> Pairs,
    SumForecast Sum, ImmutableArray<CompatibilityWarning> Warnings)
{
    /// <summary>Fewest adapters.</summary>
    public const int MinAdapters = 2;

    /// <summary>Most adapters: the pairs grow with the square of their number.</summary>
    public const int MaxAdapters = 32;

    /// <summary>
    /// Compares adapters, one module in memory at a time. What can't be compared (modules of one name and different shapes) is left out and said; DoRA magnitudes
    /// and biases are not looked at, and said.
    /// </summary>
    /// <param name="adapters">The adapters, of one base model, which is the caller's to know.</param>
    /// <param name="names">What messages call them.</param>
    /// <param name="rank">A rank to foresee the loss of; if absent, the largest rank of an adapter and twice that.</param>
    /// <param name="seed">Seed of the entries whose signs are compared.</param>
    /// <param name="cancellation">Looked at between modules.</param>
    /// <exception cref="ArgumentOutOfRangeException">There are fewer than two adapters, or too many.</exception>
    /// <exception cref="NotFiniteNumberException">A factor holds NaN or infinity.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public static CompatibilityReport Of(
        IReadOnlyList<Adapter> adapters, IReadOnlyList<string> names, int? rank = null, ulong seed = MergeRecipe.DefaultSeed, CancellationToken cancellation = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(adapters.Count, MinAdapters);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(adapters.Count, MaxAdapters);
        ArgumentOutOfRangeException.ThrowIfNotEqual(names.Count, adapters.Count);
        var problems = new List<MergeProblem>();
        MergeChecks.Inputs(problems, adapters, CarriedPolicy.Report);
        var incomparable = problems.Where(p => p.Code is MergeProblem.ModuleShapeMismatch or MergeProblem.KindMismatch).Select(p => p.Module).ToHashSet();

        var union = adapters.SelectMany(a => a.Modules).DistinctBy(m => m.Name).OrderBy(m => m.Name, StringComparer.Ordinal).ToList();
        var comparable = union.Where(m => !incomparable.Contains(m.Name)).ToList();
        var comparison = new Comparison(adapters, Ranks(adapters, rank), new SignSampling(adapters.Count, comparable.Sum(m => (double)m.Out * m.In), seed));
        foreach (var module in comparable)
        {
            cancellation.ThrowIfCancellationRequested();
            comparison.Add(module);
        }

        var figures = adapters.Select((a, i) => Figures(a, names[i], comparison.Norm(i))).ToImmutableArray();
        var report = new CompatibilityReport(figures, CoverageOf(adapters, union), comparison.Modules(), comparison.Pairs(), comparison.Sum(), []);
        return report with { Warnings = CompatibilityWarnings.Of(report, problems) };
    }

    private static ImmutableArray<int> Ranks(IReadOnlyList<Adapter> adapters, int? rank)
    {
        var largest = adapters.SelectMany(a => a.Modules).Select(m => m.Rank).DefaultIfEmpty(1).Max();
        return rank is { } asked ? [asked] : [largest, 2 * largest];
    }

    private static AdapterFigures Figures(Adapter adapter, string name, double norm) => new(
        name, adapter.Modules.Length,
        adapter.Modules.Select(m => m.Rank).DefaultIfEmpty().Min(), adapter.Modules.Select(m => m.Rank).DefaultIfEmpty().Max(),
        [.. adapter.Modules.Select(m => m.Scaling).Distinct().Order()], norm, CarriedKinds.Of(adapter));

    private static ModuleCoverage CoverageOf(IReadOnlyList<Adapter> adapters, List<TargetModule> union)
    {
        var partial = union
            .Select(m => new PartialModule(m.Name, [.. Enumerable.Range(0, adapters.Count).Where(i => adapters[i].Find(m.Name) is null)]))
            .Where(m => !m.MissingIn.IsEmpty).ToImmutableArray();
        return new(union.Count - partial.Length, partial);
    }
}
