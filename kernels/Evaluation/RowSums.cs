using TorchSharp;
using static TorchSharp.torch;

namespace Marketplace.Kernels.Evaluation;

/// <summary>Sums the log-probabilities of a pack's scored tokens, from logits that come some columns at a time.</summary>
/// <param name="pack">The rows.</param>
/// <param name="subjects">The parts, each with all rows.</param>
/// <param name="columns">The columns that hold something scored: the last ones.</param>
/// <param name="greedy">Whether the likeliest tokens are compared.</param>
internal sealed class RowSums(ScoringPack pack, SubjectRows subjects, int columns, bool greedy)
{
    private readonly List<(int Row, ScoredRow Scored)> scored = [.. pack.Rows.SelectMany((r, i) => r.Scored.Select(s => (i, s)))];
    private readonly double[][][] logs = [.. Enumerable.Range(0, subjects.Parts).Select(_ => pack.Rows.SelectMany(r => r.Scored).Select(s => new double[s.Targets.Length]).ToArray())];
    private readonly bool[][] missed = [.. subjects.Ranges().Select(_ => new bool[pack.Rows.Sum(r => r.Scored.Count)])];

    /// <summary>Takes logits.</summary>
    /// <param name="logits">Shape (parts·rows, <paramref name="count"/>, V).</param>
    /// <param name="start">The first of these columns, among those that are scored.</param>
    /// <param name="count">How many.</param>
    public void Add(Tensor logits, int start, int count)
    {
        var (rows, vocabulary) = (pack.Rows.Count, logits.shape[2]);
        var places = new List<(int Scored, int Target, int Row, int Column)>();
        for (var s = 0; s < scored.Count; s++)
        {
            var first = columns - scored[s].Scored.Targets.Length; // its first scored column
            for (var column = Math.Max(start, first); column < start + count; column++)
                places.Add((s, column - first, scored[s].Row, column - start));
        }

        var indices = new long[subjects.Parts * places.Count];
        for (var (part, i) = (0, 0); part < subjects.Parts; part++)
        {
            foreach (var (s, target, row, column) in places)
                indices[i++] = (((((long)part * rows) + row) * count) + column) * vocabulary + scored[s].Scored.Targets.Span[target];
        }

        // log Σ eᶻ = m + log Σ eᶻ⁻ᵐ, the last step in double: as one number of single precision it would cost more digits than all else.
        var largest = logits.amax([-1]);
        var tails = Download(logits.Minus(largest.unsqueeze(-1)).exp_().sum(-1).reshape(-1));
        var chosen = Download(logits.reshape(-1).index_select(0, from_array(indices).to(logits.device)));
        var peaks = Download(largest.reshape(-1));
        for (var (part, i) = (0, 0); part < subjects.Parts; part++)
        {
            foreach (var (s, target, row, column) in places)
            {
                var place = (((part * rows) + row) * count) + column;
                logs[part][s][target] = (double)chosen[i++] - peaks[place] - Math.Log(tails[place]);
            }
        }

        if (greedy)
            Compare(logits, places);
    }

    /// <summary>Gives each score away.</summary>
    public void Finish(Action<int, ScoredRow, SequenceScore> take)
    {
        foreach (var (subject, first, count) in subjects.Ranges())
        {
            for (var s = 0; s < scored.Count; s++)
            {
                var sum = 0d;
                for (var t = 0; t < scored[s].Scored.Targets.Length; t++)
                    sum += count == 1 ? logs[first][s][t] : Mixed(first, count, s, t);
                take(subject, scored[s].Scored, new(sum, greedy && !missed[subject][s]));
            }
        }
    }

    // log Σ wᵢ·pᵢ, from log pᵢ.
    private double Mixed(int first, int count, int s, int t)
    {
        var parts = Enumerable.Range(first, count).Select(p => logs[p][s][t] + subjects.LogWeight(p)).ToList();
        var largest = parts.Max();
        return double.IsNegativeInfinity(largest) ? largest : largest + Math.Log(parts.Sum(p => Math.Exp(p - largest)));
    }

    private void Compare(Tensor logits, List<(int Scored, int Target, int Row, int Column)> places)
    {
        var count = logits.shape[1];
        foreach (var (subject, _, _) in subjects.Ranges())
        {
            using var scope = NewDisposeScope();
            var likeliest = Likeliest(subjects, subject, pack.Rows.Count, logits).cpu().data<long>().ToArray();
            foreach (var (s, target, row, column) in places)
                missed[subject][s] |= likeliest[(row * count) + column] != scored[s].Scored.Targets.Span[target];
        }
    }

    /// <summary>The likeliest token of a subject at each place, shape (rows, count); the lower id among equals.</summary>
    internal static Tensor Likeliest(SubjectRows subjects, int subject, int rows, Tensor logits)
    {
        var (_, first, count) = subjects.Ranges().ElementAt(subject);
        var own = logits.narrow(0, first * rows, count * rows);
        if (count == 1)
            return own.argmax(-1).contiguous();
        var logs = own.log_softmax(-1);
        var weights = from_array(Enumerable.Range(first, count).Select(p => (float)subjects.LogWeight(p)).ToArray()).to(logits.device).view(-1, 1, 1, 1);
        return logs.view(count, rows, logits.shape[1], logits.shape[2]).Plus(weights).logsumexp(0).argmax(-1).contiguous();
    }

    private static float[] Download(Tensor tensor) => tensor.to(ScalarType.Float32).cpu().contiguous().data<float>().ToArray();
}
