using System.CommandLine;
using Spectre.Console;

namespace Marketplace.Cli.Commands;

/// <summary><c>marketplace unlist</c>.</summary>
internal static class UnlistCommand
{
    private static readonly Argument<string> Adapter = new("adapter") { Description = "owner/name" };
    private static readonly Option<bool> Undo = new("--undo") { Description = "List it again" };

    public static Command Create()
    {
        var command = new Command("unlist", "Hide an adapter from lists; it can still be downloaded") { Adapter, Undo };
        command.Does(Run);
        return command;
    }

    private static async Task<int> Run(Call call, CancellationToken ct)
    {
        var adapter = await call.Connect().SetListed(call.Adapter(call.Get(Adapter)), call.Get(Undo), ct);
        call.Terminal.Result(adapter, console => console.WriteLine($"{adapter.Id} is {(adapter.Listed ? "listed" : "unlisted")}."));
        return ExitCode.Ok;
    }
}
