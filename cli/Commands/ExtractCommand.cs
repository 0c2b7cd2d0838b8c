using System.CommandLine;
using Marketplace.Cli.Output;
using Marketplace.Core.Extraction;
using Marketplace.Core.Formats;
using Spectre.Console;

namespace Marketplace.Cli.Commands;

/// <summary><c>marketplace extract</c>.</summary>
internal static class ExtractCommand
{
    private static readonly Option<string> Base = ExtractionOutput.Folder("--base", "Folder of the base model, as transformers writes it");

    private static readonly Option<long?> Sparse = new("--sparse")
    {
        Description = $"Instead of an adapter: the so many entries that changed most, as {SparseFile.FileName}",
        HelpName = "entries",
    };

    public static Command Create()
    {
        var command = new Command("extract", "Make an adapter out of a fine-tuned model and its base, here, without a service")
        {
            Base, ExtractionOutput.Tuned, ExtractionOutput.Output, ExtractionOutput.Rank, ExtractionOutput.Energy, ExtractionOutput.BaseName,
            ExtractionOutput.IncludeEmbeddings, ExtractionOutput.SkipBelow, ExtractionOutput.Strict, ExtractionOutput.Dtype, Sparse,
        };
        command.Does(Run);
        return command;
    }

    private static async Task<int> Run(Call call, CancellationToken ct)
    {
        if (call.Get(Sparse) is not null)
            ExtractionOutput.RefuseWith(call, "--sparse");
        var options = ExtractionOutput.Read(call, call.Get(Base)!);
        using var baseModel = ExtractionOutput.Open(call.Get(Base)!);
        using var tuned = ExtractionOutput.Open(call.Get(ExtractionOutput.Tuned)!);
        var folder = ExtractionOutput.CreateOutput(call);
        var (result, show) = await ProgressBars.Run(call.Terminal, bytes: false, bars => Task.Run(
            () => call.Get(Sparse) is { } count
                ? Select(bars, baseModel, tuned, options, count, folder, ct)
                : Extract(bars, baseModel, tuned, options, folder, ct),
            ct));
        call.Terminal.Result(result, show);
        return ExitCode.Ok;
    }

    private static (object, Action<IAnsiConsole>) Extract(
        ProgressBars bars, BaseWeights baseModel, BaseWeights tuned, ExtractionOptions options, string folder, CancellationToken ct)
    {
        var bar = bars.Add("extract", 1);
        if (!LoraExtraction.TryRun(baseModel, tuned, options, out var export, out var report, out var problems, p => bar.Report(p.Done, p.Total, p.Tensor), ct))
            throw ExtractionOutput.Refused("No adapter can be made of these models as asked.", problems);
        ExtractionOutput.Save(export, folder);
        return (report, console =>
        {
            ExtractionOutput.Show(console, report);
            ExtractionOutput.Show(console, report.LeftOut);
            console.MarkupLine($"[green]extracted[/] {report.Modules.Length} modules, rank {export.Report.Rank}, {100 * report.KeptEnergy:0.00} % of |ΔW|² kept, into {Markup.Escape(folder)}");
            if (export.Report.RefusedByServers is { IsEmpty: false } refused)
                console.MarkupLine($"[yellow]note[/] servers refuse {Markup.Escape(string.Join(", ", refused))}; PEFT loads them");
            console.MarkupLine($"[blue]hint[/] `marketplace publish {Markup.Escape(folder)} owner/name` publishes it.");
        }
        );
    }

    private static (object, Action<IAnsiConsole>) Select(
        ProgressBars bars, BaseWeights baseModel, BaseWeights tuned, ExtractionOptions options, long count, string folder, CancellationToken ct)
    {
        var bar = bars.Add("select", 100);
        var delta = SparseConversion.FromModels(
            baseModel, tuned, count, options.IncludeEmbeddings, out var leftOut, out var problems, share => bar.Report((long)(100 * share)), ct);
        if (delta is null)
            throw ExtractionOutput.Refused("No sparse delta can be made of these models as asked.", problems.Select(p => (p.Code, p.Message, p.Tensor)));
        if (options.RefuseRest && leftOut.Length > 0)
            throw ExtractionOutput.Refused("Some changes did not take part.", leftOut.Select(l => (ExtractionProblem.ChangeNotExpressible, l.Message, (string?)l.Tensor)));
        var path = Path.Combine(folder, SparseFile.FileName);
        SparseFile.Save(path, delta);
        var result = new SparseOutput(delta.Count, [.. delta.Tensors.Select(t => new SparseOutputTensor(t.Name, t.Shape, t.Indices.Length))], leftOut);
        return (result, console =>
        {
            var table = Tables.Create("tensor", "shape", "entries", "share");
            foreach (var t in result.Tensors)
                table.Row(t.Tensor, string.Join('×', t.Shape), $"{t.Entries}", $"{100.0 * t.Entries / LinearIndex.Elements(t.Shape.ToArray()):0.00} %");
            console.Write(table);
            ExtractionOutput.Show(console, leftOut);
            console.MarkupLine($"[green]selected[/] {result.Entries} entries into {Markup.Escape(path)}");
        }
        );
    }

    private sealed record SparseOutput(long Entries, IReadOnlyList<SparseOutputTensor> Tensors, IReadOnlyList<LeftOut> LeftOut);

    private sealed record SparseOutputTensor(string Tensor, IReadOnlyList<long> Shape, int Entries);
}
