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

    private static readonly Option<string> Mode = new Option<string>("--mode")
    {
        Description = "exact (from the weights), sketch (from the sketches made at validation) or auto, by the size of the library",
        DefaultValueFactory = _ => "auto",
    }.AcceptOnlyFromAmong("auto", "exact", "sketch");

    private static readonly Option<int?> K = new("--k", "-k") { Description = "Number of clusters; chosen by silhouette if absent" };
    private static readonly Option<double?> Sparsity = new("--sparsity") { Description = "flatAb: the share of smallest entries set to zero (0.8)" };
    private static readonly Option<int?> Components = new("--components") { Description = "Dimensions that are kept where not all are (flatAb 64, delta from sketches 128)" };
    private static readonly Option<bool> Mine = new("--mine") { Description = "With your private adapters; only you see the snapshot" };
    private static readonly Option<bool> Derived = new("--derived") { Description = "With adapters that were merged or subtracted, not only trained ones" };
    private static readonly Option<bool> Latest = new("--latest") { Description = "Show the newest snapshot, and compute nothing" };

    public static Command Create()
    {
        var command = new Command("cluster", "Cluster a base model's library (MBC)") { BaseModel, Similarity, Mode, K, Sparsity, Components, Mine, Derived, Latest, JobOutput.NoWait };
        command.Does(Run);
        return command;
    }

    private static async Task<int> Run(Call call, CancellationToken ct)
    {
        var client = call.Connect();
        var baseModel = call.Get(BaseModel);
        if (call.Get(Latest))
        {
            var newest = await client.GetSnapshot(await ClustersCommand.Newest(client, baseModel, ct), ct);
            call.Terminal.Result(newest, console => ClusterOutput.Show(console, newest));
            return ExitCode.Ok;
        }

        var request = new ClusteringRequest(
            baseModel, call.Get(Similarity)!, call.Get(K), call.Get(Mine) ? "mine" : "public", call.Get(Mode)!, call.Get(Sparsity), call.Get(Components), call.Get(Derived));
        var job = await client.RequestClustering(request, ct);
        if (!call.Get(JobOutput.NoWait))
            job = await JobOutput.Wait(call.Terminal, client, job, ct);
        if (await Snapshot(client, job, ct) is not { } snapshot)
            return await JobOutput.Finish(call, client, job, ct);
        call.Terminal.Result(snapshot, console => ClusterOutput.Show(console, snapshot));
        return ExitCode.Ok;
    }

    /// <summary>The snapshot that a clustering made; null unless it succeeded.</summary>
    public static async Task<ClusterSnapshotView?> Snapshot(MarketplaceClient client, JobView job, CancellationToken ct) =>
        job is { Status: "succeeded", Result: { } result }
            ? await client.GetSnapshot(ApiConnection.Parse<ClusteringResult>(result.GetRawText())!.SnapshotId, ct)
            : null;
}
