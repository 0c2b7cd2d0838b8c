using System.CommandLine;
using Marketplace.Cli.Client;
using Marketplace.Cli.Output;
using Marketplace.Core.Api;
using Spectre.Console;

namespace Marketplace.Cli.Commands;

/// <summary><c>marketplace cluster</c>.</summary>
internal static class ClusterCommand
{
    private static readonly Argument<string> BaseModel = new("base-model") { Description = "Whose library is clustered: org/name" };

    private static readonly Option<string> Similarity = new Option<string>("--similarity")
    {
        Description = "delta (cosine of ΔW) or flatAb (flattened, sparsified A and B, as published)",
        DefaultValueFactory = _ => "delta",
    }.AcceptOnlyFromAmong("delta", "flatAb");

    private static readonly Option<int?> K = new("-k") { Description = "Number of clusters; chosen by silhouette if absent" };
    private static readonly Option<bool> Mine = new("--mine") { Description = "With your private adapters; only you see the snapshot" };
    private static readonly Option<bool> Latest = new("--latest") { Description = "Show the newest snapshot, and compute nothing" };

    public static Command Create()
    {
        var command = new Command("cluster", "Cluster a base model's library (MBC)") { BaseModel, Similarity, K, Mine, Latest, JobOutput.NoWait };
        command.Does(Run);
        return command;
    }

    private static async Task<int> Run(Call call, CancellationToken ct)
    {
        var client = call.Connect();
        var baseModel = call.Get(BaseModel);
        if (call.Get(Latest))
        {
            var newest = (await client.ListSnapshots(baseModel, ct)).Items is [var first, ..] ? await client.GetSnapshot(first.Id, ct) : throw new CliException(
                "not-found", ExitCode.NotFound, $"The library of {baseModel} was never clustered.", $"`marketplace cluster {baseModel}` does it now.");
            call.Terminal.Result(newest, console => Show(console, newest));
            return ExitCode.Ok;
        }

        var request = new ClusteringRequest(baseModel, call.Get(Similarity)!, call.Get(K), call.Get(Mine) ? "mine" : "public");
        var job = await client.RequestClustering(request, ct);
        if (!call.Get(JobOutput.NoWait))
            job = await JobOutput.Wait(call.Terminal, client, job, ct);
        if (await Snapshot(client, job, ct) is not { } snapshot)
            return await JobOutput.Finish(call, client, job, ct);
        call.Terminal.Result(snapshot, console => Show(console, snapshot));
        return ExitCode.Ok;
    }

    /// <summary>The snapshot that a clustering made; null unless it succeeded.</summary>
    public static async Task<ClusterSnapshotView?> Snapshot(MarketplaceClient client, JobView job, CancellationToken ct) =>
        job is { Status: "succeeded", Result: { } result }
            ? await client.GetSnapshot(ApiConnection.Parse<ClusteringResult>(result.GetRawText())!.SnapshotId, ct)
            : null;

    /// <summary>A snapshot for people.</summary>
    public static void Show(IAnsiConsole console, ClusterSnapshotView snapshot)
    {
        var table = Tables.Create("cluster", "adapter", "cosine to medoid");
        foreach (var cluster in snapshot.Clusters)
        {
            var name = cluster.Name;
            foreach (var member in cluster.Members)
            {
                var medoid = member.Version == cluster.Medoid ? " (medoid)" : "";
                table.Row(name, Tables.Name(member.Version) + medoid, Units.Number(member.MedoidCosine));
                name = "";
            }
        }

        console.Write(table);
        foreach (var excluded in snapshot.Excluded)
            console.WriteLine($"left out: {Tables.Name(excluded.Version)}: {excluded.Reason}");
        var silhouette = snapshot.Silhouette is { } s ? $", silhouette {Units.Number(s)}" : "";
        console.WriteLine($"{snapshot.K} clusters of {snapshot.BaseModel} by {snapshot.Similarity}{silhouette}; snapshot {snapshot.Id}");
    }
}
