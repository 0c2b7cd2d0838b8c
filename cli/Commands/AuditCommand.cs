using System.CommandLine;
using Marketplace.Cli.Output;
using Marketplace.Core.Api;
using Spectre.Console;

namespace Marketplace.Cli.Commands;

/// <summary><c>marketplace audit</c>.</summary>
internal static class AuditCommand
{
    private static readonly Option<string?> From = new("--from") { Description = "Not before this day or time (UTC); seven days before the end if absent" };
    private static readonly Option<string?> To = new("--to") { Description = "Before this day or time (UTC); now if absent" };
    private static readonly Option<string?> Actor = new("--actor") { Description = "Only what this account did; for admins" };
    private static readonly Option<string?> Subject = new("--subject") { Description = "Only what was done to this, such as owner/name or jobs/ID" };
    private static readonly Option<string?> Action = new("--action") { Description = "Only this, such as publish or takedown" };
    private static readonly Option<int> Limit = new("--limit") { Description = "At most this many", DefaultValueFactory = _ => 100 };

    public static Command Create()
    {
        var command = new Command("audit", "What was done, newest first: by you, or with an admin key by everybody") { From, To, Actor, Subject, Action, Limit };
        command.Does(Run);
        return command;
    }

    private static async Task<int> Run(Call call, CancellationToken ct)
    {
        (string Name, string? Value)[] all =
            [("from", call.Get(From)), ("to", call.Get(To)), ("actor", call.Get(Actor)), ("subject", call.Get(Subject)), ("action", call.Get(Action))];
        var query = string.Concat(all.Where(p => p.Value is not null).Select(p => $"&{p.Name}={Uri.EscapeDataString(p.Value!)}"));
        var limit = Math.Max(1, call.Get(Limit));
        var events = await call.Connect().ListAudit(query, ct).Take(limit + 1).ToListAsync(ct);
        call.Terminal.Result(new ListResponse<AuditEventView>([.. events.Take(limit)]), console =>
        {
            var table = Tables.Create("when", "who", "with", "did", "to", "detail");
            foreach (var e in events.Take(limit))
                table.Row(Units.Time(e.At), e.Actor, e.Via, e.Action, e.Subject, e.Detail);
            console.Write(table);
        });
        if (events.Count > limit)
            call.Terminal.Say($"There are more than {limit}; narrow the search, or raise --limit.");
        return ExitCode.Ok;
    }
}
