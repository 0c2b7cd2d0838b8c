using System.Collections.Immutable;

namespace Marketplace.Core.Merges;

/// <summary>Turns the figures of a comparison into sentences.</summary>
public static class CompatibilityWarnings
{
    /// <summary>One adapter is so much larger than another that it dominates a merge with equal weights.</summary>
    public const string NormsDiffer = "norms-differ";

    /// <summary>An adapter changes nothing.</summary>
    public const string ChangesNothing = "changes-nothing";

    /// <summary>Two adapters largely cancel each other.</summary>
    public const string NearlyOpposed = "nearly-opposed";

    /// <summary>Two adapters are the same ΔW.</summary>
    public const string ExactDuplicate = "exact-duplicate";

    /// <summary>Two adapters are almost the same ΔW.</summary>
    public const string NearDuplicate = "near-duplicate";

    /// <summary>Some modules are not in all adapters.</summary>
    public const string MissingModules = "missing-modules";

    /// <summary>No module is in all adapters.</summary>
    public const string NothingShared = "nothing-shared";

    /// <summary>Adapters hold tensors that no merge combines.</summary>
    public const string CarriedNotMerged = "carried-not-merged";

    /// <summary>The rank asked for, or that of the adapters, loses much of the sum.</summary>
    public const string RankLosesMuch = "rank-loses-much";

    private const double Dominating = 10;
    private const double Opposed = -0.5;
    private const double MuchLost = 0.1;

    internal static ImmutableArray<CompatibilityWarning> Of(CompatibilityReport report, IReadOnlyList<MergeProblem> problems) =>
    [
        .. problems.Select(p => Refusal(report, p)), .. Carried(report), .. Norms(report), .. Pairs(report), .. Coverage(report), .. Rank(report),
    ];

    private static CompatibilityWarning Refusal(CompatibilityReport report, MergeProblem problem) => new(
        problem.Code,
        problem.Input is { } input ? $"{report.Adapters[input].Name}: {problem.Message} A merge refuses it." : $"{problem.Message} A merge refuses that.",
        problem.Input is { } index ? [index] : [], Refused: true);

    private static IEnumerable<CompatibilityWarning> Carried(CompatibilityReport report)
    {
        for (var i = 0; i < report.Adapters.Length; i++)
        {
            var left = report.Adapters[i].Carried.Where(c => !c.Refused).ToList();
            if (left.Count > 0)
            {
                yield return new(
                    CarriedNotMerged,
                    $"{report.Adapters[i].Name} holds {string.Join(" and ", left.Select(c => $"{c.Count} {(c.Count == 1 ? "tensor" : "tensors")} of kind {c.Kind}"))} "
                    + $"beside its factors, the first {left[0].First}. A merge leaves them out and reports them, or refuses if the recipe says so.",
                    [i]);
            }
        }
    }

    private static IEnumerable<CompatibilityWarning> Norms(CompatibilityReport report)
    {
        var zero = Indices(report, a => a.Norm == 0);
        foreach (var i in zero)
            yield return new(ChangesNothing, $"{report.Adapters[i].Name} changes nothing: all its ΔW are zero. It only makes the others smaller where a merge divides by the sum of weights.", [i]);
        var others = Enumerable.Range(0, report.Adapters.Length).Except(zero).ToList();
        if (others.Count < 2)
            yield break;
        var (large, small) = (others.MaxBy(i => report.Adapters[i].Norm), others.MinBy(i => report.Adapters[i].Norm));
        var ratio = report.Adapters[large].Norm / report.Adapters[small].Norm;
        if (ratio >= Dominating)
        {
            yield return new(
                NormsDiffer,
                $"{report.Adapters[large].Name} is {ratio:0.#} times as large as {report.Adapters[small].Name} and will dominate a merge with equal weights. "
                + "Weights in inverse proportion to |ΔW| even that out.",
                [large, small]);
        }
    }

    private static IEnumerable<CompatibilityWarning> Pairs(CompatibilityReport report)
    {
        foreach (var pair in report.Pairs)
        {
            var (first, second) = (report.Adapters[pair.First], report.Adapters[pair.Second]);
            if (first.Norm == 0 && second.Norm == 0)
                continue;
            if (pair.Duplication != Duplication.None)
            {
                var exact = pair.Duplication == Duplication.Exact;
                yield return new(
                    exact ? ExactDuplicate : NearDuplicate,
                    $"{first.Name} and {second.Name} are {(exact ? "the same change" : "almost the same change")} (relative distance {pair.RelativeDistance:0.0e+0}): "
                    + "together they count twice.",
                    [pair.First, pair.Second]);
            }
            else if (pair.Cosine <= Opposed)
            {
                yield return new(
                    NearlyOpposed, $"{first.Name} and {second.Name} point in opposite directions (cosine {pair.Cosine:0.00}): in a sum they cancel each other.",
                    [pair.First, pair.Second]);
            }
        }
    }

    private static IEnumerable<CompatibilityWarning> Coverage(CompatibilityReport report)
    {
        var coverage = report.Coverage;
        if (coverage.InSome.IsEmpty)
            yield break;
        ImmutableArray<int> lacking = [.. coverage.InSome.SelectMany(m => m.MissingIn).Distinct().Order()];
        yield return coverage.InAll == 0
            ? new(NothingShared, "No module is in all adapters: wherever one lacks a module, it counts as zero there.", lacking)
            : new(
                MissingModules,
                $"{coverage.InSome.Length} of {coverage.InAll + coverage.InSome.Length} modules are not in all adapters, the first {coverage.InSome[0].Module}; "
                + $"they are missing in {string.Join(", ", lacking.Select(i => report.Adapters[i].Name))} and count as zero there.",
                lacking);
    }

    private static IEnumerable<CompatibilityWarning> Rank(CompatibilityReport report)
    {
        if (report.Sum.Kept is [var first, ..] && 1 - first.Energy > MuchLost)
        {
            yield return new(
                RankLosesMuch,
                $"Cut to rank {first.Rank}, an equal mean of all adapters keeps {first.Energy:0%} of its energy; lossless it has rank {report.Sum.LargestRank}.",
                []);
        }
    }

    private static List<int> Indices(CompatibilityReport report, Func<AdapterFigures, bool> wanted) =>
        [.. Enumerable.Range(0, report.Adapters.Length).Where(i => wanted(report.Adapters[i]))];
}
