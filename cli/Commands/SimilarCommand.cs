using System.CommandLine;
using Marketplace.Cli.Output;
using Spectre.Console;

namespace Marketplace.Cli.Commands;

/// <summary><c>marketplace similar</c>.</summary>
internal static class SimilarCommand
{
    private static readonly Argument<string> Adapter = new("adapter") { Description = "owner/name" };
    private static readonly Option<int> Limit = new("--limit") { Description = "At most this many", DefaultValueFactory = _ => 10 };

    public static Command Create()
    {
        var command = new Command("similar", "Show the nearest adapters of the same base model, by cosine of ΔW") { Adapter, Limit };
        command.Does(Run);
        return command;
    }

    private static async Task<int> Run(Call call, CancellationToken ct)
    {
        var similar = await call.Connect().ListSimilar(call.Adapter(call.Get(Adapter)), call.Get(Limit), ct);
        call.Terminal.Result(similar, console =>
        {
            var table = Tables.Create("adapter", "cosine", "relative distance");
            foreach (var neighbour in similar.Items)
                table.Row(Tables.Name(neighbour.Version), Units.Number(neighbour.Cosine), Units.Number(neighbour.RelativeDistance));
            console.Write(table);
        });
        return ExitCode.Ok;
    }
}
