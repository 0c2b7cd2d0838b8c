using Marketplace.Cli.Output;
using Marketplace.Core.Api;
using Marketplace.Core.Evaluation;
using Spectre.Console;

namespace Marketplace.Cli.Commands;

/// <summary>How evaluation sets and scores look to people.</summary>
internal static class EvaluationOutput
{
    private const int IdChars = 12;

    /// <summary>A list of sets.</summary>
    public static Table Sets(IEnumerable<EvaluationSetView> sets)
    {
        var table = Tables.Create("set", "version", "kind", "metric", "items", "size", "description", "");
        foreach (var s in sets)
        {
            table.Row(
                s.Id, $"{s.Main.Number}", ApiJson.Name(s.Main.Header.Kind), ApiJson.Name(s.Main.Header.Metric), $"{s.Main.Items}", Units.Bytes(s.Main.Bytes), s.Main.Header.Description,
                string.Join(", ", [.. s.Private ? ["private"] : Array.Empty<string>(), .. s.Listed ? [] : new[] { "unlisted" }]));
        }

        return table;
    }

    /// <summary>One set with its versions.</summary>
    public static void Show(IAnsiConsole console, EvaluationSetView set, IReadOnlyList<EvaluationSetVersionView> versions)
    {
        console.Write(Sets([set]));
        var table = Tables.Create("version", "items", "digest", "published", "by", "message");
        foreach (var v in versions)
            table.Row($"{v.Number}", $"{v.Items}", v.Digest, Units.Time(v.CreatedAt), v.PublishedBy, v.Message);
        console.Write(table);
        if (set.Main.Header.Licence is { } licence)
            console.WriteLine($"licence: {licence}");
    }

    /// <summary>A leaderboard.</summary>
    public static void Show(IAnsiConsole console, LeaderboardView board)
    {
        var table = Tables.Create("rank", "subject", ApiJson.Name(board.Metric), "95 %", "evaluation");
        foreach (var row in board.Rows)
            table.Row($"{row.Rank}", row.Label, Value(row.Score.Value), Interval(row.Score.Low, row.Score.High), row.Evaluation);
        console.Write(table);
        console.WriteLine($"{board.BaseModel} on {board.Set.Set}@{board.Set.Number}; {board.Candidates} candidates were looked at");
        if (board.Certificate is not { } sure)
            return;
        console.WriteLine(
            $"with {1 - sure.Delta:0.##%} confidence the best of {sure.Candidates} on {sure.Examples} items is right in at least {sure.Lower:0.0%} of all cases (Clopper–Pearson; within {sure.ExactLow:0.0%} … {sure.ExactHigh:0.0%}, by Hoeffding {sure.HoeffdingLow:0.0%} … {sure.HoeffdingHigh:0.0%})");
    }

    /// <summary>One evaluation.</summary>
    public static void Show(IAnsiConsole console, EvaluationView evaluation)
    {
        var table = Tables.Create("metric", "score", "standard error", "95 %", "correct");
        foreach (var s in evaluation.Scores)
            table.Row(ApiJson.Name(s.Metric), Value(s.Value), Value(s.StandardError), Interval(s.Low, s.High), s.Correct is { } correct ? $"{correct} of {s.Examples}" : "");
        console.Write(table);
        console.WriteLine($"{evaluation.Label}, of {evaluation.BaseModel}, on {evaluation.Set.Set}@{evaluation.Set.Number}: {evaluation.Items} items at {Units.Time(evaluation.CreatedAt)} by kernels {evaluation.Kernel}");
        if (evaluation.Candidates > 1)
            console.WriteLine($"picked from {evaluation.Candidates} candidates that were tried on this set");
    }

    /// <summary>Evaluations held against each other.</summary>
    public static void Show(IAnsiConsole console, EvaluationComparisonView comparison)
    {
        console.Write(Members(comparison.Metric, comparison.Evaluations));
        var table = Tables.Create("pair", "difference", "95 %", "only first", "only second", "p", "p (Holm)", "test");
        foreach (var pair in comparison.Pairs)
        {
            var c = pair.Comparison;
            table.Row(
                $"{pair.First}, {pair.Second}", Value(c.Difference), Interval(c.Low, c.High), $"{c.OnlyFirst}", $"{c.OnlySecond}", P(c.PValue), P(pair.AdjustedPValue), c.Test);
        }

        console.Write(table);
    }

    /// <summary>Ensembles.</summary>
    public static void Show(IAnsiConsole console, EnsembleView ensemble)
    {
        console.Write(Members(Metric.Accuracy, ensemble.Evaluations));
        var table = Tables.Create("way", "held-out accuracy", "95 %", "on the selection", "weights");
        foreach (var row in ensemble.Report.Rows)
            table.Row(row.Way, Value(row.Accuracy), Interval(row.Low, row.High), Value(row.Selection), row.Weights is { } weights ? string.Join(", ", weights.Select(w => $"{w:0.##}")) : "");
        console.Write(table);
        console.WriteLine($"chosen on {ensemble.Report.Selection} items, reported on the other {ensemble.Report.HeldOut}; bestSingle and any look at the held-out answers and bound what can be had");
    }

    private static Table Members(Metric metric, IReadOnlyList<ComparedEvaluation> evaluations)
    {
        var table = Tables.Create("", "subject", ApiJson.Name(metric), "95 %", "base model", "evaluation");
        foreach (var (e, index) in evaluations.Select((e, index) => (e, index)))
            table.Row($"{index}", e.Label, Value(e.Score.Value), Interval(e.Score.Low, e.Score.High), e.BaseModel, e.Evaluation[..IdChars]);
        return table;
    }

    private static string Value(double value) => Units.Number(value);

    private static string Interval(double low, double high) => $"{Units.Number(low)} … {Units.Number(high)}";

    private static string P(double p) => p < 0.001 ? Units.Scientific(p) : Units.Number(p);
}
