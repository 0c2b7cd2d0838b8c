using System.CommandLine;
using System.Diagnostics;
using Marketplace.Cli.Client;
using Marketplace.Cli.Demo;
using Marketplace.Cli.Local;
using Marketplace.Cli.Output;
using Spectre.Console;

namespace Marketplace.Cli.Commands;

/// <summary><c>marketplace demo</c>.</summary>
internal static class DemoCommand
{
    public static Command Create()
    {
        var command = new Command("demo", "Watch the main job on the sample library: publish, refuse, cluster, subtract, build, route, merge, download, verify, evaluate");
        command.Does(Run);
        return command;
    }

    private static async Task<int> Run(Call call, CancellationToken ct)
    {
        var samples = SampleLibrary.Find();
        var folder = Directory.CreateTempSubdirectory("marketplace-demo-").FullName;
        var result = new DemoResult();
        var time = Stopwatch.StartNew();
        var done = false;
        try
        {
            var options = new LocalStackOptions(Path.Combine(folder, "data"), Path.Combine(folder, "logs"), DemoRun.Owner);
            await using var stack = await LocalStack.Start(options, call.Terminal, ct);
            await RunSteps(call, stack, samples, folder, result, ct);
            done = true;
        }
        finally
        {
            result.Seconds = Math.Round(time.Elapsed.TotalSeconds, 1);
            if (call.Terminal.Json)
                call.Terminal.JsonLine(result);
            if (done || ct.IsCancellationRequested)
                Directory.Delete(folder, recursive: true);
            else
                call.Terminal.Say($"What happened is in {Path.Combine(folder, "logs")}.");
        }

        if (!call.Terminal.Json)
            Show(call.Terminal.Out, result);
        return ExitCode.Ok;
    }

    // A host that ends by itself ends the demo at once, instead of letting it wait for an answer.
    private static async Task RunSteps(Call call, LocalStack stack, SampleLibrary samples, string folder, DemoResult result, CancellationToken ct)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(ct);
        using var client = new MarketplaceClient(stack.Url, stack.Key);
        using var admin = new MarketplaceClient(stack.Url, stack.AdminKey);
        var steps = new DemoRun(client, admin, call.Terminal, samples, folder, result).Run(over.Token);
        var children = stack.WatchChildren(over.Token);
        var first = await Task.WhenAny(steps, children);
        await over.CancelAsync();
        await Task.WhenAny(Task.WhenAll(steps, children));
        await first;
    }

    private static void Show(IAnsiConsole console, DemoResult result)
    {
        console.MarkupLine("\n[bold]Summary[/]");
        console.Write(Tables.Create("step", "checked")
            .Row("adapters published", $"{result.Published}")
            .Row("broken adapters refused", $"{result.Rejected}")
            .Row("clusters", $"{result.Clusters}")
            .Row("general knowledge subtracted from", $"{result.Subtracted}")
            .Row("cluster adapters built", $"{result.Built}")
            .Row("routers", $"{result.Routers}")
            .Row("copies recognised", $"{result.Recognised}")
            .Row("merges", $"{result.Merged}")
            .Row("downloads verified", result.DownloadVerified ? "yes" : "no")
            .Row("scores", $"{result.Scored}")
            .Row("seconds", $"{result.Seconds}"));
    }
}
