using System.Collections.Immutable;
using System.Text.Json;
using Marketplace.Core;
using Marketplace.Core.Api;
using Marketplace.Core.Composition;
using Marketplace.Core.Evaluation;
using Marketplace.Core.Merges;
using Marketplace.Kernels.Evaluation;
using Marketplace.Kernels.Merges;
using Marketplace.Storage;
using Marketplace.Storage.Jobs;

namespace Marketplace.Kernels.Composition;

/// <summary>Carries out learned compositions: learns from a set, then merges by what was learned. The rest, from inputs to the published version, is that of any merge.</summary>
public sealed class CompositionJobs(MarketplaceStorage storage, BaseModelFiles models, Derivation derivation, MergeResources resources)
{
    private const int MostLosses = 1000;
    private const int MostValues = 64;
    private const double LearningShare = 0.9; // the share of the work that is not merging

    /// <summary>Runs a job and returns its result, a <see cref="DerivedResult"/> as JSON.</summary>
    /// <exception cref="JobFailureException">The inputs can't be combined, the base model can't be computed with, a set is gone, or the result fails its checks.</exception>
    public async Task<string> RunAsync(JobRecord job, JobProgressReporter progress, CancellationToken cancellation)
    {
        var request = DerivationRequest.Parse(job.RequestJson);
        var part = request.Composition!;
        if (!CompositionSettings.TryCreate(part.Method, part.Parameters, part.Seed, out var settings, out var problems))
            throw new JobFailureException("not-mergeable", string.Join(' ', problems.Select(p => $"[{p.Code}] {p.Message}")));
        var (training, validation) = (await ReadAsync(part.Training, cancellation), part.Validation is { } other ? await ReadAsync(other, cancellation) : null);
        var local = await models.FindAsync(request.BaseModel, part.BaseDigest is { } hex ? Digest.Parse(hex) : null, cancellation) ?? throw new JobFailureException(
            "base-weights-missing", $"The files of '{request.BaseModel}' are neither registered (`marketplace base-models add`) nor mounted in the kernels.");

        LearnedComposition? learned = null;
        IEnumerable<MergedModule> Compute(MergePlan plan, IReadOnlyList<Adapter> inputs, JobProgressReporter reporter, CancellationToken stop)
        {
            var tables = Learn(request, settings, training, validation, local, plan, inputs, reporter, out learned, stop);
            return TorchMerge.Run(
                settings.SearchesRecipe ? RecipeSearch.With(plan, tables[""].Values) : Composing.Learned(plan, settings, tables), inputs, resources, p => reporter.Report(p.Done, p.Total, p.Module, LearningShare + ((1 - LearningShare) * p.Share)), stop);
        }

        var kernel = $"{KernelIdentity.Of(resources.Device)} base-weights-{local.Digest.Hex[..16]}";
        try
        {
            var result = await derivation.DeriveAsync(request, job, job.Id, kernel, Compute, progress, cancellation, () => learned);
            return JsonSerializer.Serialize(result, ApiJson.Options);
        }
        catch (MergeMemoryException e)
        {
            throw new JobFailureException("memory-budget", e.Message);
        }
    }

    private SortedDictionary<string, Matrix> Learn(
        DerivationRequest request, CompositionSettings settings, EvaluationSet training, EvaluationSet? validation, LocalBaseModel local, MergePlan plan, IReadOnlyList<Adapter> inputs,
        JobProgressReporter progress, out LearnedComposition learned, CancellationToken stop)
    {
        var part = request.Composition!;
        progress.Report(0, 1, "reading the base model", 0);
        using var opened = OpenedModel.Open(request.BaseModel, local.Folder, resources.Device);
        var examples = Examples(training, opened);
        if (part.Examples is { } count && count < examples.Count)
            examples = Learning.Split(examples, 1 - ((double)count / examples.Count), settings.Seed).Learned;
        var (learnedFrom, heldOut) = validation is null ? Learning.Split(examples, settings.Number("hold_out"), settings.Seed) : (examples, Examples(validation, opened));
        var (log, tables) = Run(opened, plan, inputs, settings, learnedFrom, heldOut, (done, total, current) => progress.Report(done, total, current, LearningShare * done / total), stop);
        if (tables.Values.Any(t => !t.Values.All(double.IsFinite)))
            throw new JobFailureException("not-finite", "Learning has come to numbers that are not finite; a smaller learning rate may help.");
        var every = Math.Max(1, (log.Losses.Length + MostLosses - 1) / MostLosses);
        var report = new CompositionReport(
            settings.Method.Name, settings.Parameters, settings.Seed, part.Training, part.Validation, local.Digest.Hex, learnedFrom.Count, heldOut.Count, tables.Values.Sum(t => t.Values.LongLength), log.Losses.Length,
            [.. log.Losses.Where((_, i) => i % every == 0)], every, [.. log.HeldOut.Select(e => View(e.Score))], View(log.Before), View(log.After),
            [.. tables.SelectMany(t => Coefficients(request, settings, t.Key, t.Value))]);
        learned = new(report, Weights(request, settings, tables));
        return tables;
    }

    private (LearningLog Log, SortedDictionary<string, Matrix> Tables) Run(
        OpenedModel opened, MergePlan plan, IReadOnlyList<Adapter> inputs, CompositionSettings settings, IReadOnlyList<Example> examples, IReadOnlyList<Example> heldOut,
        LearningProgress progress, CancellationToken stop)
    {
        if (settings.SearchesRecipe)
            return RecipeSearch.Run(opened.Model, plan, inputs, examples, heldOut, settings, resources, progress, stop);
        if (!Composing.TryCompose(opened.Model, plan, inputs, settings, new TorchKernels(resources.Device), out var found, out var problems))
            throw new JobFailureException("not-mergeable", string.Join(' ', problems.Take(3).Select(p => $"[{p.Code}] {p.Message}")));
        using var composed = found;
        return (Learning.Run(opened.Model, composed, examples, heldOut, settings, progress, stop), composed.Download());
    }

    private static IReadOnlyList<Example> Examples(EvaluationSet set, OpenedModel opened)
    {
        try
        {
            return Example.Of(set, new ItemTokens(opened.Tokenizer, opened.Model.Config.MaxPositions, set.Header.Separator));
        }
        catch (TimeoutException e)
        {
            throw new JobFailureException("tokenizer-unsupported", $"The tokenizer takes too long over one of these items. {e.Message}");
        }
    }

    private async Task<EvaluationSet> ReadAsync(EvaluationSetReference set, CancellationToken cancellation)
    {
        try
        {
            return await storage.EvaluationSets.ReadAsync(Digest.Parse(set.Digest), cancellation);
        }
        catch (FileNotFoundException)
        {
            throw new JobFailureException("input-gone", $"The evaluation set '{set.Set}@{set.Number}' is no longer there.");
        }
    }

    private static CompositionScore View(ExampleScore score) => new(score.Loss, score.Accuracy);

    // The slots of a source follow each other.
    private static IEnumerable<LearnedCoefficients> Coefficients(DerivationRequest request, CompositionSettings settings, string group, Matrix table)
    {
        var name = group.Length == 0 ? "*" : group.Split(' ')[0];
        if (settings.Method.Name == CompositionMethods.Axis)
            return [Of(null, table.Values)];
        var sources = request.Recipe.Inputs;
        return sources.Select((source, i) => Of(source.Adapter, table.Values.AsSpan(i * table.Values.Length / sources.Count, table.Values.Length / sources.Count).ToArray()));

        LearnedCoefficients Of(string? source, double[] values)
        {
            var mean = values.Average();
            return new(name, source, values.Length <= MostValues ? values : null, values.Length, mean, Math.Sqrt(values.Average(v => (v - mean) * (v - mean))));
        }
    }

    // Several names of the same bytes are several sources of one input's lineage each.
    private static ImmutableArray<double> Weights(DerivationRequest request, CompositionSettings settings, SortedDictionary<string, Matrix> tables)
    {
        if (settings.Method.Name == CompositionMethods.Axis)
            return [.. request.Inputs.Select(i => i.Weight)];
        var all = tables.SelectMany(t => Coefficients(request, settings, t.Key, t.Value)).ToLookup(c => c.Source!, c => c.Mean, StringComparer.OrdinalIgnoreCase);
        return [.. request.Inputs.Select(i => all[i.Name].DefaultIfEmpty(i.Weight).Average())];
    }
}
