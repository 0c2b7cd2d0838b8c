using System.Collections.Immutable;
using System.Diagnostics;
using System.Text;
using System.Text.Json;
using Marketplace.Core;
using Marketplace.Core.Api;
using Marketplace.Core.Evaluation;
using Marketplace.Kernels.Merges;
using Marketplace.Storage;
using Marketplace.Storage.Jobs;

namespace Marketplace.Kernels.Evaluation;

/// <summary>
/// Carries out evaluations. A result's id follows from base model, subject, set and settings, so what is stored already is not computed, whichever job computed it. Of what is not, each batch is
/// kept as a part under the job's id before the next begins; a job that is delivered again reads the parts and goes on.
/// </summary>
public sealed class EvaluationJobs(
    MarketplaceStorage storage, BaseModelFiles models, LibraryReader reader, Derivation derivation, MergeResources resources, TimeProvider time)
{
    private const int Scoring = 1; // goes up with every change that may alter a score by more than rounding

    private readonly ScoringLimits limits = ScoringLimits.For(resources.Device);

    /// <summary>Runs a job and returns its result, an <see cref="EvaluationJobResult"/> as JSON.</summary>
    /// <exception cref="JobFailureException">The base model can't be computed with, a set is gone, or no subject could be scored.</exception>
    public async Task<string> RunAsync(JobRecord job, JobProgressReporter progress, CancellationToken cancellation)
    {
        var started = Stopwatch.GetTimestamp();
        var request = EvaluationJobRequest.Parse(job.RequestJson);
        var wanted = request.BaseDigest is { } hex ? Digest.Parse(hex) : (Digest?)null;
        var local = await models.FindAsync(request.BaseModel, wanted, cancellation) ?? throw new JobFailureException(
            "base-weights-missing", $"The files of '{request.BaseModel}' are neither registered (`marketplace base-models add`) nor mounted in the kernels.");
        var run = new EvaluationRun(request, local, SettingsJson(), job, KernelIdentity.Of(resources.Device).ToString(), storage, time, progress);
        await run.PrepareAsync(cancellation);
        if (run.Pending > 0)
            await ComputeAsync(run, request, local, progress, cancellation);
        var result = await run.ResultAsync(Math.Round(Stopwatch.GetElapsedTime(started).TotalSeconds, 3), cancellation);
        return result.Rows.Count > 0 || result.Refused.Count == 0
            ? JsonSerializer.Serialize(result, ApiJson.Options)
            : throw new JobFailureException(result.Refused[0].Code, result.Refused[0].Message);
    }

    private async Task ComputeAsync(EvaluationRun run, EvaluationJobRequest request, LocalBaseModel local, JobProgressReporter progress, CancellationToken cancellation)
    {
        using var opened = await Task.Run(() => OpenedModel.Open(request.BaseModel, local.Folder, resources.Device), cancellation);
        var scorer = new EvaluationScorer(opened.Model, opened.Tokenizer, opened.Ends, limits);
        var loader = new SubjectLoader(opened.Model, request.BaseModel, storage, reader, derivation, resources);
        foreach (var group in run.Groups(limits.Subjects))
        {
            var loaded = new List<(int Index, ScoringSubject Subject)>();
            try
            {
                foreach (var index in group)
                {
                    try
                    {
                        loaded.Add((index, await loader.LoadAsync(request.Subjects[index], progress, cancellation)));
                    }
                    catch (JobFailureException e)
                    {
                        run.Refuse(index, e);
                    }
                }

                await run.ScoreAsync(loaded, (set, range, subjects) => Task.Run(() => Score(scorer, set, range, subjects, cancellation), cancellation), cancellation);
            }
            finally
            {
                loaded.ForEach(l => l.Subject.Dispose());
            }
        }
    }

    private static IReadOnlyList<Predictions> Score(EvaluationScorer scorer, EvaluationSet set, ItemRange range, IReadOnlyList<ScoringSubject> subjects, CancellationToken cancellation)
    {
        try
        {
            return scorer.Score(set, range, subjects, cancellation);
        }
        catch (TimeoutException e)
        {
            throw new JobFailureException("tokenizer-unsupported", $"The tokenizer takes too long over one of these items. {e.Message}");
        }
    }

    // Instruction sets change the last digits only, and would make every processor compute all again.
    private string SettingsJson() => JsonSerializer.Serialize(
        new { scoring = Scoring, kernel = KernelIdentity.Of(resources.Device).Version, device = resources.Device.Kind, precision = "F32" }, ApiJson.Options);
}
