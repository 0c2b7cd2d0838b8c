using Marketplace.Kernels.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Marketplace.Kernels.Evaluation;

/// <summary>A prompt after which a model writes.</summary>
/// <param name="Prompt">Its tokens, at least one.</param>
/// <param name="MaxTokens">Most tokens that are written.</param>
public sealed record WrittenAfter(ReadOnlyMemory<int> Prompt, int MaxTokens);

/// <summary>Writes after prompts, token by token the likeliest, for several subjects at once.</summary>
public sealed class GreedyWriter(LanguageModel model, ScoringLimits limits)
{
    /// <summary>Writes.</summary>
    /// <param name="items">The prompts.</param>
    /// <param name="subjects">Who writes.</param>
    /// <param name="ends">Told the item and what was written so far, after each token: whether that is all.</param>
    /// <param name="cancellation">Looked at before each token.</param>
    /// <returns>The tokens, by subject and item.</returns>
    public List<int>[][] Write(
        IReadOnlyList<WrittenAfter> items, IReadOnlyList<ScoringSubject> subjects, Func<int, IReadOnlyList<int>, bool> ends, CancellationToken cancellation = default)
    {
        ScoringLimits.UseThreads(model);
        using var frozen = no_grad();
        List<int>[][] written = [.. subjects.Select(_ => items.Select(_ => new List<int>()).ToArray())];
        foreach (var (first, some) in SubjectRows.Split(subjects, limits.Subjects))
        {
            var parts = some.Sum(s => s.Parts.Length);
            foreach (var pack in Pack(items, Math.Max(1, limits.Tokens / parts)))
            {
                using var scope = NewDisposeScope();
                Write(items, pack, new SubjectRows(some), written.AsSpan(first, some.Count).ToArray(), ends, cancellation);
            }
        }

        return written;
    }

    private static IEnumerable<int[]> Pack(IReadOnlyList<WrittenAfter> items, int tokens)
    {
        var order = Enumerable.Range(0, items.Count).Where(i => items[i].MaxTokens > 0).OrderByDescending(i => items[i].Prompt.Length + items[i].MaxTokens).ToList();
        for (var start = 0; start < order.Count;)
        {
            var count = Math.Max(1, tokens / (items[order[start]].Prompt.Length + items[order[start]].MaxTokens));
            yield return [.. order.Skip(start).Take(count)];
            start += count;
        }
    }

    private void Write(
        IReadOnlyList<WrittenAfter> items, int[] pack, SubjectRows subjects, List<int>[][] written, Func<int, IReadOnlyList<int>, bool> ends, CancellationToken cancellation)
    {
        var alive = pack;
        var done = written.Select(_ => new HashSet<int>()).ToArray();
        var cache = new KeyValueCache(model.Config.Layers.Length);
        try
        {
            for (var step = 0; alive.Length > 0; step++)
            {
                cancellation.ThrowIfCancellationRequested();
                using var scope = NewDisposeScope();
                var logits = Next(items, alive, subjects, written, cache, step);
                for (var s = 0; s < written.Length; s++)
                {
                    var next = RowSums.Likeliest(subjects, s, alive.Length, logits).cpu().data<long>().ToArray();
                    for (var i = 0; i < alive.Length; i++)
                        Take(s, alive[i], (int)next[i]);
                }

                var left = alive.Where(i => done.Any(d => !d.Contains(i))).ToArray();
                // Rows that are over are read along until they are half of all.
                if (left.Length > alive.Length / 2 && left.Length > 0)
                    continue;
                if (left.Length > 0)
                {
                    var kept = Enumerable.Range(0, alive.Length).Where(i => left.Contains(alive[i])).ToList();
                    var smaller = cache.Select([.. Enumerable.Range(0, subjects.Parts).SelectMany(part => kept.Select(k => (part * alive.Length) + k))]);
                    cache.Dispose();
                    cache = smaller;
                }

                alive = left;
            }
        }
        finally
        {
            cache.Dispose();
        }

        void Take(int subject, int item, int token)
        {
            if (done[subject].Contains(item))
                return;
            written[subject][item].Add(token);
            if (written[subject][item].Count >= items[item].MaxTokens || ends(item, written[subject][item]))
                done[subject].Add(item);
        }
    }

    // Logits after the last token of each row, shape (parts·rows, 1, V).
    private Tensor Next(IReadOnlyList<WrittenAfter> items, int[] alive, SubjectRows subjects, List<int>[][] written, KeyValueCache cache, int step)
    {
        var tokens = new List<ReadOnlyMemory<int>>();
        foreach (var (subject, _, count) in subjects.Ranges())
        {
            for (var part = 0; part < count; part++)
                tokens.AddRange(alive.Select(i => step == 0 ? items[i].Prompt : new[] { written[subject][i][^1] }));
        }

        var positions = subjects.Repeat(alive.Select(i => step == 0 ? 0 : Math.Min(items[i].Prompt.Length + step - 1, model.Config.MaxPositions - 1)).ToList());
        using var batch = TokenBatch.Of(tokens, model.Device, PaddingSide.Left, positions);
        return subjects.With(alive.Length, active =>
        {
            var hidden = model.Hidden(batch, active, cache);
            return model.Logits(hidden.narrow(1, hidden.shape[1] - 1, 1), active);
        });
    }
}
