using System.Text.Json;
using Marketplace.Core;
using Marketplace.Core.Api;
using Marketplace.Core.Merges;
using Marketplace.Core.Methods;
using Marketplace.Functions.Http;
using Marketplace.Storage;
using Marketplace.Storage.Jobs;
using Microsoft.Extensions.Options;

namespace Marketplace.Functions.Routers;

/// <summary>Computes the prototypes of a set of adapters and stores them as a router, named after the job: a repeated delivery writes the same one again.</summary>
public sealed class RunRouterExport(MarketplaceStorage storage, LibraryReader reader, PublishedPrototypes published, IOptions<MarketplaceOptions> options)
{
    internal async Task<string> RunAsync(JobRecord job, JobProgressReporter progress, CancellationToken cancellationToken)
    {
        var request = RouterJobRequest.Parse(job.RequestJson);
        await JobInputs.CheckAsync(storage, request.Experts.Concat(request.General), cancellationToken);
        using var experts = await reader.OpenAllAsync(request.Experts, cancellationToken);
        using var general = await reader.OpenAllAsync(request.General, cancellationToken);
        var plan = Plan(request, experts, general);
        var router = await ComputeAsync(plan, request, experts, progress, cancellationToken);

        progress.Report(experts.Count, experts.Count + 1, "writing");
        using var scratch = new ScratchFolder();
        router.Save(scratch.Path);
        var view = View(job, request, router.Description, [.. new[] { RouterModel.PrototypesFile, RouterModel.DescriptionFile }.Select(name => File(scratch.Path, name))]);
        await storage.Routers.PutAsync(view, scratch.Path, cancellationToken);
        return JsonSerializer.Serialize(new RouterResult(view.Id, view.Rows, view.Degenerate), ApiJson.Options);
    }

    private RouterPlan Plan(RouterJobRequest request, OpenAdapters experts, OpenAdapters general)
    {
        var subtraction = request.General.IsEmpty ? null : new RouterSubtraction(
            [.. request.General.Select(g => g.Name)], [.. request.General.Select(g => g.Weight)], request.Beta, request.Mode);
        var settings = new RouterOptions(request.TopK, request.Temperature, request.Combination, request.UnitInputs) { Ties = [.. request.Ties.Select(t => (IReadOnlyList<string>)t)] };
        if (!RouterPlan.TryCreate([.. request.Experts.Select(e => e.Name)], experts, subtraction, general, settings, out var plan, out var problems))
            throw new JobFailureException("not-routable", string.Join(' ', problems.Select(p => $"[{p.Code}] {Who(request, p)}{p.Message}")));
        return plan.Bytes <= options.Value.MaxRouterBytes ? plan : throw new JobFailureException(
            "not-routable", $"[router-too-large] The prototypes have {plan.Bytes} bytes; routers of up to {options.Value.MaxRouterBytes} are made. Take fewer adapters.");
    }

    private static string Who(RouterJobRequest request, MergeProblem problem) =>
        problem.Input is { } input ? $"{(input < request.Experts.Length ? request.Experts[input] : request.General[input - request.Experts.Length]).Name}: " : "";

    private async Task<RouterModel> ComputeAsync(
        RouterPlan plan, RouterJobRequest request, OpenAdapters experts, JobProgressReporter progress, CancellationToken cancellationToken)
    {
        var computation = plan.Begin();
        try
        {
            for (var e = 0; e < experts.Count; e++)
            {
                progress.Report(e, experts.Count + 1, request.Experts[e].Name);
                var (expert, known) = (e, request.General.IsEmpty ? await published.LoadAsync(request.Experts[e], cancellationToken) : null);
                await Task.Run(() => computation.Add(expert, known, cancellationToken), cancellationToken);
            }
        }
        catch (NotFiniteNumberException e)
        {
            throw new JobFailureException("not-routable", $"[not-finite] {e.Message}");
        }

        return computation.Finish();
    }

    private static RouterView View(JobRecord job, RouterJobRequest request, RouterDescription description, IReadOnlyList<RouterFileView> files)
    {
        var entries = description.Modules.SelectMany(m => m.Experts).ToList();
        return new(
            job.Id[..32], request.Name, job.Owner, request.Private, request.BaseModel, [.. request.Experts.Select(Reference)],
            [.. request.General.Select(g => new WeightedVersion(Reference(g), g.Weight))], request.Beta, Text.Of(request.Mode), description.TopK, description.Temperature,
            Text.Of(description.Combination), description.UnitInputs, description.Modules.Sum(m => m.Members.Length), description.Modules.Length,
            entries.Count(e => e.State == RouterEntryState.Missing), entries.Count(e => e.State == RouterEntryState.Zero), entries.Count(e => e.Degenerate),
            description.LeftOut, files, job.CreatedAt);
    }

    private static RouterFileView File(string folder, string name)
    {
        using var stream = System.IO.File.OpenRead(Path.Combine(folder, name));
        return new(name, stream.Length, Digest.FromHash(System.Security.Cryptography.SHA256.HashData(stream)).Hex);
    }

    private static VersionReference Reference(ResolvedInput input) => new(input.Adapter, input.Number, input.VersionId);
}
