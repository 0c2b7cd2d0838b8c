using System.Collections.Immutable;
using System.Diagnostics;
using System.Text.Json;
using Marketplace.Core;
using Marketplace.Core.Api;
using Marketplace.Core.Formats;
using Marketplace.Core.Merges;
using Marketplace.Core.Methods;
using Marketplace.Core.Validation;
using Marketplace.Storage.Telemetry;
using ModuleReport = Marketplace.Core.Merges.ModuleReport;

namespace Marketplace.Storage.Jobs;

/// <summary>Computes the modules of a plan, in the plan's order.</summary>
/// <param name="plan">What to compute.</param>
/// <param name="inputs">The adapters the plan was made for.</param>
/// <param name="progress">Takes the number of modules done.</param>
/// <param name="cancellationToken">Stops between modules.</param>
public delegate IEnumerable<MergedModule> ModuleComputation(
    MergePlan plan, IReadOnlyList<Adapter> inputs, JobProgressReporter progress, CancellationToken cancellationToken);

/// <summary>
/// From a derivation job to a published version: open the inputs, plan, compute, export in the serving profile, write a model card, check all of it like any upload,
/// publish. The numbers come from whoever runs it: Core in the functions, TorchSharp in the kernels.
/// </summary>
public sealed class Derivation(MarketplaceStorage storage, LibraryReader reader, AdapterPublisher publisher, BaseModelFiles? models = null, IMergeKernels? kernels = null)
{
    /// <summary>Runs the job and returns its result, a <see cref="DerivedResult"/> as JSON.</summary>
    /// <exception cref="JobFailureException">The inputs can't be combined, or the result fails its checks.</exception>
    public async Task<string> RunAsync(
        JobRecord job, string? kernel, ModuleComputation compute, JobProgressReporter progress, CancellationToken cancellationToken) => JsonSerializer.Serialize(
            await DeriveAsync(DerivationRequest.Parse(job.RequestJson), job, job.Id, kernel, compute, progress, cancellationToken), ApiJson.Options);

    /// <summary>Derives one version.</summary>
    /// <param name="request">What is asked.</param>
    /// <param name="job">For which job; its account publishes.</param>
    /// <param name="key">Names reports and version: one key makes one version, however often it is derived.</param>
    /// <param name="kernel">Who computes, as lineages show it.</param>
    /// <param name="compute">Computes the modules.</param>
    /// <param name="progress">Takes the number of modules done.</param>
    /// <param name="cancellationToken">Stops.</param>
    /// <param name="learned">Asked after the computation what it has learned.</param>
    /// <exception cref="JobFailureException">The inputs can't be combined, or the result fails its checks.</exception>
    public async Task<DerivedResult> DeriveAsync(
        DerivationRequest request, JobRecord job, string key, string? kernel, ModuleComputation compute, JobProgressReporter progress, CancellationToken cancellationToken,
        Func<LearnedComposition?>? learned = null)
    {
        var started = Stopwatch.GetTimestamp();
        using var scratch = new ScratchFolder();
        var made = await ComputeAsync(request, scratch.Path, compute, progress, cancellationToken);
        var (graph, plan, folded) = (made.Graph, made.Plan, made.Folded);
        var report = new MergeReport(made.Modules, plan.NotMerged);
        var computedBy = folded.Weights is null ? kernel : $"{kernel} base-weights-{folded.Weights}";
        // Before the version, which must not be without it; a repeated delivery writes it again.
        var view = MergeReports.View(request, graph, report, computedBy, Stopwatch.GetElapsedTime(started), learned?.Invoke()?.Report);
        await storage.Reports.PutMergeAsync(key, MergeReports.ToJson(view), cancellationToken);
        var lineage = Lineage(request, computedBy, learned?.Invoke());
        var card = await DerivedCards.ComposeAsync(storage, request, lineage, view, made.Export, cancellationToken);
        await File.WriteAllBytesAsync(Path.Combine(scratch.Path, RepositoryPath.Card), card.Write(), cancellationToken);
        var version = await PublishAsync(request, job, key, scratch.Path, lineage, cancellationToken);

        var notMerged = plan.NotMerged.SelectMany((tensors, input) => tensors.Select(t => $"{graph.Leaves[input]}: {t}"));
        return new DerivedResult(
            new VersionReference(version.Adapter.ToString(), version.Number, version.Id), made.Export.Report.Rank, made.Export.Report.Modules,
            report.RelativeDiscarded, [.. notMerged], Math.Round(Stopwatch.GetElapsedTime(started).TotalSeconds, 3),
            folded.Notes is [] ? null : folded.Notes, learned?.Invoke() is { } composition ? CompositionSummary.Of(composition.Report) : null);
    }

    /// <summary>Computes what a recipe makes into a folder, as it would be published, and publishes nothing.</summary>
    /// <param name="request">What is asked; its output is not looked at.</param>
    /// <param name="folder">Where the adapter's two files go.</param>
    /// <param name="compute">Computes the modules.</param>
    /// <param name="progress">Takes the number of modules done.</param>
    /// <param name="cancellationToken">Stops.</param>
    /// <exception cref="JobFailureException">The inputs can't be combined, or the result fails its checks.</exception>
    public Task ExportAsync(DerivationRequest request, string folder, ModuleComputation compute, JobProgressReporter progress, CancellationToken cancellationToken) =>
        ComputeAsync(request, folder, compute, progress, cancellationToken);

    private async Task<Derived> ComputeAsync(
        DerivationRequest request, string folder, ModuleComputation compute, JobProgressReporter progress, CancellationToken cancellationToken)
    {
        // The commit looks again; here it saves the work.
        await JobInputs.CheckAsync(storage, request.Inputs, cancellationToken);

        var graph = request.Graph();
        using var inputs = await OpenAsync(request, graph, cancellationToken);
        // Only the kernels fold: the functions have neither their numerics nor room for a model's weights.
        var model = kernels is not null && models is not null && DoraInputs.Any(inputs) ? await models.FindAsync(request.BaseModel, null, cancellationToken) : null;
        var folded = await Task.Run(
            () => DoraInputs.Fold(inputs, graph.Leaves, request.BaseModel, model?.Folder, kernels, progress, cancellationToken), cancellationToken);
        var plan = Plan(request, graph, inputs, canFold: kernels is not null);
        using var span = MarketplaceActivity.Start("compute modules")?.SetTag("marketplace.modules", plan.Modules.Length);
        var modules = new List<ModuleReport>(plan.Modules.Length);
        var export = await Task.Run(
            () => Export(request, inputs, Noted(compute(plan, inputs, progress, cancellationToken), modules), folder), cancellationToken);
        return new(graph, plan, folded, export, [.. modules]);
    }

    private async Task<OpenAdapters> OpenAsync(DerivationRequest request, MergeGraph graph, CancellationToken cancellationToken)
    {
        using var span = MarketplaceActivity.Start("open inputs")?.SetTag("marketplace.inputs", graph.Leaves.Length);
        return await reader.OpenAllAsync(graph.Leaves.Select(request.Find), cancellationToken);
    }

    private sealed record Derived(MergeGraph Graph, MergePlan Plan, FoldedInputs Folded, ServingExport Export, ImmutableArray<ModuleReport> Modules);

    private static MergePlan Plan(DerivationRequest request, MergeGraph graph, OpenAdapters inputs, bool canFold) =>
        MergePlan.TryCreate(graph, inputs, request.Recipe.Carried, out var plan, out var problems)
            ? plan
            : throw new JobFailureException("not-mergeable", string.Join(' ', problems.Select(p => Describe(p, graph) + DoraInputs.Hint(p, request.BaseModel, canFold))));

    private static string Describe(MergeProblem problem, MergeGraph graph) =>
        problem.Input is { } input ? $"[{problem.Code}] {graph.Leaves[input]}: {problem.Message}" : $"[{problem.Code}] {problem.Message}";

    private static IEnumerable<MergedModule> Noted(IEnumerable<MergedModule> modules, List<ModuleReport> reports)
    {
        foreach (var module in modules)
        {
            reports.Add(module.Report);
            yield return module;
        }
    }

    private static ServingExport Export(DerivationRequest request, OpenAdapters inputs, IEnumerable<MergedModule> modules, string folder)
    {
        if (!ServingOptions.ResolveType(request.Recipe.Dtype, inputs.FactorTypes, out var type))
            throw new JobFailureException("self-check-failed", $"'{request.Recipe.Dtype}' is not a type that factors are written in.");
        var options = ServingOptions.For(request.BaseModel, type, [.. inputs.Select(a => a.Config)]);
        if (!ServingExport.TryCreate(modules, options, out var export, out var problems))
            throw SelfCheckFailed(problems);
        export.Save(folder);
        using var reloaded = AdapterReader.Open(Path.Combine(folder, RepositoryPath.Config), Path.Combine(folder, RepositoryPath.Weights));
        return export.Check(reloaded) is { IsEmpty: false } differing ? throw SelfCheckFailed(differing) : export;
    }

    private static JobFailureException SelfCheckFailed(IEnumerable<ExportProblem> problems) =>
        new("self-check-failed", string.Join(' ', problems.Select(p => $"[{p.Code}] {p.Message}")));

    private async Task<VersionRecord> PublishAsync(
        DerivationRequest request, JobRecord job, string key, string folder, Lineage lineage, CancellationToken cancellationToken)
    {
        string[] names = [RepositoryPath.Card, RepositoryPath.Config, RepositoryPath.Weights];
        var report = AdapterValidator.Validate([.. names.Select(n => AdapterFile.FromFile(n, Path.Combine(folder, n)))]);
        if (!report.Accepted)
            throw new JobFailureException("self-check-failed", string.Join(' ', report.Issues.Select(i => $"[{i.Code}] {i.Path}: {i.Message}")));
        await storage.Reports.PutAsync(key, report.ToJson(), cancellationToken);

        var publication = new Publication(AdapterId.Parse(request.Output.Adapter), job.Owner, request.Output.Private, key, Message: request.Recipe.Notes, Lineage: lineage, BegunAt: job.StartedAt);
        ImmutableArray<string> warnings = [.. report.Issues.Where(i => i.Severity == IssueSeverity.Warning).Select(i => i.Code).Distinct()];
        return await publisher.PublishAsync(folder, report, warnings, publication, cancellationToken) switch
        {
            PublishOutcome.Published published => published.Version,
            PublishOutcome.QuotaExceeded full => throw new JobFailureException("quota-exceeded", full.Excess.ToString()),
            PublishOutcome.InputTakenDown { Input: var input } => throw JobInputs.TakenDown(input),
            PublishOutcome.InputDeleted { Input: var input } => throw JobInputs.Deleted(input),
            PublishOutcome.Deleted => throw new JobFailureException("deleted", $"'{request.Output.Adapter}' was deleted while this was made; asked for again, it is made as a new adapter."),
            PublishOutcome.TakenDown => throw new JobFailureException("taken-down", $"'{request.Output.Adapter}' was taken down; nothing is published to it."),
            _ => throw new JobFailureException("forbidden", $"The name '{request.Output.Adapter}' belongs to another account."),
        };
    }

    private static Lineage Lineage(DerivationRequest request, string? kernel, LearnedComposition? learned) => new(
        request.Method,
        [.. request.Inputs.Select((input, i) => new LineageParent(AdapterId.Parse(input.Adapter), input.Number, input.VersionId, learned?.Weights[i] ?? input.Weight, input.Role))],
        request.ToJson(), kernel);
}
