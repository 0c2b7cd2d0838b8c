using System.CommandLine;
using Marketplace.Cli.Output;
using Marketplace.Core.Api;
using Spectre.Console;

namespace Marketplace.Cli.Commands;

/// <summary><c>marketplace similar</c>.</summary>
internal static class SimilarCommand
{
    private static readonly Argument<string> Adapter = new("adapter") { Description = "owner/name" };
    private static readonly Option<int> Limit = new("--limit") { Description = "At most this many", DefaultValueFactory = _ => 10 };

    private static readonly Option<string> Similarity = new("--similarity")
    {
        Description = "delta, what the adapters do, or flatAb, the factors as published MBC compares them",
        DefaultValueFactory = _ => "delta",
    };

    public static Command Create()
    {
        var command = new Command("similar", "Show the nearest adapters of the same base model, and what this one adds to them") { Adapter, Limit, Similarity };
        command.Does(Run);
        return command;
    }

    private static async Task<int> Run(Call call, CancellationToken ct)
    {
        var adapter = call.Adapter(call.Get(Adapter));
        var client = call.Connect();
        var similar = await client.ListSimilar(adapter, call.Get(Limit), call.Get(Similarity)!, ct);
        var novelty = await client.GetNovelty(adapter, ct);
        call.Terminal.Result(new SimilarOutput(similar.Items, novelty), console =>
        {
            var table = Tables.Create("adapter", "cosine", "relative distance");
            foreach (var neighbour in similar.Items)
                table.Row(Tables.Name(neighbour.Version), Units.Number(neighbour.Cosine), Units.Number(neighbour.RelativeDistance));
            console.Write(table);
            console.WriteLine(NoveltyOutput.Line(novelty));
        });
        return ExitCode.Ok;
    }

    private sealed record SimilarOutput(IReadOnlyList<SimilarView> Items, NoveltyView Novelty);
}
