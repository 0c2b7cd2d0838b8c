using System.CommandLine;
using System.Text.Json;
using Marketplace.Cli.Output;
using Marketplace.Core.Analysis;
using Marketplace.Core.Api;
using Marketplace.Core.Methods;
using Spectre.Console;

namespace Marketplace.Cli.Commands;

/// <summary><c>marketplace show</c>.</summary>
internal static class ShowCommand
{
    private static readonly Argument<string> Adapter = new("adapter") { Description = "owner/name, or owner/name@revision" };
    private static readonly Option<bool> Report = new("--report") { Description = "With the validation report" };

    private static readonly Option<bool> Analysis = new("--analysis") { Description = "With norms, spectra and ranks, module by module" };

    private static readonly Option<bool> MergeReport = new("--merge-report") { Description = "With what became of the merge that made it" };

    public static Command Create()
    {
        var command = new Command("show", "Show an adapter, its versions, files and lineage") { Adapter, Report, Analysis, MergeReport };
        command.Does(Run);
        return command;
    }

    private static async Task<int> Run(Call call, CancellationToken ct)
    {
        var reference = call.Adapter(call.Get(Adapter));
        var client = call.Connect();
        var adapter = await client.GetAdapter(reference, ct);
        var version = await client.GetVersion(reference, ct);
        var versions = await client.ListVersions(reference, ct).ToListAsync(ct);
        var cluster = adapter.BaseModel is null ? null : await client.FindCluster(reference, ct);
        JsonElement? report = call.Get(Report) ? await client.GetReport(reference, ct) : null;
        var merge = call.Get(MergeReport) ? await client.GetMergeReport(reference, ct) : null;
        var analysis = call.Get(Analysis) ? await client.GetAnalysis(reference, ct) : null;
        call.Terminal.Result(new ShowOutput(adapter, version, versions, report, merge, analysis, cluster), console =>
        {
            Summary(console, adapter, version, cluster);
            console.Write(Files(version));
            if (version.Lineage is { } lineage)
                console.Write(Lineage(lineage));
            console.Write(Versions(versions));
            if (report is { } r)
                console.WriteLine(JsonSerializer.Serialize(r, Terminal.Indented));
            if (analysis is not null)
                AnalysisOutput.Show(console, analysis);
            if (merge is not null)
                MergeReportOutput.Show(console, merge);
        });
        return ExitCode.Ok;
    }

    private static void Summary(IAnsiConsole console, AdapterView a, VersionView version, AdapterClusterView? cluster)
    {
        var grid = new Grid().AddColumn().AddColumn();
        void Line(string name, string? value)
        {
            if (!string.IsNullOrEmpty(value))
                grid.AddRow(new Text(name, new Style(decoration: Decoration.Bold)), new Text(value));
        }

        Line("adapter", a.Id + (a.Private ? " (private)" : "") + (a.Listed ? "" : " (unlisted)"));
        Line("base model", a.BaseModel ?? $"{a.BaseModelName}: not known, so the adapter is in no library. `marketplace base-models confirm` tells what it stands for.");
        Line("spelled", a.BaseModel is null || a.BaseModel == a.BaseModelName ? null : a.BaseModelName);
        Line("shape", $"rank {a.Rank}, {a.Modules} modules, {a.Dtype}, {Units.Bytes(a.SizeBytes)}");
        Line("cluster", cluster is null ? null : Cluster(cluster));
        if (version.Serving is { } serving)
        {
            Line("on vLLM", Serves(serving.Vllm, $"yes, with --max-lora-rank {serving.MaxLoraRank} or more"));
            Line("on LoRAX", Serves(serving.Lorax, "yes"));
        }

        Line("made by", a.DerivedBy);
        Line("taken down", Taints(a.TaintedBy));
        Line("warnings", string.Join(", ", a.Warnings));
        Line("licence", a.License);
        Line("tags", string.Join(", ", a.Tags));
        Line("task", a.PipelineTag);
        Line("languages", string.Join(", ", a.Languages ?? []));
        Line("datasets", string.Join(", ", a.Datasets ?? []));
        Line("published", $"{Units.Time(a.CreatedAt)}, changed {Units.Time(a.UpdatedAt)}");
        console.Write(grid);
    }

    private static string Serves(IReadOnlyList<ServingProblem> problems, string yes) =>
        problems.Count == 0 ? yes : string.Join('\n', problems.Select(p => $"no ({ApiJson.Name(p.Effect)}): {p.Message}"));

    private static string? Taints(IReadOnlyList<TaintView>? taints) => taints is null ? null : string.Join(
        '\n', taints.Select(t => $"it was made from {t.Adapter ?? "an adapter"}, which was taken down {Units.Time(t.At)} ({t.Reason}){(t.Message is null ? "" : $": {t.Message}")}"));

    private static string Cluster(AdapterClusterView c) => c.Role switch
    {
        "zero" => $"zero: it changes nothing (snapshot {c.SnapshotId})",
        "excluded" => $"left out of snapshot {c.SnapshotId}: {c.Reason}",
        _ => $"{c.Cluster}, cosine {Units.Number(c.CentreCosine ?? 0)} to its centre ({(c.Role == "arrival" ? $"arrived since{(c.Outlier ? ", an outlier" : "")}; " : "")}snapshot {c.SnapshotId})",
    };

    private static Table Files(VersionView version)
    {
        var table = Tables.Create($"files of version {version.Number}", "size", "SHA-256");
        foreach (var file in version.Files)
            table.Row(file.Path, Units.Bytes(file.Size), file.Sha256);
        return table;
    }

    private static Table Lineage(LineageView lineage)
    {
        var table = Tables.Create($"made by {lineage.Method} from", "weight", "as");
        foreach (var parent in lineage.Parents)
            table.Row(Tables.Name(parent.Version) + (parent.TakenDown ? ", taken down" : ""), Units.Number(parent.Weight), parent.Role);
        return table;
    }

    private static Table Versions(IEnumerable<VersionView> versions)
    {
        var table = Tables.Create("version", "id", "published", "by", "message");
        foreach (var v in versions)
            table.Row($"{v.Number}", v.Id, Units.Time(v.CreatedAt), v.PublishedBy, v.Message);
        return table;
    }

    private sealed record ShowOutput(AdapterView Adapter, VersionView Version, IReadOnlyList<VersionView> Versions, JsonElement? Report, MergeReportView? MergeReport,
        AdapterStatistics? Analysis, AdapterClusterView? Cluster);
}
