using System.CommandLine;
using Marketplace.Cli.Output;
using Marketplace.Core.Api;
using Spectre.Console;

namespace Marketplace.Cli.Commands;

/// <summary><c>marketplace job</c>.</summary>
internal static class JobCommand
{
    private static readonly Argument<string> Id = new("job") { Description = "The job's id" };

    public static Command Create()
    {
        var list = new Command("list", "List your jobs, newest first");
        list.Does(List);
        var show = new Command("show", "Show a job") { Id };
        show.Does(Show);
        var watch = new Command("watch", "Follow a job to its end") { Id };
        watch.Does(Watch);
        var cancel = new Command("cancel", "Ask a job to stop") { Id };
        cancel.Does(Cancel);
        return new Command("job", "Show, follow and cancel jobs") { list, show, watch, cancel };
    }

    private static async Task<int> List(Call call, CancellationToken ct)
    {
        var jobs = await call.Connect().ListJobs(ct).Take(100).ToListAsync(ct);
        call.Terminal.Result(new ListResponse<JobView>(jobs), console =>
        {
            var table = Tables.Create("job", "kind", "status", "attempt", "asked for", "code");
            foreach (var job in jobs)
                table.Row(job.JobId, job.Kind, job.Status, $"{job.Attempt}", Units.Time(job.CreatedAt), job.Code);
            console.Write(table);
        });
        return ExitCode.Ok;
    }

    private static async Task<int> Show(Call call, CancellationToken ct)
    {
        var job = await call.Connect().GetJob(call.Get(Id), ct);
        call.Terminal.Result(job, console => JobOutput.Show(console, job));
        return ExitCode.Ok;
    }

    private static async Task<int> Watch(Call call, CancellationToken ct)
    {
        var client = call.Connect();
        var job = await client.GetJob(call.Get(Id), ct);
        return await JobOutput.Finish(call, client, job, ct);
    }

    private static async Task<int> Cancel(Call call, CancellationToken ct)
    {
        var job = await call.Connect().CancelJob(call.Get(Id), ct);
        call.Terminal.Result(job, console => JobOutput.Show(console, job));
        return ExitCode.Ok;
    }
}
