using System.Collections.Immutable;

namespace Marketplace.Core.Methods;

/// <summary>What makes a subset diverse. Both objectives are monotone and submodular: what one more adds never grows as the subset grows.</summary>
public enum DiverseObjective
{
    /// <summary>
    /// Σᵢ max over chosen j of s(i, j): how well everybody is represented by the nearest that was chosen. s is the cosine; 0 where a sketch can't tell it from 0.
    /// </summary>
    FacilityLocation,

    /// <summary>log det(I + λ·C) of the cosines C among the chosen, λ = 100: the volume that they span, outliers first.</summary>
    LogDeterminant,
}

/// <summary>One choice.</summary>
/// <param name="Index">Which vector.</param>
/// <param name="Gain">What it added to the objective.</param>
/// <param name="Nearest">Its largest cosine to one chosen before; null for the first.</param>
public sealed record DiversePick(int Index, double Gain, double? Nearest);

/// <summary>
/// A diverse subset, chosen greedily: what adds most comes next, the lower index among equals. Its objective is at least 1 − 1∕e (63 %) of the best subset's (Nemhauser, Wolsey and Fisher
/// 1978). Gains are evaluated lazily (Minoux 1978): a gain that was computed earlier bounds the present one, so that most are never computed again; the choice is the same.
/// A near copy of a chosen one waits until nothing else gains; without one in the library the rule never applies and the bound is that of the plain greedy choice.
/// </summary>
/// <param name="Picks">The choices in their order; fewer than asked for where there are fewer vectors that are not zero.</param>
/// <param name="Value">The objective of all of them.</param>
/// <param name="Considered">How many vectors are not zero.</param>
/// <param name="Evaluations">How many gains were computed; without laziness it would be about picks × vectors.</param>
public sealed record DiverseSubset(ImmutableArray<DiversePick> Picks, double Value, int Considered, long Evaluations)
{
    /// <summary>Cosine beyond which two vectors are near copies.</summary>
    public const double NearCopy = 0.999;

    /// <summary>Gains up to this are none: rounding.</summary>
    internal const double Nothing = 1e-9;

    private const int Batch = 16; // evaluated at a time, side by side: a fixed number, so that the work does not depend on the machine

    /// <summary>Chooses.</summary>
    /// <param name="vectors">One sketch per adapter, of equal sizes; their lengths do not matter. Vectors of zeros are never chosen.</param>
    /// <param name="count">How many, at least 1.</param>
    /// <param name="objective">What is maximised.</param>
    /// <param name="floor">Cosines below it count as 0 in facility location; by default three standard errors of a cosine between sketches, 3 ∕ √size.</param>
    /// <param name="cancellation">Looked at between rounds.</param>
    /// <exception cref="ArgumentException">The vectors have different sizes, or an entry is not finite.</exception>
    public static DiverseSubset Choose(
        IReadOnlyList<ReadOnlyMemory<float>> vectors, int count, DiverseObjective objective = DiverseObjective.FacilityLocation, double? floor = null,
        CancellationToken cancellation = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        var rows = UnitRows.Of(vectors);
        DiverseGains gains = objective == DiverseObjective.LogDeterminant
            ? new LogDeterminantGains(rows)
            : new FacilityGains(rows, floor ?? 3 / Math.Sqrt(Math.Max(1, rows.Size)));
        var picks = ImmutableArray.CreateBuilder<DiversePick>();
        var nearest = new float[rows.Count];
        Array.Fill(nearest, float.NegativeInfinity);
        var (fresh, copies) = (new Candidates(rows.Count), new Candidates(0));
        var (value, evaluations) = (0d, 0L);
        Evaluate(Enumerable.Range(0, rows.Count).ToArray(), fresh, 0);
        while (picks.Count < Math.Min(count, rows.Count))
        {
            cancellation.ThrowIfCancellationRequested();
            var (pick, gain) = Next(fresh, copies);
            picks.Add(new(rows.Indices[pick], gain, picks.Count == 0 ? null : nearest[pick]));
            value += gain;
            gains.Add(pick);
            Parallel.For(0, rows.Count, i => nearest[i] = Math.Max(nearest[i], rows.Cosine(i, pick)));
        }

        return new(picks.ToImmutable(), value, rows.Count, evaluations);

        (int Pick, double Gain) Next(Candidates first, Candidates second)
        {
            var best = Best(first, set => set.Peek().Gain <= Nothing);
            if (best is { } found && found.Gain > Nothing)
                return first.Take();
            var other = Best(second, _ => false);
            // Nothing gains: whatever is left, in order, copies last.
            return best is { } rest && (other is null || other.Value.Gain <= Nothing) ? first.Take() : second.Take();
        }

        // Brings the best candidate of a set to its present gain; those that have become near copies move to the other set.
        (int Pick, double Gain)? Best(Candidates set, Func<Candidates, bool> enough)
        {
            while (set.Count > 0)
            {
                if (set.Peek().Round == picks.Count || enough(set))
                {
                    if (set == copies || nearest[set.Peek().Index] <= NearCopy)
                        return (set.Peek().Index, set.Peek().Gain);
                    copies.Put(set.TakeWhole());
                    continue;
                }

                var stale = new List<int>(Batch);
                while (stale.Count < Batch && set.Count > 0 && set.Peek().Round < picks.Count)
                {
                    var next = set.TakeWhole();
                    if (set != copies && nearest[next.Index] > NearCopy)
                        copies.Put(next);
                    else
                        stale.Add(next.Index);
                }

                Evaluate(stale, set, picks.Count);
            }

            return null;
        }

        void Evaluate(IReadOnlyList<int> candidates, Candidates set, int round)
        {
            foreach (var (candidate, gain) in candidates.Zip(gains.Of(candidates)))
                set.Put((candidate, gain, round));
            evaluations += candidates.Count;
        }
    }

    /// <summary>Candidates by their last known gain, the largest first, the lower index among equals.</summary>
    private sealed class Candidates(int capacity)
    {
        private readonly PriorityQueue<(int Index, double Gain, int Round), (double Loss, int Index)> queue = new(capacity);

        public int Count => queue.Count;

        public void Put((int Index, double Gain, int Round) candidate) => queue.Enqueue(candidate, (-candidate.Gain, candidate.Index));

        public (int Index, double Gain, int Round) Peek() => queue.Peek();

        public (int Index, double Gain, int Round) TakeWhole() => queue.Dequeue();

        public (int Pick, double Gain) Take() => queue.Dequeue() is var (index, gain, _) ? (index, gain) : default;
    }
}
