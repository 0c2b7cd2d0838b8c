using System.Collections.Immutable;
using Marketplace.Core.Algebra;

namespace Marketplace.Core.Evaluation;

/// <summary>What an ensemble is worth on items that had no part in choosing it.</summary>
/// <param name="Selection">Number of items on which was chosen.</param>
/// <param name="HeldOut">Number of items on which is reported.</param>
/// <param name="Rows">The ways, each on the held-out items.</param>
public sealed record EnsembleReport(int Selection, int HeldOut, ImmutableArray<EnsembleRow> Rows)
{
    /// <summary>Steps of the greedy portfolio where nothing else is asked for.</summary>
    public const int DefaultBudget = 25;

    /// <summary>
    /// Splits the items by a random permutation and reports: <c>single</c> (the member that is best on the selection items), <c>uniform</c> (mixture with equal weights),
    /// <c>majority</c> (vote), <c>portfolio</c> (greedy selection), and two that no choice can know beforehand: <c>bestSingle</c> (the member that is best on the held-out items) and
    /// <c>any</c> (an item counts if one member has it right).
    /// </summary>
    /// <param name="ensemble">The members.</param>
    /// <param name="items">Number of the set's items, at least 2.</param>
    /// <param name="share">Share of the items on which is chosen, in (0, 1); at least one item is on each side.</param>
    /// <param name="budget">Steps of the greedy portfolio.</param>
    /// <param name="seed">Seed of split and bootstrap.</param>
    public static EnsembleReport Of(PredictionEnsemble ensemble, int items, double share = 0.5, int budget = DefaultBudget, ulong seed = Bootstrap.DefaultSeed)
    {
        var (selection, heldOut) = Split(items, share, seed);
        var single = ensemble.Best(selection);
        var bestSingle = ensemble.Best(heldOut);
        var portfolio = ensemble.GreedyPortfolio(selection, budget);
        var equal = Enumerable.Repeat(1.0, ensemble.Count).ToList();
        EnsembleRow Row(string way, ImmutableArray<double> right, IReadOnlyList<double>? weights) => EnsembleRow.Of(way, right, selection, heldOut, weights, seed);
        return new(selection.Length, heldOut.Length, [
            Row("single", ensemble.Member(single), One(single)), Row("uniform", ensemble.Mixture(equal), equal), Row("majority", ensemble.MajorityVote(), null),
            Row("portfolio", ensemble.Mixture([.. portfolio.Select(p => (double)p)]), [.. portfolio.Select(p => (double)p)]),
            Row("bestSingle", ensemble.Member(bestSingle), One(bestSingle)), Row("any", ensemble.AnyMember(), null)]);

        double[] One(int member) => [.. Enumerable.Range(0, ensemble.Count).Select(m => m == member ? 1.0 : 0)];
    }

    /// <summary>Items on which is chosen, and the others; both in order.</summary>
    public static (int[] Selection, int[] HeldOut) Split(int items, double share, ulong seed)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(items, 2);
        var order = Enumerable.Range(0, items).ToArray();
        var random = new Philox(seed, "ensemble-split");
        for (var i = items - 1; i > 0; i--)
        {
            var j = random.NextIndex(i + 1);
            (order[i], order[j]) = (order[j], order[i]);
        }

        var selected = Math.Clamp((int)Math.Round(share * items), 1, items - 1);
        return ([.. order[..selected].Order()], [.. order[selected..].Order()]);
    }
}

/// <summary>One way of deciding, on held-out items.</summary>
/// <param name="Way">single, uniform, majority, portfolio, bestSingle or any.</param>
/// <param name="Accuracy">Share of the held-out items that are right.</param>
/// <param name="Low">Lower end of the 95 % bootstrap interval.</param>
/// <param name="High">Upper end.</param>
/// <param name="Selection">Share of the selection items that are right: too good where something was chosen on them.</param>
/// <param name="Weights">For each member its weight; absent where there are none.</param>
public sealed record EnsembleRow(string Way, double Accuracy, double Low, double High, double Selection, IReadOnlyList<double>? Weights)
{
    internal static EnsembleRow Of(string way, ImmutableArray<double> right, int[] selection, int[] heldOut, IReadOnlyList<double>? weights, ulong seed)
    {
        var score = Scores.Compute(new ItemScores(Metric.Accuracy, [.. heldOut.Select(i => right[i])], [.. heldOut.Select(_ => 1.0)]), seed: seed);
        return new(way, score.Value, score.Low, score.High, selection.Average(i => right[i]), weights);
    }
}
