using System.CommandLine;
using Marketplace.Cli.Output;
using Marketplace.Core.Api;
using Marketplace.Core.Merges;
using Spectre.Console;

namespace Marketplace.Cli.Commands;

/// <summary><c>marketplace compare</c>.</summary>
internal static class CompareCommand
{
    private const int MostModules = 8;

    private static readonly Argument<string[]> Inputs = new("inputs")
    {
        Description = "Two or more of owner/name[@revision], of one base model",
        Arity = ArgumentArity.OneOrMore,
    };

    private static readonly Option<int?> Rank = new("--rank") { Description = "A rank to foresee the loss of; if absent, the largest of an input and twice that" };

    public static Command Create()
    {
        var command = new Command("compare", "Show before a merge how adapters go together: sizes, angles, signs, ranks, licences") { Inputs, Rank };
        command.Does(Run);
        return command;
    }

    private static async Task<int> Run(Call call, CancellationToken ct)
    {
        string[] inputs = [.. call.Get(Inputs).Select(text => call.Adapter(text).ToString())];
        if (inputs.Length < CompatibilityReport.MinAdapters)
            throw CliException.Usage("A comparison needs two or more adapters.", "Write marketplace compare owner/one owner/two.");
        var view = await call.Connect().Compare(new CompatibilityRequest(inputs, call.Get(Rank)), ct);
        call.Terminal.Result(view, console => Show(console, view));
        return ExitCode.Ok;
    }

    private static void Show(IAnsiConsole console, CompatibilityView view)
    {
        console.Write(Adapters(view));
        console.Write(Pairs(view));
        console.Write(Lowest(view));
        Sum(console, view.Report);
        console.WriteLine($"licence: {view.Licence.Summary}");
        if (view.Report.Warnings.IsEmpty)
            return;
        var table = Tables.Create("severity", "code", "message");
        foreach (var warning in view.Report.Warnings)
            table.Row(warning.Refused ? "refused" : "warning", warning.Code, warning.Message);
        console.Write(table);
    }

    private static Table Adapters(CompatibilityView view)
    {
        var table = Tables.Create("", "adapter", "modules", "rank", "scaling", "|ΔW|", "beside factors", "licence");
        foreach (var (adapter, index) in view.Report.Adapters.Select((adapter, index) => (adapter, index)))
        {
            table.Row(
                $"{index}", adapter.Name, $"{adapter.Modules}", Range(adapter.SmallestRank, adapter.LargestRank), string.Join(", ", adapter.Scalings.Take(4).Select(Units.Number)),
                Units.Number(adapter.Norm), string.Join(", ", adapter.Carried.Select(c => $"{c.Count} {c.Kind}")), view.Licence.Parents[index].Licence ?? "unknown");
        }

        return table;
    }

    private static Table Pairs(CompatibilityView view)
    {
        var table = Tables.Create("pair", "cosine", "modules min … median … max", "same sign", "relative distance", "crosstalk", "inputs shared", "outputs shared", "complementarity", "copies");
        foreach (var pair in view.Report.Pairs)
        {
            table.Row(
                $"{pair.First}, {pair.Second}", Units.Number(pair.Cosine),
                pair.Cosines is { } c ? $"{Units.Number(c.Min)} … {Units.Number(c.Median)} … {Units.Number(c.Max)}" : "",
                pair.Signs is { } s ? $"{s.Agreement:0.0%} ± {s.StandardError:0.0%} of {s.Samples}" : "",
                Units.Number(pair.RelativeDistance), pair.Crosstalk is { } t ? Units.Number(t.Value) : "",
                Share(pair.Spans?.Input), Share(pair.Spans?.Output), Share(pair.Spans?.Complementarity), pair.Duplication == Duplication.None ? "" : pair.Duplication.ToString().ToLowerInvariant());
        }

        return table;
    }

    private static string Share(double? value) => value is { } share ? $"{share:0.0%}" : "";

    private static Table Lowest(CompatibilityView view)
    {
        var table = Tables.Create("modules that disagree most", "lowest cosine", "rank of the sum", "|ΔW| by adapter");
        foreach (var module in view.Report.Modules.Where(m => m.LowestCosine is not null).OrderBy(m => m.LowestCosine).Take(MostModules))
            table.Row(module.Name, Units.Number(module.LowestCosine!.Value), $"{module.SumRank}", string.Join(", ", module.Norms.Select(n => n is { } norm ? Units.Number(norm) : "–")));
        return table;
    }

    private static void Sum(IAnsiConsole console, CompatibilityReport report)
    {
        var kept = string.Join(", ", report.Sum.Kept.Select(k => $"{k.Energy:0.0%} at rank {k.Rank}"));
        console.WriteLine($"modules: {report.Coverage.InAll} in all adapters, {report.Coverage.InSome.Length} in some");
        console.WriteLine($"equal mean: |ΔW| {Units.Number(report.Sum.Norm)}, {Units.Number(report.Sum.NormRatio)} of the adapters' mean; rank {report.Sum.LargestRank} without loss; energy kept {kept}");
    }

    private static string Range(int from, int to) => from == to ? $"{from}" : $"{from}–{to}";
}
