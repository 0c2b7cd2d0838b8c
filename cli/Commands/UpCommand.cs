using System.CommandLine;
using System.Runtime.InteropServices;
using Marketplace.Cli.Local;
using Marketplace.Core;
using Spectre.Console;

namespace Marketplace.Cli.Commands;

/// <summary><c>marketplace up</c>.</summary>
internal static class UpCommand
{
    private static readonly Option<string?> Data = new("--data") { Description = "Folder of the published data; one under your data folder if absent", HelpName = "folder" };
    private static readonly Option<int> Port = new("--port") { Description = "Port of the service; a free one if absent" };
    private static readonly Option<string?> Owner = new("--owner") { Description = "Account that the key is for; your user name if absent", HelpName = "account" };

    public static Command Create()
    {
        var command = new Command("up", "Run the whole marketplace on this machine until Ctrl-C") { Data, Port, Owner };
        command.Does(Run);
        return command;
    }

    private static async Task<int> Run(Call call, CancellationToken ct)
    {
        if (RunningStack.Read() is { } other && call.Get(Data) is null)
            throw new CliException("busy", ExitCode.Refused, $"A marketplace runs already at {other.Url} (process {other.ProcessId}).", "Use it, or give another folder with --data.");
        var owner = call.Get(Owner) ?? (AdapterId.IsValidOwner(Environment.UserName) ? Environment.UserName : "me");
        if (!AdapterId.IsValidOwner(owner))
            throw CliException.Usage($"'{owner}' can't be the name of an account.");
        var data = Path.GetFullPath(call.Get(Data) ?? StateFolder.DefaultData);
        var logs = Path.Combine(StateFolder.Subfolder("logs"), $"{DateTime.UtcNow:yyyyMMdd-HHmmss}-{Environment.ProcessId}");

        // A closing terminal window is as good a reason to stop as Ctrl-C.
        using var closing = CancellationTokenSource.CreateLinkedTokenSource(ct);
        using var hangup = PosixSignalRegistration.Create(PosixSignal.SIGHUP, signal =>
        {
            signal.Cancel = true;
            closing.Cancel();
        });
        try
        {
            await using var stack = await LocalStack.Start(new LocalStackOptions(data, logs, owner, call.Get(Port)), call.Terminal, closing.Token);
            var running = new RunningStack(stack.Url.ToString(), stack.Key, Environment.ProcessId, stack.AdminKey);
            running.Save();
            try
            {
                Announce(call, stack, new UpOutput(running.Url, owner, stack.Key, data, logs, Environment.ProcessId));
                await stack.WatchChildren(closing.Token);
            }
            finally
            {
                running.Remove();
                call.Terminal.Say("Stopping.");
            }
        }
        catch (OperationCanceledException) when (closing.IsCancellationRequested)
        {
            // The ordinary end.
        }

        return ExitCode.Ok;
    }

    private static void Announce(Call call, LocalStack stack, UpOutput output)
    {
        call.Terminal.Result(output, console =>
        {
            var grid = new Grid().AddColumn().AddColumn();
            foreach (var (name, value) in new[]
            {
                ("service", output.Url), ("described at", new Uri(stack.Url, "/openapi/v1.json").ToString()),
                ("account", output.Owner), ("API key", output.Key), ("data", output.Data), ("logs", output.Logs),
            })
                grid.AddRow(new Text(name, new Style(decoration: Decoration.Bold)), new Text(value));
            console.Write(grid);
        });
        call.Terminal.Say("Other commands find it by themselves while it runs. Ctrl-C stops it.");
    }

    private sealed record UpOutput(string Url, string Owner, string Key, string Data, string Logs, int ProcessId);
}
