using System.Collections.Immutable;
using Marketplace.Core;
using Marketplace.Core.Evaluation;
using Marketplace.Core.Formats;
using Marketplace.Core.Merges;
using Marketplace.Core.Methods;
using Marketplace.Kernels.Merges;
using Marketplace.Kernels.Models;
using Marketplace.Storage;
using Marketplace.Storage.Jobs;

namespace Marketplace.Kernels.Evaluation;

/// <summary>From subjects, whose adapters are named by version, to what is active in a pass. What a recipe makes is computed as it would be published, and not published.</summary>
internal sealed class SubjectLoader(
    LanguageModel model, string baseModel, MarketplaceStorage storage, LibraryReader reader, Derivation derivation, MergeResources resources)
{
    /// <summary>Loads a subject.</summary>
    /// <exception cref="JobFailureException">It can't be had, or does not fit the model; other subjects may.</exception>
    public async Task<ScoringSubject> LoadAsync(EvaluationSubject subject, JobProgressReporter progress, CancellationToken cancellation)
    {
        switch (subject)
        {
            case BaseSubject:
                return ScoringSubject.Of(ActiveAdapters.None);
            case AdapterSubject adapter:
                return await LoadAsync([(new(adapter.Adapter, adapter.VersionId), 1)], cancellation);
            case WeightedSubject weighted:
                return await LoadAsync([.. weighted.Parts.Select(p => (p.Version, p.Weight))], cancellation);
            case RecipeSubject recipe:
                return await LoadAsync(recipe, progress, cancellation);
            case ArrowSubject arrow:
                return await LoadAsync(arrow, cancellation);
            case MixtureSubject mixture:
                return await LoadAsync(mixture, progress, cancellation);
            default:
                throw new JobFailureException("internal-error", $"Subjects of the kind '{subject.Kind}' are not scored.");
        }
    }

    private async Task<ScoringSubject> LoadAsync(IReadOnlyList<(SubjectAdapter Adapter, double Weight)> adapters, CancellationToken cancellation)
    {
        using var opened = await OpenAsync(adapters.Select(a => a.Adapter), cancellation);
        return await Task.Run(
            () => ActiveAdapters.TryLoad(model, [.. opened.Select((a, i) => (a, adapters[i].Weight))], out var active, out var problems)
                ? ScoringSubject.Of(active) : throw Unfit(problems), cancellation);
    }

    private async Task<ScoringSubject> LoadAsync(RecipeSubject subject, JobProgressReporter progress, CancellationToken cancellation)
    {
        var inputs = new List<ResolvedInput>();
        foreach (var version in subject.Versions!)
            inputs.Add(await ResolveAsync(version, cancellation));
        using var scratch = new ScratchFolder();
        try
        {
            await derivation.ExportAsync(
                new(subject.Recipe, [.. inputs], baseModel), scratch.Path,
                (plan, adapters, report, stop) => TorchMerge.Run(plan, adapters, resources, p => report.Report(p.Done, p.Total, p.Module, p.Share), stop), progress, cancellation);
        }
        catch (MergeMemoryException e)
        {
            throw new JobFailureException("memory-budget", e.Message);
        }

        return await Task.Run(
            () =>
            {
                using var made = AdapterReader.Open(Path.Combine(scratch.Path, RepositoryPath.Config), Path.Combine(scratch.Path, RepositoryPath.Weights));
                return ActiveAdapters.TryLoad(model, made, out var active, out var problems) ? ScoringSubject.Of(active) : throw Unfit(problems);
            },
            cancellation);
    }

    private async Task<ScoringSubject> LoadAsync(ArrowSubject subject, CancellationToken cancellation)
    {
        var parts = subject.General ?? [];
        using var experts = await OpenAsync(subject.Experts, cancellation);
        using var general = await OpenAsync(parts.Select(g => g.Version), cancellation);
        var subtraction = parts.Count == 0 ? null : new RouterSubtraction(
            [.. parts.Select(g => g.Adapter)], [.. parts.Select(g => g.Weight)], subject.Beta ?? 1,
            subject.Mode == "factorwise" ? RouterSubtractionMode.Factorwise : RouterSubtractionMode.Exact);
        var options = new RouterOptions(
            subject.TopK, subject.Temperature, subject.Combination == "mergeBefore" ? RouterCombination.MergeBefore : RouterCombination.MergeAfter);
        return await Task.Run(
            () =>
            {
                if (!RouterPlan.TryCreate([.. subject.Experts.Select(e => e.Adapter)], experts, subtraction, general, options, out var plan, out var problems))
                    throw new JobFailureException("not-routable", string.Join(' ', problems.Select(p => $"[{p.Code}] {p.Message}")));
                try
                {
                    return ActiveAdapters.TryLoad(model, plan.Compute(cancellation), plan, out var active, out var unfit) ? ScoringSubject.Of(active) : throw Unfit(unfit);
                }
                catch (NotFiniteNumberException e)
                {
                    throw new JobFailureException("not-routable", $"[not-finite] {e.Message}");
                }
            },
            cancellation);
    }

    private async Task<ScoringSubject> LoadAsync(MixtureSubject subject, JobProgressReporter progress, CancellationToken cancellation)
    {
        var parts = new List<(ScoringSubject Subject, double Weight)>();
        try
        {
            foreach (var part in subject.Parts)
                parts.Add((await LoadAsync(part.Subject, progress, cancellation), part.Weight));
            return ScoringSubject.Mixture(parts);
        }
        catch
        {
            parts.ForEach(p => p.Subject.Dispose());
            throw;
        }
    }

    private async Task<OpenAdapters> OpenAsync(IEnumerable<SubjectAdapter> adapters, CancellationToken cancellation)
    {
        var inputs = new List<ResolvedInput>();
        foreach (var adapter in adapters)
            inputs.Add(await ResolveAsync(adapter, cancellation));
        return await reader.OpenAllAsync(inputs, cancellation);
    }

    // A version never changes, so its number says which files are meant.
    private async Task<ResolvedInput> ResolveAsync(SubjectAdapter adapter, CancellationToken cancellation) =>
        await storage.Versions.ResolveAsync(adapter.Id, adapter.Adapter.Split('@')[1], cancellation) is { } version
            ? ResolvedInput.Of(version, 1, "input") : throw new JobFailureException("input-gone", $"'{adapter.Adapter}' is no longer there.");

    private static JobFailureException Unfit(ImmutableArray<WeightsProblem> problems) =>
        new(WeightsProblem.AdapterUnfit, string.Join(' ', problems.Take(3).Select(p => p.Message)) + (problems.Length > 3 ? $" And {problems.Length - 3} more like this." : ""));
}
