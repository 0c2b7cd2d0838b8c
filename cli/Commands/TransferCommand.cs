using System.CommandLine;
using Marketplace.Cli.Output;
using Marketplace.Core.Extraction;
using Marketplace.Core.Formats;
using Spectre.Console;

namespace Marketplace.Cli.Commands;

/// <summary><c>marketplace transfer</c>.</summary>
internal static class TransferCommand
{
    private static readonly Option<string> Old = ExtractionOutput.Folder("--old", "Folder of the base model that was tuned");

    private static readonly Option<string> New = ExtractionOutput.Folder("--new", "Folder of the new version of the base model");

    private static readonly Option<bool> Full = new("--full") { Description = "Write whole weights, new + (tuned − old), instead of an adapter" };

    public static Command Create()
    {
        var command = new Command("transfer", "Carry a fine-tuning over to a new version of its base model, here, without a service")
        {
            Old, ExtractionOutput.Tuned, New, ExtractionOutput.Output, Full, ExtractionOutput.Rank, ExtractionOutput.Energy, ExtractionOutput.BaseName,
            ExtractionOutput.IncludeEmbeddings, ExtractionOutput.SkipBelow, ExtractionOutput.Strict, ExtractionOutput.Dtype,
        };
        command.Does(Run);
        return command;
    }

    private static async Task<int> Run(Call call, CancellationToken ct)
    {
        if (call.Get(Full))
            ExtractionOutput.RefuseWith(call, "--full");
        var options = ExtractionOutput.Read(call, call.Get(New)!);
        using var old = ExtractionOutput.Open(call.Get(Old)!);
        using var tuned = ExtractionOutput.Open(call.Get(ExtractionOutput.Tuned)!);
        using var renewed = ExtractionOutput.Open(call.Get(New)!);
        var folder = ExtractionOutput.CreateOutput(call);
        var (extraction, report) = await ProgressBars.Run(call.Terminal, bytes: false, bars => Task.Run(
            () => Transfer(call, bars.Add("transfer", 1), old, tuned, renewed, options, folder, ct), ct));
        call.Terminal.Result(new TransferOutput(report.Tensors, report.LeftOut, extraction), console =>
        {
            if (extraction is not null)
                ExtractionOutput.Show(console, extraction);
            var table = Tables.Create("tensor", "|ΔW| ∕ |W new|", "cos(old, new)", "|new − old| ∕ |old|");
            foreach (var t in report.Tensors)
                table.Row(t.Tensor, ExtractionOutput.Share(t.RelativeChange), $"{t.BaseCosine:0.0000}", ExtractionOutput.Share(t.BaseChange));
            console.Write(table);
            ExtractionOutput.Show(console, report.LeftOut);
            console.MarkupLine($"[green]transferred[/] {report.Tensors.Length} tensors into {Markup.Escape(folder)}");
        });
        return ExitCode.Ok;
    }

    private static (ExtractionReport?, TransferReport) Transfer(
        Call call, ProgressBars.Bar bar, BaseWeights old, BaseWeights tuned, BaseWeights renewed, ExtractionOptions options, string folder, CancellationToken ct)
    {
        const string refused = "The fine-tuning can't be carried over as asked.";
        void Report(ExtractionProgress p) => bar.Report(p.Done, p.Total, p.Tensor);
        if (call.Get(Full))
        {
            return FineTuningTransfer.TryWrite(old, tuned, renewed, folder, out var written, out var why, Report, ct)
                ? (null, written)
                : throw ExtractionOutput.Refused(refused, why);
        }

        if (!FineTuningTransfer.TryExtract(old, tuned, renewed, options, out var export, out var extraction, out var report, out var problems, Report, ct))
            throw ExtractionOutput.Refused(refused, problems);
        ExtractionOutput.Save(export, folder);
        return (extraction, report);
    }

    private sealed record TransferOutput(IReadOnlyList<TransferredTensor> Tensors, IReadOnlyList<LeftOut> LeftOut, ExtractionReport? Extraction);
}
