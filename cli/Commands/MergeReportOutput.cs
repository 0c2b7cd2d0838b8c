using Marketplace.Cli.Output;
using Marketplace.Core.Api;
using Spectre.Console;

namespace Marketplace.Cli.Commands;

/// <summary>How a merge report looks as tables.</summary>
internal static class MergeReportOutput
{
    private const int MostModules = 8;

    public static void Show(IAnsiConsole console, MergeReportView report)
    {
        var grid = new Grid().AddColumn().AddColumn();
        void Line(string name, string? value)
        {
            if (!string.IsNullOrEmpty(value))
                grid.AddRow(new Text(name, new Style(decoration: Decoration.Bold)), new Text(value));
        }

        Line("merged by", report.Method);
        Line("kernel", report.Kernel);
        Line("recipe", report.RecipeDigest);
        Line("rank", $"{report.Rank} in {report.Modules.Count} modules");
        Line("|ΔW|", Units.Number(report.Norm));
        Line("discarded", $"{Units.Scientific(report.RelativeDiscarded)} of |ΔW|");
        if (report.Modules.MaxBy(m => m.Crosstalk) is { Crosstalk: { } crosstalk } worst)
            Line("crosstalk", $"at most {Units.Number(crosstalk)}, at {worst.Module}");
        if (report.General is { } general)
        {
            Line("|target|", $"{Units.Number(general.Target)}, {Units.Number(general.Removed)} removed, {Units.Number(general.Residual)} left: {general.EnergyRemoved:0.0%} of its energy");
            Line("general", $"{general.Share:0.0%} of the target ({general.InputShare:0.0%} of what it reads, {general.OutputShare:0.0%} of what it writes), cosine {Units.Number(general.Cosine)}");
        }

        Line("took", $"{Units.Number(report.Seconds)} s, at most {Units.Bytes(report.PeakMemoryBytes)} of memory");
        console.Write(grid);
        console.Write(Parents(report));
        console.Write(Modules(report));
        if (report.Learned is { } learned)
            console.Write(Learned(learned));
        if (report.General is not null)
            console.Write(General(report));
        foreach (var parent in report.Parents.Where(p => p.NotMerged.Count > 0))
            console.WriteLine($"not merged of {Name(parent)}: {string.Join(", ", parent.NotMerged)}");
    }

    private static Table Parents(MergeReportView report)
    {
        var table = Tables.Create("parent", "|ΔW|", "cosine with the result", "share of the result");
        foreach (var parent in report.Parents)
            table.Row(Name(parent), Units.Number(parent.Norm), Units.Number(parent.Cosine), $"{parent.Share:0.0%}");
        return table;
    }

    private static Table Learned(CompositionReport report)
    {
        var table = Tables.Create("learned for", "of", "numbers", "mean", "deviation");
        foreach (var learned in report.Coefficients.OrderByDescending(c => Math.Abs(c.Mean)).Take(2 * MostModules))
            table.Row(learned.Group, learned.Source ?? "all", $"{learned.Count}", Units.Number(learned.Mean), Units.Number(learned.Deviation));
        return table;
    }

    private static Table Modules(MergeReportView report)
    {
        var table = Tables.Create("modules that lost most", "rank", "|ΔW|", "discarded", "share by parent", "seconds");
        foreach (var module in report.Modules.OrderByDescending(m => m.RelativeDiscarded).Take(MostModules))
        {
            table.Row(
                module.Module, module.RankIn is { } rank ? $"{rank} → {module.RankOut}" : $"{module.RankOut}", Units.Number(module.Norm),
                Units.Scientific(module.RelativeDiscarded), string.Join(", ", module.Parents.Select(p => p is null ? "–" : $"{p.Share:0.0%}")),
                module.Seconds is { } seconds ? Units.Number(seconds) : "");
        }

        return table;
    }

    private static Table General(MergeReportView report)
    {
        var table = Tables.Create("most general modules", "|target|", "|removed|", "|left|", "energy removed", "cosine", "general", "reads", "writes");
        foreach (var module in report.Modules.Where(m => m.General is not null).OrderByDescending(m => m.General!.Share).Take(MostModules))
        {
            var g = module.General!;
            table.Row(
                module.Module, Units.Number(g.Target), Units.Number(g.Removed), Units.Number(g.Residual), $"{g.EnergyRemoved:0.0%}", Units.Number(g.Cosine),
                $"{g.Share:0.0%}", $"{g.InputShare:0.0%}", $"{g.OutputShare:0.0%}");
        }

        return table;
    }

    private static string Name(MergeParentView parent) => string.Join(" = ", parent.Versions.Select(Tables.Name));
}
