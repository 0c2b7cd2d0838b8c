using System.CommandLine;
using Marketplace.Cli.Client;
using Marketplace.Core.Api;
using Marketplace.Core.Merges;

namespace Marketplace.Cli.Commands;

/// <summary><c>marketplace build</c>.</summary>
internal static class BuildCommand
{
    private static readonly Option<string?> BaseModel = new("--base-model") { Description = "Whose library: org/name; it is clustered first" };
    private static readonly Option<string?> Snapshot = new("--snapshot") { Description = "Instead: a snapshot that `marketplace cluster` made" };
    private static readonly Option<int?> K = new("--k", "-k") { Description = "Number of clusters, and of adapters; chosen by silhouette if absent" };

    private static readonly Option<string> Similarity = new Option<string>("--similarity")
    {
        Description = "What the clustering goes by: delta (cosine of ΔW) or flatAb (flattened, sparsified A and B, as published)",
        DefaultValueFactory = _ => "delta",
    }.AcceptOnlyFromAmong("delta", "flatAb");

    private static readonly Option<bool> Mine = new("--mine") { Description = "With your private adapters" };
    private static readonly Option<string> Method = new("--method", "-m") { Description = "How a cluster is merged; `marketplace methods` tells what there is", DefaultValueFactory = _ => "linear" };
    private static readonly Option<string[]> Parameters = RecipeParameters.Option();

    private static readonly Option<string> Weights = new Option<string>("--weights")
    {
        Description = "Weights of a cluster's members: equal (1 each), mean (1 ∕ n each) or typical (the cosine to the medoid)",
        DefaultValueFactory = _ => "equal",
    }.AcceptOnlyFromAmong("equal", "mean", "typical");

    private static readonly Option<int?> MaxMembers = new("--max-members") { Description = "At most so many members of a cluster, those most like its medoid" };
    private static readonly Option<string?> Rank = new("--rank") { Description = "Rank of the results, or 'lossless'" };
    private static readonly Option<ulong?> Seed = new("--seed") { Description = "Seed of random masks and starts" };

    public static Command Create()
    {
        var command = new Command("build", "Build a library of one merged adapter for each cluster of another (MBC without training data)")
        {
            BaseModel, Snapshot, K, Similarity, Mine, Method, Parameters, Weights, MaxMembers, CollectionOptions.Collection, CollectionOptions.Pattern,
            Rank, DerivedOptions.Energy, DerivedOptions.Dtype, Seed, DerivedOptions.Private, JobOutput.NoWait,
        };
        command.Does(Run);
        return command;
    }

    private static async Task<int> Run(Call call, CancellationToken ct)
    {
        if (call.Get(BaseModel) is null == call.Get(Snapshot) is null)
            throw CliException.Usage("Say what to build from: --base-model, or --snapshot.");
        if (call.Get(Snapshot) is not null && (call.Get(K) is not null || call.Get(Mine)))
            throw CliException.Usage("A snapshot has its clusters; -k and --mine are for a new one.");
        if (call.Get(Rank) is not null && call.Get(DerivedOptions.Energy) is not null)
            throw CliException.Usage("--rank and --energy exclude each other.");
        var method = call.Get(Method)!;
        if (MergeMethods.Find(method) is null)
        {
            var near = Suggestions.Nearest(method, MergeMethods.All.Select(m => m.Name));
            throw CliException.Usage($"There is no method '{method}'.", near is null ? "`marketplace methods` lists them." : $"Did you mean '{near}'?");
        }

        var parameters = (call.Get(Parameters) ?? []).Select(RecipeParameters.Read).ToDictionary(p => p.Name, p => p.Value);
        var rank = call.Get(Rank) is { } text ? RecipeParameters.Rank(text) : null;
        if (call.Get(CollectionOptions.Collection) is null)
            throw CliException.Usage("The results need a collection: --collection.");
        var client = call.Connect();
        var request = new BuildLibraryRequest(
            method, await CollectionOptions.Read(call, client, ct), parameters.Count > 0 ? parameters : null, call.Get(Weights)!, call.Get(MaxMembers), rank,
            call.Get(DerivedOptions.Energy), call.Get(DerivedOptions.Dtype)!, call.Get(Seed));
        var (snapshot, unfinished) = await Cluster(call, client, ct);
        return snapshot is null
            ? await JobOutput.Finish(call, client, unfinished!, ct)
            : await JobOutput.Finish(call, client, await client.BuildLibrary(snapshot, request, ct), ct);
    }

    // The snapshot to build from, or the job that failed to make it. A build can't be asked for before its clusters are known, so that this is waited for in any case.
    private static async Task<(string? Snapshot, JobView? Failed)> Cluster(Call call, MarketplaceClient client, CancellationToken ct)
    {
        if (call.Get(Snapshot) is { } given)
            return (given, null);
        var request = new ClusteringRequest(call.Get(BaseModel)!, call.Get(Similarity)!, call.Get(K), call.Get(Mine) ? "mine" : "public");
        var job = await JobOutput.Wait(call.Terminal, client, await client.RequestClustering(request, ct), ct);
        if (job is not { Status: "succeeded", Result: { } result })
            return (null, job);
        var snapshot = ApiConnection.Parse<ClusteringResult>(result.GetRawText())!.SnapshotId;
        call.Terminal.Say($"The library is clustered: snapshot {snapshot}.");
        return (snapshot, null);
    }
}
