using System.CommandLine;
using Marketplace.Cli.Output;
using Marketplace.Core.Api;
using Spectre.Console;

namespace Marketplace.Cli.Commands;

/// <summary><c>marketplace takedown</c> and <c>restore</c>.</summary>
internal static class TakedownCommand
{
    private static readonly Argument<string> Adapter = new("adapter") { Description = "owner/name" };

    private static readonly Option<string?> Reason = new Option<string?>("--reason") { Description = "Why: licence, malware, privacy, legal or other; without it, the takedown that is there is shown" }
        .AcceptOnlyFromAmong("licence", "malware", "privacy", "legal", "other");

    private static readonly Option<string?> Message = new("--message") { Description = "What may be shown to whoever asks for the adapter" };

    private static readonly Option<string> Descendants = new Option<string>("--descendants")
    {
        Description = "What was made from it: keep, flag or takeDown",
        DefaultValueFactory = _ => "flag",
    }.AcceptOnlyFromAmong("keep", "flag", "takeDown");

    private static readonly Option<bool> Copies = new("--copies") { Description = "With all adapters that have the same weights" };

    public static Command Create()
    {
        var command = new Command("takedown", "Take an adapter down, for admins, or show its takedown") { Adapter, Reason, Message, Descendants, Copies };
        command.Does(Run);
        return command;
    }

    public static Command CreateRestore()
    {
        var command = new Command("restore", "Undo a takedown, and with it those that it caused; for admins") { Adapter };
        command.Does(Restore);
        return command;
    }

    private static async Task<int> Run(Call call, CancellationToken ct)
    {
        var adapter = call.Adapter(call.Get(Adapter));
        var client = call.Connect(admin: true);
        var takedown = call.Get(Reason) is { } reason
            ? await client.TakeDown(adapter, new TakedownRequest(reason, call.Get(Message), call.Get(Descendants)!, call.Get(Copies)), ct)
            : await client.GetTakedown(adapter, ct);
        call.Terminal.Result(takedown, console => Show(console, takedown));
        return ExitCode.Ok;
    }

    private static async Task<int> Restore(Call call, CancellationToken ct)
    {
        var restored = await call.Connect(admin: true).Restore(call.Adapter(call.Get(Adapter)), ct);
        call.Terminal.Result(restored, console =>
        {
            console.WriteLine(restored.StillDown ? $"{restored.Adapter} is still down for another reason." : $"{restored.Adapter} is back.");
            foreach (var other in restored.Restored)
                console.WriteLine($"{other} came back with it.");
        });
        return ExitCode.Ok;
    }

    private static void Show(IAnsiConsole console, TakedownView t)
    {
        var grid = new Grid().AddColumn().AddColumn();
        void Line(string name, string? value)
        {
            if (!string.IsNullOrEmpty(value))
                grid.AddRow(new Text(name, new Style(decoration: Decoration.Bold)), new Text(value));
        }

        Line("taken down", $"{t.Adapter}, {Units.Time(t.At)}{(t.By is null ? "" : $" by {t.By}")}");
        Line("reason", t.Reason + (t.Message is null ? "" : $": {t.Message}"));
        Line("because of", t.Caused ? t.Because ?? "another adapter" : null);
        Line("descendants", t.Descendants + (t.Copies == true ? ", copies too" : ""));
        Line("restorable", t.PurgedAt is { } purged ? $"no: its bytes were given up {Units.Time(purged)}" : t.RestorableUntil is { } until ? $"until {Units.Time(until)}" : null);
        Line("unfinished", t.Complete == false ? "yes; the sweep goes on, or ask again" : null);
        Line("down with it", string.Join(", ", t.TakenDown ?? []));
        Line("flagged", string.Join(", ", t.Flagged ?? []));
        console.Write(grid);
    }
}
