using System.Collections.Immutable;

namespace Marketplace.Core.Evaluation;

/// <summary>
/// Several evaluations of one set of multiple choice as one: from kept predictions, without a model (TabRepo, Salinas and Erickson 2023). What is chosen (weights, the single best)
/// is chosen on some items and reported on others.
/// </summary>
public sealed class PredictionEnsemble
{
    private readonly IReadOnlyList<ChoiceProbabilities> members;
    private readonly ImmutableArray<int> answers;

    /// <summary>An ensemble.</summary>
    /// <param name="set">A set of multiple choice.</param>
    /// <param name="members">Predictions of all its items, at least one.</param>
    /// <param name="score">By what choices are weighed.</param>
    /// <exception cref="ArgumentException">The set is of another kind, or predictions are not of the whole set.</exception>
    public PredictionEnsemble(EvaluationSet set, IReadOnlyList<Predictions> members, ChoiceScore score = ChoiceScore.Sum)
    {
        if (set.Kind != EvaluationKind.MultipleChoice || members.Count == 0 || members.Any(m => m.ProblemFor(set) is not null || m.Items.Length != set.Items.Length))
            throw new ArgumentException("An ensemble has predictions of all items of one set of multiple choice.", nameof(members));
        this.members = [.. members.Select(m => ChoiceProbabilities.Of(m, score))];
        answers = [.. set.Items.Select(i => ((MultipleChoiceItem)i).Answer)];
    }

    /// <summary>Number of members.</summary>
    public int Count => members.Count;

    /// <summary>Whether each item is right, 1 or 0, by one member alone.</summary>
    public ImmutableArray<double> Member(int member) => [.. members[member].Chosen.Select((chosen, i) => chosen == answers[i] ? 1.0 : 0)];

    /// <summary>Whether each item is right by the mixture Σ wₘ·pₘ, weights scaled to sum to 1: its largest probability, ties by lowest index.</summary>
    /// <param name="weights">One for each member, none negative, not all zero.</param>
    public ImmutableArray<double> Mixture(IReadOnlyList<double> weights)
    {
        var total = weights.Sum();
        if (weights.Count != Count || !weights.All(w => w >= 0) || !(total > 0 && double.IsFinite(total)))
            throw new ArgumentException("A mixture has one weight of at least 0 for each member, and not all are 0.", nameof(weights));
        var mixed = new double[members[0].Values.Length];
        for (var m = 0; m < Count; m++)
            Add(mixed, members[m].Values, weights[m] / total);
        return [.. answers.Select((answer, i) => ChoiceProbabilities.Largest(Row(mixed, i)) == answer ? 1.0 : 0)];
    }

    /// <summary>Whether each item is right by the choice that most members choose, ties by lowest index.</summary>
    public ImmutableArray<double> MajorityVote()
    {
        var votes = new double[members[0].Values.Length];
        foreach (var member in members)
        {
            for (var i = 0; i < answers.Length; i++)
                votes[member.Start(i) + member.Chosen[i]]++;
        }

        return [.. answers.Select((answer, i) => ChoiceProbabilities.Largest(Row(votes, i)) == answer ? 1.0 : 0)];
    }

    /// <summary>Whether each item is right by at least one member: no choice among members can do better.</summary>
    public ImmutableArray<double> AnyMember() => [.. answers.Select((answer, i) => members.Any(m => m.Chosen[i] == answer) ? 1.0 : 0)];

    /// <summary>The member that has most of some items right, ties by lowest index.</summary>
    public int Best(IReadOnlyList<int> items) => Enumerable.Range(0, Count).MaxBy(m => items.Count(i => members[m].Chosen[i] == answers[i]));

    /// <summary>
    /// Ensemble selection (Caruana et al. 2004): starting from nothing, the member is added, again and again and also repeatedly, whose addition makes the mixture of all picked so
    /// far right most often on some items; of equally good ones that with the larger mean log-probability of the answers, then the lowest index. Of all steps the first that is best counts.
    /// </summary>
    /// <param name="items">Items on which it is selected.</param>
    /// <param name="budget">Number of steps, at least 1.</param>
    /// <returns>For each member how often it was picked: the weights of a mixture.</returns>
    public ImmutableArray<int> GreedyPortfolio(IReadOnlyList<int> items, int budget)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(budget, 1);
        var (mixed, picked, best) = (new double[members[0].Values.Length], new int[Count], new int[Count]);
        var bestScore = (Correct: -1, LogLikelihood: 0.0);
        for (var step = 1; step <= budget; step++)
        {
            var scores = new (int Correct, double LogLikelihood)[Count];
            Parallel.For(0, Count, m => scores[m] = With(mixed, members[m], items, step));
            var next = Enumerable.Range(0, Count).MaxBy(m => scores[m]);
            Add(mixed, members[next].Values, 1);
            picked[next]++;
            if (scores[next].CompareTo(bestScore) > 0)
                (bestScore, best) = (scores[next], [.. picked]);
        }

        return [.. best];
    }

    // How often the mixture would be right with one more member.
    private (int Correct, double LogLikelihood) With(double[] mixed, ChoiceProbabilities member, IReadOnlyList<int> items, int step)
    {
        var (correct, likelihood) = (0, 0.0);
        Span<double> row = stackalloc double[EvaluationSetLimits.MaxChoices];
        foreach (var i in items)
        {
            ReadOnlySpan<double> sum = Row(mixed, i), own = member[i];
            for (var j = 0; j < own.Length; j++)
                row[j] = sum[j] + own[j];
            correct += ChoiceProbabilities.Largest(row[..own.Length]) == answers[i] ? 1 : 0;
            likelihood += Math.Log(Math.Max(row[answers[i]] / step, double.Epsilon));
        }

        return (correct, likelihood);
    }

    private ReadOnlySpan<double> Row(double[] values, int item) => values.AsSpan(members[0].Start(item), members[0][item].Length);

    private static void Add(double[] sum, ReadOnlySpan<double> values, double factor)
    {
        for (var i = 0; i < sum.Length; i++)
            sum[i] += factor * values[i];
    }
}
