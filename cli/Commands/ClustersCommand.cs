using System.CommandLine;
using System.Text.Json;
using Marketplace.Cli.Client;
using Marketplace.Cli.Output;
using Marketplace.Core.Api;
using Marketplace.Core.Methods;
using Spectre.Console;

namespace Marketplace.Cli.Commands;

/// <summary><c>marketplace clusters</c> and <c>marketplace map</c>: what clusterings have left.</summary>
internal static class ClustersCommand
{
    private static readonly Argument<string> BaseModel = new("base-model") { Description = "Whose library: org/name" };
    private static readonly Argument<string> Snapshot = new("snapshot") { Description = "A snapshot's id, or org/name for the newest of a library" };
    private static readonly Option<string?> Output = new("--output", "-o") { Description = "Draw it into this file (.svg), or write the points there (.json)", HelpName = "file" };

    /// <summary>The group <c>clusters</c>.</summary>
    public static Command Create()
    {
        var list = new Command("list", "List a library's snapshots, newest first") { BaseModel };
        list.Does(List);
        var show = new Command("show", "Show one snapshot, and what has arrived since") { Snapshot };
        show.Does(Show);
        return new Command("clusters", "Show the snapshots that clusterings made") { list, show };
    }

    /// <summary>The command <c>map</c>.</summary>
    public static Command CreateMap()
    {
        var map = new Command("map", "Draw the map of a clustered library") { Snapshot, Output };
        map.Does(Map);
        return map;
    }

    /// <summary>The id of a library's newest snapshot.</summary>
    public static async Task<string> Newest(MarketplaceClient client, string baseModel, CancellationToken ct) =>
        (await client.ListSnapshots(baseModel, ct)).Items is [var first, ..] ? first.Id : throw new CliException(
            "not-found", ExitCode.NotFound, $"The library of {baseModel} was never clustered.", $"`marketplace cluster {baseModel}` does it now.");

    private static async Task<int> List(Call call, CancellationToken ct)
    {
        var snapshots = await call.Connect().ListSnapshots(call.Get(BaseModel), ct);
        call.Terminal.Result(snapshots, console =>
        {
            var table = Tables.Create("snapshot", "made", "by", "of", "clusters", "adapters", "silhouette", "moves");
            foreach (var s in snapshots.Items)
            {
                table.Row(
                    s.Id, Units.Time(s.CreatedAt), $"{s.Similarity} ({s.Mode})", s.Scope, $"{s.K}", $"{s.Members}", s.Silhouette is { } value ? Units.Number(value) : "",
                    s.Previous is null ? "" : $"{s.Moves}");
            }

            console.Write(table);
        });
        return ExitCode.Ok;
    }

    private static async Task<int> Show(Call call, CancellationToken ct)
    {
        var client = call.Connect();
        var snapshot = await Find(client, call.Get(Snapshot), ct);
        call.Terminal.Result(snapshot, console => ClusterOutput.Show(console, snapshot));
        return ExitCode.Ok;
    }

    private static async Task<int> Map(Call call, CancellationToken ct)
    {
        var client = call.Connect();
        var snapshot = await Find(client, call.Get(Snapshot), ct);
        var map = await client.GetMap(snapshot.Id, ct);
        if (call.Get(Output) is { } file)
        {
            var json = file.EndsWith(".json", StringComparison.OrdinalIgnoreCase);
            await File.WriteAllTextAsync(file, json ? JsonSerializer.Serialize(map, ApiJson.Options) : MbcMapSvg.Render(snapshot), ct);
            call.Terminal.Say($"{(json ? "Written" : "Drawn")} into {file}.");
        }

        call.Terminal.Result(map, console =>
        {
            var table = Tables.Create("adapter", "cluster", "x", "y");
            foreach (var p in map.Points)
                table.Row(Tables.Name(p.Version) + (p.Medoid ? " (medoid)" : ""), p.Cluster, Units.Number(p.X), Units.Number(p.Y));
            console.Write(table);
            console.WriteLine($"The axes show {Units.Number(100 * map.Explained[0])} % and {Units.Number(100 * map.Explained[1])} % of the variance; snapshot {map.SnapshotId}");
        });
        return ExitCode.Ok;
    }

    // Ids are 32 hexadecimal digits; names of base models have a slash.
    private static async Task<ClusterSnapshotView> Find(MarketplaceClient client, string snapshot, CancellationToken ct) =>
        await client.GetSnapshot(snapshot.Contains('/') || snapshot.Length != 32 ? await Newest(client, snapshot, ct) : snapshot, ct);
}
