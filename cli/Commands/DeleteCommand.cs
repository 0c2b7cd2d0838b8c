using System.CommandLine;
using Spectre.Console;

namespace Marketplace.Cli.Commands;

/// <summary><c>marketplace delete</c>.</summary>
internal static class DeleteCommand
{
    private static readonly Argument<string> Adapter = new("adapter") { Description = "owner/name" };
    private static readonly Option<bool> Yes = new("--yes", "-y") { Description = "Don't ask" };

    public static Command Create()
    {
        var command = new Command("delete", "Delete an adapter with all its versions; this can't be undone") { Adapter, Yes };
        command.Does(Run);
        return command;
    }

    private static async Task<int> Run(Call call, CancellationToken ct)
    {
        var adapter = call.Adapter(call.Get(Adapter));
        if (adapter.Revision is not null)
            throw CliException.Usage("Single versions are not deleted; an adapter is, with all of them.", "`marketplace unlist` hides one from lists.");
        var client = call.Connect();
        var found = await client.GetAdapter(adapter, ct);
        if (!call.Get(Yes) && !call.Terminal.Json && !await AgreesAsync(call, $"Delete {found.Id}, its versions and their files for ever? [y/N] ", ct))
        {
            call.Terminal.Say("Nothing was deleted.");
            return ExitCode.Refused;
        }

        await client.DeleteAdapter(adapter, ct);
        call.Terminal.Result(new DeleteOutput(found.Id, true), console => console.WriteLine($"{found.Id} is deleted."));
        return ExitCode.Ok;
    }

    private static async Task<bool> AgreesAsync(Call call, string question, CancellationToken ct)
    {
        call.Terminal.Error.Write(question);
        var answer = await Console.In.ReadLineAsync(ct);
        if (Console.IsInputRedirected)
            call.Terminal.Error.WriteLine();
        return answer?.Trim() is { Length: > 0 } said && ("yes".StartsWith(said, StringComparison.OrdinalIgnoreCase));
    }

    private sealed record DeleteOutput(string Adapter, bool Deleted);
}
