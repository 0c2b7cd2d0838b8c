using System.CommandLine;
using Marketplace.Cli.Output;
using Marketplace.Core.Lineage;
using Spectre.Console;

namespace Marketplace.Cli.Commands;

/// <summary><c>marketplace lineage</c>.</summary>
internal static class LineageCommand
{
    private static readonly Argument<string> Adapter = new("adapter") { Description = "owner/name, or owner/name@revision" };
    private static readonly Option<string?> Svg = new("--svg") { Description = "Also draw it, into this file", HelpName = "file" };
    private static readonly Option<int> Limit = new("--limit") { Description = "At most this many versions", DefaultValueFactory = _ => 50 };

    public static Command Create()
    {
        var command = new Command("lineage", "Show what a version was made of, down to the trained adapters") { Adapter, Svg, Limit };
        command.Does(Run);
        return command;
    }

    private static async Task<int> Run(Call call, CancellationToken ct)
    {
        var graph = await call.Connect().GetLineage(call.Adapter(call.Get(Adapter)), call.Get(Limit), ct);
        if (call.Get(Svg) is { } file)
        {
            await File.WriteAllTextAsync(file, LineageSvg.Render(graph), ct);
            call.Terminal.Say($"Drawn into {file}.");
        }

        call.Terminal.Result(graph, console => console.Write(Draw(graph)));
        return ExitCode.Ok;
    }

    private static Tree Draw(LineageGraph graph)
    {
        var shown = new HashSet<int> { 0 };
        var tree = new Tree(new Text(Name(graph.Nodes[0])));
        Add(tree, 0);
        return tree;

        void Add(IHasTreeNodes place, int child)
        {
            foreach (var edge in graph.Edges.Where(e => e.Child == child))
            {
                var first = shown.Add(edge.Parent);
                var weight = edge.Weight is { } w ? $"×{Units.Number(w)} {edge.Role}  " : "";
                var node = place.AddNode(new Text(weight + Name(graph.Nodes[edge.Parent]) + (first ? "" : " (see above)")));
                if (first)
                    Add(node, edge.Parent);
            }

            if (graph.Nodes[child].HasMore)
                place.AddNode(new Text("… more; --limit shows them"));
        }
    }

    private static string Name(LineageNode node) => node switch
    {
        { Version: null } => "not visible",
        { TakenDown: true } => $"{Tables.Name(node.Version)}, taken down",
        { Method: null } => $"{Tables.Name(node.Version)}, trained",
        _ => $"{Tables.Name(node.Version)}, {(node.Kind == LineageKind.Subtraction ? "subtraction" : "merge")} by {node.Method}",
    };
}
