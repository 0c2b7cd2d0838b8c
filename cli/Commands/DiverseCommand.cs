using System.CommandLine;
using Marketplace.Cli.Output;
using Spectre.Console;

namespace Marketplace.Cli.Commands;

/// <summary><c>marketplace diverse</c>.</summary>
internal static class DiverseCommand
{
    private static readonly Argument<string> BaseModel = new("base-model") { Description = "Whose library: org/name" };
    private static readonly Option<int> Count = new("--count", "-n") { Description = "How many adapters", DefaultValueFactory = _ => 8 };

    private static readonly Option<string> Objective = new Option<string>("--objective")
    {
        Description = "facilityLocation (everybody has somebody near) or logDeterminant (the largest volume, outliers first)",
        DefaultValueFactory = _ => "facilityLocation",
    }.AcceptOnlyFromAmong("facilityLocation", "logDeterminant");

    private static readonly Option<bool> Mine = new("--mine") { Description = "With your private adapters" };

    private static readonly Option<bool> Derived = new("--derived") { Description = "With adapters that were merged or subtracted, not only trained ones" };

    public static Command Create()
    {
        var command = new Command("diverse", "Choose adapters that differ from each other and stand for a library") { BaseModel, Count, Objective, Mine, Derived };
        command.Does(Run);
        return command;
    }

    private static async Task<int> Run(Call call, CancellationToken ct)
    {
        var view = await call.Connect().GetDiverse(call.Get(BaseModel), call.Get(Count), call.Get(Objective)!, call.Get(Mine) ? "mine" : "public", call.Get(Derived), ct);
        call.Terminal.Result(view, console =>
        {
            var table = Tables.Create("adapter", "gain", "nearest chosen before");
            foreach (var pick in view.Picks)
                table.Row(Tables.Name(pick.Version), Units.Number(pick.Gain), pick.NearestCosine is { } cosine ? Units.Number(cosine) : "");
            console.Write(table);
            foreach (var excluded in view.Excluded)
                console.WriteLine($"left out: {Tables.Name(excluded.Version)}: {excluded.Reason}");
            var coverage = view.Coverage is { } c ? $"; a member's mean similarity to the nearest chosen one is {Units.Number(c)}" : "";
            console.WriteLine($"{view.Picks.Count} of {view.Members} adapters of {view.BaseModel} by {view.Objective}, value {Units.Number(view.Value)}{coverage}");
        });
        return ExitCode.Ok;
    }
}
