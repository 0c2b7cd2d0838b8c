using System.CommandLine;
using Marketplace.Core.Api;
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
        call.Terminal.Result(me, console => console.WriteLine(Describe(me)));
        return ExitCode.Ok;
    }

    private static string Describe(WhoAmIView me) => me switch
    {
        { Owner: null, Identity: { } identity } => $"The identity {identity} ({me.Scope}), without account: an admin binds it with `marketplace accounts bind OWNER {identity}`.",
        { Owner: null } => "Nobody: no key was given.",
        { Identity: { } identity } => $"{me.Owner} ({me.Scope}), by the identity {identity}",
        _ => $"{me.Owner} ({me.Scope})",
    };
}
