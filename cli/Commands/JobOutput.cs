using System.CommandLine;
using System.Text.Json;
using Marketplace.Cli.Client;
using Marketplace.Cli.Output;
using Marketplace.Core.Api;
using Spectre.Console;

namespace Marketplace.Cli.Commands;

/// <summary>How commands that lead to a job wait for it and show it.</summary>
internal static class JobOutput
{
    public static readonly Option<bool> NoWait = new("--no-wait") { Description = "Don't wait for the job; `marketplace job watch` follows it later" };

    /// <summary>Waits unless told not to, and writes the job as the command's result.</summary>
    public static async Task<int> Finish(Call call, MarketplaceClient client, JobView job, CancellationToken ct)
    {
        if (!call.Get(NoWait))
        {
            if (!JobWatch.IsOver(job))
                call.Terminal.Say($"Job {job.JobId} is {job.Status}.");
            job = await Wait(call.Terminal, client, job, ct);
        }

        call.Terminal.Result(job, console => Show(console, job));
        return job.Status is "failed" or "cancelled" ? ExitCode.Refused : ExitCode.Ok;
    }

    /// <summary>Waits for the job's end with a progress bar.</summary>
    public static Task<JobView> Wait(Terminal terminal, MarketplaceClient client, JobView job, CancellationToken ct) =>
        ProgressBars.Run(terminal, bytes: false, bars =>
        {
            var bar = bars.Add(job.Kind, 1);
            return client.WaitForJob(job, state => Report(bar, state), ct);
        });

    /// <summary>The published version of a merge, a subtraction or a composition.</summary>
    public static DerivedResult? Derived(JobView job) =>
        job is { Status: "succeeded", Kind: "merge" or "subtraction" or "composition", Result: { } result } ? ApiConnection.Parse<DerivedResult>(result.GetRawText()) : null;

    /// <summary>A job for people.</summary>
    public static void Show(IAnsiConsole console, JobView job)
    {
        var grid = new Grid().AddColumn().AddColumn();
        void Line(string name, string? value)
        {
            if (!string.IsNullOrEmpty(value))
                grid.AddRow(new Text(name, new Style(decoration: Decoration.Bold)), new Text(value));
        }

        Line("job", job.JobId);
        Line("kind", job.Kind);
        Line("status", job.Status + (job.Attempt > 1 ? $" (attempt {job.Attempt})" : ""));
        Line("progress", job.Progress is { } p && !JobWatch.IsOver(job) ? $"{p.Done} of {p.Total} {p.Current}" : null);
        Line("failed with", job.Code);
        Line("because", job.Detail);
        if (Derived(job) is { } result)
        {
            Line("published", Tables.Name(result.Version));
            Line("rank", $"{result.Rank} in {result.Modules} modules");
            Line("discarded", $"{Units.Scientific(result.RelativeDiscarded)} of |ΔW|");
            if (result.Learned is { } learned)
            {
                Line("learned", $"{learned.Numbers} numbers by {learned.Method}, in {learned.Steps} steps, from {learned.Examples} examples");
                Line("on examples", $"{(learned.HeldOut > 0 ? $"{learned.HeldOut} that were held out" : "the same ones")}: loss {Units.Number(learned.Before.Loss)} → {Units.Number(learned.After.Loss)}"
                    + (learned.After.Accuracy is { } after ? $", accuracy {learned.Before.Accuracy:0%} → {after:0%}" : ""));
            }

            Line("took", $"{Units.Number(result.Seconds)} s");
            Line("not merged", string.Join('\n', result.NotMerged));
            Line("folded", string.Join('\n', result.Folded ?? []));
        }
        else if (CollectionOutput.Of(job) is null && EvaluationTable.Of(job) is null && job.Result is { ValueKind: not JsonValueKind.Null } other)
        {
            Line("result", other.GetRawText());
        }

        console.Write(grid);
        if (CollectionOutput.Of(job) is { } collected)
            CollectionOutput.Show(console, collected);
        if (EvaluationTable.Of(job) is { } evaluated)
            EvaluationTable.Show(console, evaluated);
    }

    private static void Report(ProgressBars.Bar bar, JobView state)
    {
        if (state.Progress is { } p)
            bar.Report(p.Done, p.Total, string.IsNullOrEmpty(p.Current) ? state.Kind : $"{state.Kind}: {p.Current}");
    }
}
