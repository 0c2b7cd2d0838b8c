using Marketplace.Cli.Client;
using Marketplace.Cli.Output;
using Marketplace.Core.Api;
using Spectre.Console;

namespace Marketplace.Cli.Commands;

/// <summary>Scores as a table: a line for each subject, a column for each set.</summary>
internal static class EvaluationTable
{
    /// <summary>What an evaluation job found; null of other jobs, and of those that are not done.</summary>
    public static EvaluationJobResult? Of(JobView job) =>
        job is { Kind: "evaluation", Status: "succeeded", Result: { } result } ? ApiConnection.Parse<EvaluationJobResult>(result.GetRawText()) : null;

    /// <summary>The table, and what could not be scored.</summary>
    public static void Show(IAnsiConsole console, EvaluationJobResult result)
    {
        var sets = result.Rows.Select(r => r.Set).Distinct().ToList();
        var metrics = sets.ToDictionary(s => s, s => ApiJson.Name(result.Rows.First(r => r.Set == s).Metric));
        var table = Tables.Create(["subject", .. sets.Select(s => $"{s} {metrics[s]}")]);
        foreach (var subject in result.Rows.GroupBy(r => r.Index))
        {
            var cells = subject.ToLookup(r => r.Set);
            table.Row([subject.First().Subject, .. sets.Select(s => cells[s].FirstOrDefault() is { } r ? $"{Units.Number(r.Value)} [{Units.Number(r.Low)}, {Units.Number(r.High)}]" : "")]);
        }

        console.Write(table);
        console.WriteLine($"{result.BaseModel} {result.BaseDigest[..12]}; {result.Rows.Count} results, {result.Reused} of them there before; {Units.Number(result.Seconds)} s. In brackets: 95 % intervals.");
        foreach (var refused in result.Refused)
            console.WriteLine($"{refused.Subject} could not be scored ({refused.Code}): {refused.Message}");
    }
}
