using Marketplace.Kernels.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Marketplace.Kernels.Evaluation;

/// <summary>
/// Log-likelihoods of sequences under several subjects at once: each row of a batch has adapters of its own, so that the base's work is done in common. Logits are computed only where tokens are
/// scored. How sequences are put together changes a score by rounding only.
/// </summary>
public sealed class SequenceScorer(LanguageModel model, ScoringLimits limits)
{
    /// <summary>Scores sequences.</summary>
    /// <param name="items">The sequences of each item; those of one item may begin alike, and that is then computed once.</param>
    /// <param name="subjects">What they are scored by.</param>
    /// <param name="greedy">Whether to tell also if the scored tokens were the likeliest.</param>
    /// <param name="cancellation">Looked at before each batch.</param>
    /// <returns>By subject, item and sequence.</returns>
    public SequenceScore[][][] Score(
        IReadOnlyList<IReadOnlyList<ScoredSequence>> items, IReadOnlyList<ScoringSubject> subjects, bool greedy, CancellationToken cancellation = default)
    {
        ScoringLimits.UseThreads(model);
        using var frozen = no_grad();
        SequenceScore[][][] scores = [.. subjects.Select(_ => items.Select(i => new SequenceScore[i.Count]).ToArray())];
        var together = Math.Clamp(subjects.Sum(s => s.Parts.Length), 1, limits.Subjects);
        foreach (var pack in ScoringPack.Of(items, Math.Max(1, limits.Tokens / together)))
        {
            foreach (var (first, some) in SubjectRows.Split(subjects, Math.Clamp(limits.Tokens / pack.Tokens, 1, limits.Subjects)))
            {
                cancellation.ThrowIfCancellationRequested();
                using var scope = NewDisposeScope();
                Score(pack, new SubjectRows(some), greedy, (subject, row, score) => scores[first + subject][row.Item][row.Sequence] = score);
            }

            NativeMemory.Trim();
        }

        return scores;
    }

    private void Score(ScoringPack pack, SubjectRows subjects, bool greedy, Action<int, ScoredRow, SequenceScore> take)
    {
        using var cache = pack.Prompts.Count > 0 ? ReadPrompts(pack, subjects) : null;
        var rows = pack.Rows.Count;
        // Filled up on the left, so that what is scored lies in the last columns of every row.
        using var batch = TokenBatch.Of(
            subjects.Repeat(pack.Rows.ConvertAll(r => r.Read)), model.Device, PaddingSide.Left,
            cache is null ? null : subjects.Repeat(pack.Rows.ConvertAll(r => pack.Prompts[r.Prompt].Length)));
        var columns = pack.Rows.Max(r => r.Scored.Max(s => s.Targets.Length));
        var sums = new RowSums(pack, subjects, columns, greedy);
        _ = subjects.With(rows, active =>
        {
            var hidden = model.Hidden(batch, active, cache);
            var width = (int)Math.Clamp(limits.Logits / ((long)hidden.shape[0] * model.Config.VocabularySize), 1, columns);
            for (var start = 0; start < columns; start += width)
            {
                using var step = NewDisposeScope();
                var count = Math.Min(width, columns - start);
                sums.Add(model.Logits(hidden.narrow(1, hidden.shape[1] - columns + start, count), active), start, count);
            }

            return 0;
        });
        sums.Finish(take);
    }

    private KeyValueCache ReadPrompts(ScoringPack pack, SubjectRows subjects)
    {
        using var read = new KeyValueCache(model.Config.Layers.Length);
        using var batch = TokenBatch.Of(subjects.Repeat(pack.Prompts), model.Device);
        subjects.With(pack.Prompts.Count, active => model.Hidden(batch, active, read)).Dispose();
        return read.Select([.. Enumerable.Range(0, subjects.Parts).SelectMany(part => pack.Rows.Select(r => (part * pack.Prompts.Count) + r.Prompt))]);
    }
}
