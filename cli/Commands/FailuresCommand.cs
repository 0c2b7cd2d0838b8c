using System.CommandLine;
using Marketplace.Cli.Output;
using Spectre.Console;

namespace Marketplace.Cli.Commands;

/// <summary><c>marketplace failures</c>: what went wrong, for whoever runs the service.</summary>
internal static class FailuresCommand
{
    private static readonly Option<int> Days = new("--days") { Description = "How far back to look", DefaultValueFactory = _ => 7 };
    private static readonly Argument<string> Id = new("id") { Description = "Id of a failed job, or of an upload whose validation failed" };

    public static Command Create()
    {
        var list = new Command("list", "List failed jobs and uploads of all accounts, and the queues") { Days };
        list.Does(List);
        var retry = new Command("retry", "Start the next attempt at a failed job, or validate an upload again") { Id };
        retry.Does(Retry);
        return new Command("failures", "See what failed and try it again; needs an admin key") { list, retry };
    }

    private static async Task<int> List(Call call, CancellationToken ct)
    {
        var found = await call.Connect(admin: true).ListFailures(call.Get(Days), ct);
        call.Terminal.Result(found, console =>
        {
            var queues = Tables.Create("queue", "messages", "poison");
            foreach (var queue in found.Queues)
                queues.Row(queue.Queue, $"{queue.Messages}", $"{queue.Poison}");
            console.Write(queues);
            if (found.Items.Count == 0)
                return;
            var table = Tables.Create("what", "id", "owner", "code", "attempt", "when", "why");
            foreach (var item in found.Items)
                table.Row($"{item.Kind} {item.What}", item.Id, item.Owner, item.Code, $"{item.Attempt}", Units.Time(item.At), item.Detail);
            console.Write(table);
        });
        return ExitCode.Ok;
    }

    // Ids of uploads have 32 digits, those of jobs 64.
    private static async Task<int> Retry(Call call, CancellationToken ct)
    {
        var (client, id) = (call.Connect(admin: true), call.Get(Id));
        if (id.Length == 32)
        {
            var upload = await client.RetryUpload(id, ct);
            call.Terminal.Result(upload, console => console.WriteLine($"The upload {upload.UploadId} is {upload.State} again."));
            return ExitCode.Ok;
        }

        var job = await client.RetryJob(id, ct);
        call.Terminal.Result(job, console => JobOutput.Show(console, job));
        return ExitCode.Ok;
    }
}
