using Marketplace.Cli.Client;
using Marketplace.Cli.Commands;
using Marketplace.Cli.Output;
using Marketplace.Cli.Publishing;
using Marketplace.Core;
using Marketplace.Core.Api;
using Marketplace.Core.Formats;
using Marketplace.Core.Merges;
using Spectre.Console;

namespace Marketplace.Cli.Demo;

/// <summary>The main job over HTTP, step by step; each step ends the demo unless what it claims was checked.</summary>
internal sealed partial class DemoRun(MarketplaceClient client, MarketplaceClient admin, Terminal terminal, SampleLibrary samples, string workFolder, DemoResult result)
{
    /// <summary>The account that publishes.</summary>
    public const string Owner = "demo";

    private const int SvdRank = 8;

    private readonly IAnsiConsole display = terminal.Json ? terminal.Error : terminal.Out;
    private readonly List<VersionReference> published = [];

    /// <summary>Runs all steps.</summary>
    public async Task Run(CancellationToken ct)
    {
        await PublishLibrary(ct);
        await RefuseBroken(ct);
        var snapshot = await Cluster(ct);
        await SubtractGeneral(ct);
        await BuildLibrary(snapshot, ct);
        await Route(ct);
        await RecogniseCopy(snapshot, ct);
        var merges = await Merge(ct);
        await DownloadAndVerify(merges, ct);
        await RegisterBase(ct);
        await Evaluate([.. merges.Select(m => m.Result)], ct);
    }

    private async Task PublishLibrary(CancellationToken ct)
    {
        Step("Publishing the sample library");
        foreach (var path in samples.Good)
        {
            var folder = PublishFolder.Open(path);
            var issues = LocalValidation.Run(folder);
            DemoCheck.That(issues.All(i => i.Severity != "error"), $"{path} is not valid here.");
            var (files, outcome) = await Publish(folder, ct);
            DemoCheck.That(outcome.Published, $"{path} was not published: {outcome.Status.State}.");
            var version = await client.GetVersion(Name(path), ct);
            DemoCheck.That(
                version.Number == 1 && version.Files.Select(f => (f.Path, f.Sha256)).ToHashSet().SetEquals(files.Files.Select(f => (f.Path, f.Digest.Hex))),
                $"{version.Adapter} does not have the digests that were sent.");
            published.Add(outcome.Status.Version!);
            terminal.Say($"{Tables.Name(outcome.Status.Version!)}: {Units.Bytes(files.TotalBytes)}, digests as sent");
            result.Published++;
        }

        display.Write(Tables.Adapters(await client.ListAdapters(new AdapterFilter(Owner), ct).ToListAsync(ct)));
    }

    private async Task RefuseBroken(CancellationToken ct)
    {
        Step("Publishing two broken adapters without looking first: the service refuses them");
        foreach (var path in samples.Broken)
        {
            var folder = PublishFolder.Open(path);
            var (_, outcome) = await Publish(folder, ct);
            var refused = Errors(outcome.Status.Issues ?? []);
            DemoCheck.That(outcome.Status.State == "rejected" && refused.Count > 0, $"{path} was not refused: {outcome.Status.State}.");
            DemoCheck.That(refused.SetEquals(Errors(LocalValidation.Run(folder))), $"The service and this program find different errors in {path}.");
            DemoCheck.That(!await Exists(Name(path), ct), $"{path} was refused, and yet it is there.");
            display.Write(Tables.Issues(outcome.Status.Issues!, most: 2).Title(Path.GetFileName(path)));
            result.Rejected++;
        }
    }

    private async Task<List<(MergeRecipe Request, DerivedResult Result)>> Merge(CancellationToken ct)
    {
        Step("Merging the six task adapters in four ways");
        var inputs = samples.Tasks.Select(t => RecipeInput.Of($"{Owner}/{t}")).ToList();
        MergeRecipe[] requests =
        [
            new("linear", inputs, new OutputRequest($"{Owner}/all-tasks-linear")),
            new("svd", inputs, new OutputRequest($"{Owner}/all-tasks-svd"), Rank: SvdRank),
            new MergeRecipe("ties", inputs, new OutputRequest($"{Owner}/all-tasks-ties"), Rank: SvdRank).With("density", 0.3),
            new MergeRecipe("knots", inputs, new OutputRequest($"{Owner}/all-tasks-knots"), Rank: SvdRank).With("density", 0.3),
        ];
        var jobs = await Task.WhenAll(requests.Select(r => client.RequestMerge(r, ct)));
        var merges = new List<(MergeRecipe, DerivedResult)>();
        foreach (var (request, started) in requests.Zip(jobs))
        {
            var derived = JobOutput.Derived(Succeeded(await JobOutput.Wait(terminal, client, started, ct)))!;
            var version = await client.GetVersion(AdapterReference.Parse(derived.Version.Adapter), ct);
            DemoCheck.That(
                version.Lineage is { } lineage && lineage.Method == request.Method && lineage.Parents.Count == inputs.Count,
                $"{version.Adapter} does not say what it was made from.");
            merges.Add((request, derived));
            result.Merged++;
        }

        return merges;
    }

    private async Task DownloadAndVerify(List<(MergeRecipe Request, DerivedResult Result)> merges, CancellationToken ct)
    {
        Step("Downloading the merged adapters, verifying digests, and merging once more here to compare");
        var table = Tables.Create("merged", "method", "rank", "discarded, as reported", "error against the reference");
        var inputs = new List<Adapter>();
        try
        {
            foreach (var task in samples.Tasks)
                inputs.Add(await Download(Published(task), ct));
            foreach (var (request, derived) in merges)
            {
                using var merged = await Download(derived.Version, ct);
                var (error, discarded) = DerivedCheck.AgainstReference(merged, request, inputs);
                DemoCheck.That(
                    error <= DerivedCheck.Tolerance(request) && Math.Abs(discarded - derived.RelativeDiscarded) <= DerivedCheck.Tolerance(request),
                    $"{derived.Version.Adapter} differs from the reference by {error:0.0e+0}, and says it discarded {derived.RelativeDiscarded:0.0e+0} instead of {discarded:0.0e+0}.");
                table.Row(
                    Tables.Name(derived.Version), request.Method, $"{derived.Rank}", Units.Scientific(derived.RelativeDiscarded), Units.Scientific(error));
            }
        }
        finally
        {
            inputs.ForEach(i => i.Dispose());
        }

        display.Write(table);
        result.DownloadVerified = true;
    }

    private async Task<(PublishFolder Folder, PublishOutcome Outcome)> Publish(PublishFolder folder, CancellationToken ct)
    {
        folder = await ProgressBars.Run(terminal, bytes: true, bars => folder.Hash(bars.Add("hashing", folder.TotalBytes), ct));
        var outcome = await new AdapterPublisher(client, terminal).Publish(Name(folder.Directory).Id, folder, new PublishOptions(), ct);
        return (folder, outcome);
    }

    // The download verifies every file's digest; a second call finds the files and verifies them again.
    private async Task<Adapter> Download(VersionReference reference, CancellationToken ct)
    {
        var folder = Path.Combine(workFolder, "downloads", $"{reference.Adapter.Replace('/', '_')}-{reference.Number}");
        var version = await client.GetVersion(new AdapterReference(AdapterId.Parse(reference.Adapter), reference.Id), ct);
        await new VersionDownload(client, version, folder).Run(_ => { }, ct);
        return AdapterReader.Open(folder);
    }

    private async Task<bool> Exists(AdapterReference adapter, CancellationToken ct)
    {
        try
        {
            await client.GetAdapter(adapter, ct);
            return true;
        }
        catch (ApiException e) when (e.ExitCode == ExitCode.NotFound)
        {
            return false;
        }
    }

    private VersionReference Published(string name) => published.Single(p => p.Adapter == $"{Owner}/{name}");

    private static JobView Succeeded(JobView job)
    {
        DemoCheck.That(job.Status == "succeeded", $"The {job.Kind} {job.JobId} {job.Status}: {job.Detail} ({job.Code}).");
        return job;
    }

    private static HashSet<(string Code, string? Path)> Errors(IEnumerable<IssueView> issues) =>
        [.. issues.Where(i => i.Severity == "error").Select(i => (i.Code, i.Path))];

    private static AdapterReference Name(string path) => AdapterReference.Parse($"{Owner}/{Path.GetFileName(path)}");

    private void Step(string title) => display.MarkupLine($"\n[bold]{Markup.Escape(title)}[/]");
}
