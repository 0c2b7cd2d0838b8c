using System.CommandLine;
using Spectre.Console;

namespace Marketplace.Cli.Commands;

/// <summary><c>marketplace whoami</c>.</summary>
internal static class WhoAmICommand
{
    public static Command Create()
    {
        var command = new Command("whoami", "Show whose key is used, and what it may do");
        command.Does(Run);
        return command;
    }

    private static async Task<int> Run(Call call, CancellationToken ct)
    {
        var me = await call.Connect().WhoAmI(ct);
        call.Terminal.Result(me, console => console.WriteLine(me.Owner is null ? "Nobody: no key was given." : $"{me.Owner} ({me.Scope})"));
        return ExitCode.Ok;
    }
}
