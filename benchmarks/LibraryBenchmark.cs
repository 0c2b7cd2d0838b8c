using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Marketplace.Core;
using Marketplace.Core.Api;
using Marketplace.Core.Formats;

namespace Marketplace.Benchmarks;

/// <summary>
/// Small adapters published over HTTP to the function app on Azurite, by several clients, and then clustered: the whole way, as users go it. Build the solution in
/// Release first, since the function app is a process of its own.
/// </summary>
internal static class LibraryBenchmark
{
    private const string Base = "benchmark/library-base";
    private const int Layers = 24;
    private const int Width = 64;
    private const int Rank = 4;
    private const int Groups = 20;
    private const int Clients = 8;

    /// <summary>Runs it.</summary>
    /// <param name="args">How many adapters; 1,000 if absent.</param>
    public static async Task Run(string[] args)
    {
        var count = args is [var n, ..] ? int.Parse(n, CultureInfo.InvariantCulture) : 1000;
        await using var stack = await BenchmarkStack.StartAsync(kernels: false, ("Marketplace__MaxExactLibrary", (count + 100).ToString(CultureInfo.InvariantCulture)));
        var functions = stack.Functions;
        var clients = new List<BenchmarkCaller>();
        foreach (var client in Enumerable.Range(0, Clients))
            clients.Add(await stack.AccountAsync($"client-{client}"));
        Console.WriteLine($"{Environment.ProcessorCount} processors; {count} adapters of {Layers} modules {Width}×{Width}, rank {Rank}; {Clients} clients\n| step | s | function app MiB, peak so far |\n|---|---|---|");

        var started = Stopwatch.GetTimestamp();
        await Parallel.ForAsync(0, count, new ParallelOptions { MaxDegreeOfParallelism = Clients }, async (i, _) => await PublishAsync(clients[i % Clients], $"client-{i % Clients}/a{i:D5}", i));
        Row($"publish {count}", started, functions);
        foreach (var (similarity, mode) in new[] { ("delta", "sketch"), ("flatAb", "sketch"), ("delta", "exact"), ("flatAb", "exact") })
        {
            started = Stopwatch.GetTimestamp();
            var job = await clients[0].FinishAsync(await clients[0].PostAsync<JobView>("clusterings", new ClusteringRequest(Base, similarity, Mode: mode)));
            var snapshot = await clients[0].GetAsync<ClusterSnapshotView>($"clusterings/{job.Result!.Value.Deserialize<ClusteringResult>(ApiJson.Options)!.SnapshotId}");
            Row($"cluster by {similarity}, {mode}: {snapshot.K} clusters of {snapshot.Members}", started, functions);
        }

        started = Stopwatch.GetTimestamp();
        await PublishAsync(clients[0], "client-0/late", 7);
        Row("publish one more, placed into two snapshots", started, functions);
    }

    private static void Row(string step, long started, Process functions) => Console.WriteLine(string.Create(
        CultureInfo.InvariantCulture, $"| {step} | {Stopwatch.GetElapsedTime(started).TotalSeconds:0.0} | {BenchmarkStack.Mebibytes(functions, "VmHWM"):0} |"));

    private static async Task PublishAsync(BenchmarkCaller client, string adapter, int seed)
    {
        if (await client.PublishAsync(adapter, Files(seed)) is { State: not "published" and var state })
            throw new InvalidOperationException($"{adapter} is {state}.");
    }

    private static Dictionary<string, byte[]> Files(int seed)
    {
        var (centre, own) = (new Random(seed % Groups), new Random(1000 + seed));
        var tensors = Enumerable.Range(0, Layers).SelectMany(layer => new[] { ("lora_A", Rank, Width), ("lora_B", Width, Rank) }.Select(t =>
        {
            var values = Enumerable.Range(0, Rank * Width).Select(_ => centre.NextDouble() - 0.5 + (0.6 * (own.NextDouble() - 0.5))).ToArray();
            return TensorSource.FromDoubles($"base_model.model.model.layers.{layer}.self_attn.q_proj.{t.Item1}.weight", TensorType.F32, [t.Item2, t.Item3], () => values);
        })).ToList();
        using var stream = new MemoryStream();
        SafetensorsWriter.Write(stream, tensors, SafetensorsWriter.PyTorch);
        var config = new AdapterConfig { BaseModel = Base, Rank = Rank, Alpha = Rank, TargetModules = ModuleSelector.List(["q_proj"]) };
        return new() { [RepositoryPath.Config] = config.ToJson(), [RepositoryPath.Weights] = stream.ToArray() };
    }
}
