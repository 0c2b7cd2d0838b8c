using System.Globalization;
using Marketplace.Cli.Output;
using Marketplace.Core.Analysis;
using Spectre.Console;

namespace Marketplace.Cli.Commands;

/// <summary>The analysis of a version for people.</summary>
internal static class AnalysisOutput
{
    public static void Show(IAnsiConsole console, AdapterStatistics analysis)
    {
        var table = Tables.Create("module", "shape", "rank", "|ΔW|", "largest σ", "smallest σ", "stable rank", "effective rank", "notes");
        foreach (var m in analysis.Modules)
        {
            var notes = m.SpectralNorm == 0 ? "changes nothing" : m.Degenerate ? "no one direction" : m.NumericalRank < m.SingularValues.Length ? $"rank {m.NumericalRank} in fact" : "";
            table.Row(
                m.Module, $"{m.Out}×{m.In}", $"{m.Rank}", Number(m.Norm), Number(m.SpectralNorm), Number(m.SingularValues.LastOrDefault()), Units.Number(m.StableRank),
                Units.Number(m.EffectiveRank), notes);
        }

        console.Write(table);
        console.WriteLine(
            $"{analysis.Modules.Length} modules, {analysis.Parameters} parameters: |ΔW| {Number(analysis.Norm)}, largest σ {Number(analysis.SpectralNorm)}, " +
            $"mean stable rank {Units.Number(analysis.MeanStableRank)}, mean effective rank {Units.Number(analysis.MeanEffectiveRank)}; " +
            $"{analysis.ZeroModules} change nothing, {analysis.DegenerateModules} have no one direction");
    }

    private static string Number(double value) => value.ToString("g4", CultureInfo.InvariantCulture);
}
