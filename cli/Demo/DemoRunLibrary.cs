using System.Net.Http.Json;
using Marketplace.Cli.Client;
using Marketplace.Cli.Commands;
using Marketplace.Cli.Output;
using Marketplace.Cli.Publishing;
using Marketplace.Core;
using Marketplace.Core.Api;
using Spectre.Console;

namespace Marketplace.Cli.Demo;

/// <content>What is done with a library as a whole.</content>
internal sealed partial class DemoRun
{
    private async Task<ClusterSnapshotView> Cluster(CancellationToken ct)
    {
        Step("Clustering the library by cosine of ΔW");
        var job = await client.RequestClustering(new ClusteringRequest(SampleLibrary.BaseModel), ct);
        job = Succeeded(await JobOutput.Wait(terminal, client, job, ct));
        var snapshot = (await ClusterCommand.Snapshot(client, job, ct))!;
        var members = snapshot.Clusters.SelectMany(c => c.Members).Select(m => m.Version).ToList();
        DemoCheck.That(
            members.Count == published.Count && members.ToHashSet().SetEquals(published) && snapshot.K == snapshot.Clusters.Count,
            "The clusters are not a partition of the library.");
        ClusterOutput.Show(display, snapshot);
        result.Clusters = snapshot.Clusters.Count;
        return snapshot;
    }

    private async Task SubtractGeneral(CancellationToken ct)
    {
        Step("Subtracting the general adapters from each task adapter: one job, one collection");
        var general = SampleLibrary.General.Select(g => new WeightedAdapter($"{Owner}/{g}")).ToList();
        var request = new SubtractionBatchRequest(general, new CollectionOutputRequest($"{Owner}/tasks-only", "{name}-only"), Library: new LibraryTargets(SampleLibrary.BaseModel));
        var batch = CollectionOutput.Of(Succeeded(await JobOutput.Wait(terminal, client, await client.RequestSubtractionBatch(request, ct), ct)))!;
        DemoCheck.That(batch.Refused.Count == 0 && batch.Members.Count == samples.Tasks.Count, "General knowledge was not subtracted from every task adapter.");
        var table = Tables.Create("residual", "of", "general", "error against the exact difference");
        foreach (var member in batch.Members)
        {
            using var residual = await Download(member.Version, ct);
            using var target = await Download(published.Single(p => Tables.Name(p) == member.Label), ct);
            using var log = await Download(Published("log"), ct);
            using var prose = await Download(Published("prose"), ct);
            var error = DerivedCheck.RelativeError(residual, [(1, target), (-0.5, log), (-0.5, prose)]);
            DemoCheck.That(error <= DerivedCheck.Float32Tolerance, $"{member.Version.Adapter} differs from the exact difference by {error:0.0e+0}.");
            table.Row(Tables.Name(member.Version), member.Label, $"{member.General:0%}", Units.Scientific(error));
            result.Subtracted++;
        }

        display.Write(table);
    }

    private async Task BuildLibrary(ClusterSnapshotView snapshot, CancellationToken ct)
    {
        Step("Building a library of one adapter for each cluster: the mean of its members");
        var request = new BuildLibraryRequest("linear", new CollectionOutputRequest($"{Owner}/library"), Weights: "mean");
        var build = CollectionOutput.Of(Succeeded(await JobOutput.Wait(terminal, client, await client.BuildLibrary(snapshot.Id, request, ct), ct)))!;
        DemoCheck.That(build.Refused.Count == 0 && build.Members.Count == snapshot.K, "The library does not have one adapter for each cluster.");
        var table = Tables.Create("cluster", "adapter", "of", "error against the exact mean");
        foreach (var (member, cluster) in build.Members.Zip(snapshot.Clusters))
        {
            using var built = await Download(member.Version, ct);
            var inputs = new List<(double, Adapter)>();
            try
            {
                foreach (var input in cluster.Members)
                    inputs.Add((1d / cluster.Members.Count, await Download(input.Version, ct)));
                var error = DerivedCheck.RelativeError(built, inputs);
                DemoCheck.That(member.Label == cluster.Name && error <= DerivedCheck.Float32Tolerance, $"{member.Version.Adapter} differs from the mean of {cluster.Name} by {error:0.0e+0}.");
                table.Row(member.Label, Tables.Name(member.Version), $"{cluster.Members.Count} adapters", Units.Scientific(error));
            }
            finally
            {
                inputs.ForEach(i => i.Item2.Dispose());
            }

            result.Built++;
        }

        display.Write(table);
    }

    private async Task Route(CancellationToken ct)
    {
        Step("Routing tokens among the task adapters by their prototypes (Arrow), before and after the subtraction");
        var table = Tables.Create("router", "adapters", "modules", "arbitrary directions", "tokens routed", "difference from the reference");
        RouterRequest[] requests =
        [
            new([.. samples.Tasks.Select(t => $"{Owner}/{t}")], Name: "tasks"),
            new(Collection: $"{Owner}/tasks-only", TopK: 3, Name: "tasks-only"),
        ];
        foreach (var request in requests)
        {
            var job = Succeeded(await JobOutput.Wait(terminal, client, await client.RequestRouter(request, ct), ct));
            var router = await client.GetRouter(ApiConnection.Parse<RouterResult>(job.Result!.Value.GetRawText())!.RouterId, ct);
            var experts = new List<Adapter>();
            try
            {
                foreach (var expert in router.Experts)
                    experts.Add(await Download(expert, ct));
                var tokens = RoutingCheck.Tokens(experts);
                var difference = RoutingCheck.Difference(await client.Route(router.Id, "", JsonContent.Create(new RouteRequest(tokens), options: ApiJson.Options), ct), tokens, experts, router.TopK);
                DemoCheck.That(difference <= RoutingCheck.Tolerance, $"The router {router.Name} differs from the reference by {difference:0.0e+0}.");
                table.Row(router.Name!, $"{experts.Count}, top {router.TopK}", $"{router.Modules}", $"{router.Degenerate}", $"{tokens.Sum(t => t.Value.Count)}", Units.Scientific(difference));
            }
            finally
            {
                experts.ForEach(e => e.Dispose());
            }

            result.Routers++;
        }

        display.Write(table);
    }

    private async Task RecogniseCopy(ClusterSnapshotView snapshot, CancellationToken ct)
    {
        Step("Publishing one of them again in other factors: other bytes, the same ΔW");
        var original = samples.Tasks[^1];
        var copy = Path.Combine(workFolder, $"{original}-again");
        OtherFactors.Copy(samples.Good.Single(f => Path.GetFileName(f) == original), copy);
        var (_, outcome) = await Publish(PublishFolder.Open(copy), ct);
        var warning = (outcome.Status.Issues ?? []).FirstOrDefault(i => i.Code == "near-duplicate");
        DemoCheck.That(outcome.Published && warning is not null, "The copy was not recognised.");
        var novelty = await client.GetNovelty(Name(copy), ct);
        DemoCheck.That(novelty.Verdict == "reuse" && novelty.Nearest!.Version == Published(original), $"{original} is not seen as what the copy is of.");
        var home = snapshot.Clusters.Single(c => c.Members.Any(m => m.Version == Published(original))).Name;
        var cluster = await client.FindCluster(Name(copy), ct);
        DemoCheck.That(cluster is { Role: "arrival" } && cluster.Cluster == home, $"The copy was not placed where {original} is.");
        terminal.Say(warning!.Message);
        terminal.Say($"{Tables.Name(novelty.Version)}: {novelty.Verdict}, {novelty.Novelty:0%} new, placed into {home}");
        result.Recognised++;
    }
}
