using System.Text;
using Marketplace.Core;
using Marketplace.Core.Api;
using Marketplace.Core.Evaluation;
using Marketplace.Storage;
using Marketplace.Storage.Jobs;
using Marketplace.Storage.Telemetry;

namespace Marketplace.Kernels.Evaluation;

/// <summary>The matrix of one job: which results are there, which parts of the others, and what is left to be scored.</summary>
internal sealed class EvaluationRun(
    EvaluationJobRequest request, LocalBaseModel local, string settings, JobRecord job, string kernel, MarketplaceStorage storage, TimeProvider time, JobProgressReporter progress)
{
    private readonly Digest settingsDigest = Digest.Of(Encoding.UTF8.GetBytes(settings));
    private readonly List<EvaluationSet> sets = [];
    private readonly HashSet<(int Subject, int Set)> pending = [];
    private readonly Dictionary<int, RefusedSubject> refused = [];
    private int steps;
    private int done;
    private int stored;

    /// <summary>Results that are not there.</summary>
    public int Pending => pending.Count;

    /// <summary>Reads the sets, and looks for results.</summary>
    /// <exception cref="JobFailureException">A set is gone.</exception>
    public async Task PrepareAsync(CancellationToken ct)
    {
        foreach (var set in request.Sets)
        {
            try
            {
                sets.Add(await storage.EvaluationSets.ReadAsync(Digest.Parse(set.Digest), ct));
            }
            catch (FileNotFoundException)
            {
                throw new JobFailureException("input-gone", $"The evaluation set '{set.Set}@{set.Number}' is no longer there.");
            }
        }

        var cells = Enumerable.Range(0, request.Subjects.Length).SelectMany(s => Enumerable.Range(0, sets.Count).Select(t => (Subject: s, Set: t))).ToList();
        await Parallel.ForEachAsync(cells, new ParallelOptions { MaxDegreeOfParallelism = 16, CancellationToken = ct }, async (cell, stop) =>
        {
            if (await storage.EvaluationResults.GetAsync(Key(cell.Subject, cell.Set).Id, stop) is { } present)
            {
                // A delivery before this one may have died before the result was in its list.
                if (present.JobId == job.Id)
                    await storage.EvaluationResults.PutAsync(present, await storage.EvaluationResults.ReadPredictionsAsync(present.Id, stop), stop);
                return;
            }

            lock (pending)
                pending.Add(cell);
        });
        steps = pending.Count;
        Report("reading the base model");
    }

    /// <summary>Subjects that are not done, in runs of so many.</summary>
    public IEnumerable<int[]> Groups(int size) => pending.Select(p => p.Subject).Distinct().Order().ToArray().Chunk(size);

    /// <summary>A subject that can't be scored.</summary>
    public void Refuse(int subject, JobFailureException reason)
    {
        refused[subject] = new(request.Subjects[subject].Label, reason.Code, reason.Message);
        done += pending.RemoveWhere(p => p.Subject == subject);
    }

    /// <summary>Scores subjects on all sets, batch by batch; each is kept before the next begins.</summary>
    public async Task ScoreAsync(
        IReadOnlyList<(int Index, ScoringSubject Subject)> loaded, Func<EvaluationSet, ItemRange, IReadOnlyList<ScoringSubject>, Task<IReadOnlyList<Predictions>>> score, CancellationToken ct)
    {
        for (var t = 0; t < sets.Count; t++)
        {
            var kept = new Dictionary<int, List<Predictions>>();
            foreach (var (index, _) in loaded.Where(l => pending.Contains((l.Index, t))))
                kept[index] = [.. (await storage.EvaluationResults.ReadPartsAsync(job.Id, Key(index, t).Id, ct)).Where(p => p.ProblemFor(sets[t]) is null)];
            foreach (var range in EvaluationBatches.Of(sets[t]))
            {
                var missing = loaded.Where(l => kept.TryGetValue(l.Index, out var parts) && !Covers(parts, range)).ToList();
                if (missing.Count > 0)
                    await ScoreAsync(t, range, missing, kept, score, ct);
            }

            // Parts of an earlier delivery may have been all.
            foreach (var (index, parts) in kept.Where(k => pending.Contains((k.Key, t))))
                await StoreAsync(index, t, parts, ct);
        }
    }

    /// <summary>Every row that is there now.</summary>
    public async Task<EvaluationJobResult> ResultAsync(double seconds, CancellationToken ct)
    {
        var rows = new EvaluationRow?[request.Subjects.Length * sets.Count];
        await Parallel.ForAsync(0, rows.Length, new ParallelOptions { MaxDegreeOfParallelism = 16, CancellationToken = ct }, async (i, stop) =>
        {
            var (subject, set) = (i / sets.Count, i % sets.Count);
            if (await storage.EvaluationResults.GetAsync(Key(subject, set).Id, stop) is not { } result)
                return;
            var score = result.Scores.First(s => s.Metric == sets[set].Header.Metric);
            rows[i] = new(result.Id, request.Subjects[subject].Label, $"{request.Sets[set].Set}@{request.Sets[set].Number}", score.Metric, score.Value, score.Low, score.High, result.Items, subject);
        });
        return new(
            request.BaseModel, local.Digest.Hex, [.. rows.OfType<EvaluationRow>()], [.. refused.OrderBy(r => r.Key).Select(r => r.Value)],
            rows.OfType<EvaluationRow>().Count() - stored, seconds);
    }

    private static bool Covers(List<Predictions> parts, ItemRange range) =>
        Predictions.Missing(parts.Select(p => p.Range), range.End).All(m => m.End <= range.First);

    private async Task ScoreAsync(
        int t, ItemRange range, List<(int Index, ScoringSubject Subject)> missing, Dictionary<int, List<Predictions>> kept,
        Func<EvaluationSet, ItemRange, IReadOnlyList<ScoringSubject>, Task<IReadOnlyList<Predictions>>> score, CancellationToken ct)
    {
        IReadOnlyList<Predictions> parts;
        using (MarketplaceActivity.Start("score batch")?.SetTag("marketplace.subjects", missing.Count).SetTag("marketplace.items", range.End - range.First))
            parts = await score(sets[t], range, [.. missing.Select(m => m.Subject)]);
        await Parallel.ForAsync(0, missing.Count, ct, async (i, stop) =>
        {
            var (index, part) = (missing[i].Index, parts[i]);
            if (part.ProblemFor(sets[t]) is { } problem)
                throw new JobFailureException("not-finite", $"{request.Subjects[index].Label} on {request.Sets[t].Set}: {problem}");
            kept[index].Add(part);
            // The last batch goes into the result at once.
            if (!Predictions.Missing(kept[index].Select(p => p.Range), sets[t].Items.Length).IsEmpty)
                await storage.EvaluationResults.PutPartAsync(job.Id, Key(index, t).Id, part, stop);
        });
        foreach (var (index, _) in missing)
            await StoreAsync(index, t, kept[index], ct);
        Report($"{request.Sets[t].Set}: {range.End} of {sets[t].Items.Length}", (double)range.End / sets[t].Items.Length);
    }

    private async Task StoreAsync(int subject, int set, List<Predictions> parts, CancellationToken ct)
    {
        if (Predictions.Join(parts, sets[set].Items.Length) is not { } predictions)
            return;
        var key = Key(subject, set);
        await storage.EvaluationResults.PutAsync(
            new(
                key, request.Subjects[subject], request.Sets[set].Number, settings, await Task.Run(() => Scores.Compute(sets[set], predictions), ct), sets[set].Items.Length, 1, job.Owner,
                job.Id, kernel, time.GetUtcNow()),
            predictions, ct);
        await storage.EvaluationResults.DeletePartsAsync(job.Id, key.Id, ct);
        pending.Remove((subject, set));
        (stored, done) = (stored + 1, done + 1);
    }

    private EvaluationKey Key(int subject, int set) => new(
        request.BaseModel, local.Digest, request.Subjects[subject].Digest, AdapterId.Parse(request.Sets[set].Set), Digest.Parse(request.Sets[set].Digest), settingsDigest);

    private void Report(string current, double begun = 0) => progress.Report(done, Math.Max(1, steps), current, Math.Min(1, (done + (begun < 1 ? begun : 0)) / Math.Max(1, steps)));
}
