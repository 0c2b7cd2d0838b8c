using System.Collections.Immutable;
using System.Diagnostics;
using System.Globalization;
using Marketplace.Core;
using Marketplace.Core.Algebra;
using Marketplace.Core.Analysis;
using Marketplace.Core.Formats;
using Marketplace.Core.Methods;

namespace Marketplace.Benchmarks;

/// <summary>
/// Clustering of libraries: synthetic sketches of planted clusters, number of clusters chosen; and adapters in files, exactly and from their sketches. Each row
/// is a process of its own, since peaks of memory are those of a process.
/// </summary>
internal static class MbcBenchmark
{
    private const int Planted = 100;
    private const int Adapters = 1000;
    private const int Modules = 24;
    private const int Rank = 16;
    private const int Width = 656; // 24·16·(656 + 656) = 503,808 parameters

    private static readonly int[] Sizes = [250, 500, 1000, 2500, 5000, 10_000];

    /// <summary>Runs one case, or all of them, and prints rows of Markdown tables.</summary>
    /// <param name="args">A case with its arguments; nothing for all.</param>
    public static void Run(string[] args)
    {
        switch (args)
        {
            case ["sketches", var n]:
                Sketches(int.Parse(n, CultureInfo.InvariantCulture));
                return;
            case ["files", var folder, "write"]:
                WriteAdapters(folder);
                return;
            case ["files", var folder, var mode]:
                Files(folder, mode);
                return;
        }

        Console.WriteLine($"{Environment.ProcessorCount} processors");
        Console.WriteLine("| adapters | layout s | k-means and choice s | snapshot s | all s | of both processors s | k | adjusted Rand | peak MiB | one arrival ms |\n|---|---|---|---|---|---|---|---|---|---|");
        foreach (var n in Sizes)
            Child("mbc", "sketches", n.ToString(CultureInfo.InvariantCulture));
        var root = Path.Combine(Path.GetTempPath(), $"marketplace-mbc-benchmark-{Environment.ProcessId}");
        try
        {
            Child("mbc", "files", root, "write");
            Console.WriteLine("| adapters in files | read s | products s | clusters s | all s | of both processors s | adjusted Rand | peak MiB, mapped files included | own MiB at the end |\n|---|---|---|---|---|---|---|---|---|");
            foreach (var mode in new[] { "sketch", "flatAb", "flatAb without thresholds", "delta" })
                Child("mbc", "files", root, mode);
        }
        finally
        {
            if (Directory.Exists(root))
                Directory.Delete(root, recursive: true);
        }
    }

    private static void Sketches(int n)
    {
        var planted = Math.Min(Planted, Math.Max(2, n / 50));
        var sketches = Plant(n, planted, out var labels);
        var before = Environment.CpuUsage.TotalTime.TotalSeconds;
        var started = Stopwatch.GetTimestamp();
        var selection = MbcSelection.Of(sketches, AdapterSimilarity.Delta);
        var rows = selection.Sketches(sketches, AdapterSimilarity.Delta);
        var library = MbcEmbedding.OfSketches(rows, 128);
        var layout = Lap(ref started);
        var (clustering, curve) = Mbc.Choose(library);
        var choice = Lap(ref started);
        var map = MbcMap.Of(library);
        var placement = MbcPlacement.Fit(rows, library, clustering.Labels, Enumerable.Range(0, clustering.Clusters.Length).Select(MbcNames.Of)).ToBytes();
        var snapshot = Lap(ref started);
        var processors = Environment.CpuUsage.TotalTime.TotalSeconds - before;
        var peak = MemoryUse.Read().PeakBytes >> 20;

        started = Stopwatch.GetTimestamp();
        var vector = new double[AdapterSketch.Size];
        MbcSelection.Vector(sketches[0], AdapterSimilarity.Delta, vector);
        var placed = MbcPlacement.Parse(placement).Place(vector);
        var arrival = Lap(ref started) * 1000;
        if (placed.Cluster != clustering.Labels[0] || map.X.Length != n || curve.IsEmpty)
            throw new InvalidOperationException("A member was placed elsewhere.");
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"| {n} ({planted} planted) | {layout:0.00} | {choice:0.00} | {snapshot:0.00} | {layout + choice + snapshot:0.00} | {processors:0.00} | {clustering.Clusters.Length} | {Rand(labels, clustering.Labels):0.0000} | {peak} | {arrival:0.0} |"));
    }

    // Centres that share a little of one direction, clusters of unequal sizes, members with as much of their own as of the cluster: cosines of 0.5 within and 0.1 between.
    private static AdapterSketch[] Plant(int n, int planted, out int[] labels)
    {
        var random = new Random(1);
        var shared = Normal(random, 1);
        var centres = Enumerable.Range(0, planted).Select(_ => Sum(Normal(random, 1), shared, 0.45)).ToList();
        var cluster = labels = [.. Enumerable.Range(0, n).Select(i => i < planted ? i : (int)(planted * Math.Pow(random.NextDouble(), 1.3)))];
        return [.. Enumerable.Range(0, n).Select(i =>
        {
            var x = Sum(centres[cluster[i]], Normal(random, 1.1), 1);
            return new AdapterSketch([.. x.Select(v => (float)v)], 1, [], 0, "");
        })];
    }

    private static double[] Normal(Random random, double norm) =>
        [.. Enumerable.Range(0, AdapterSketch.Size).Select(_ =>
            norm / Math.Sqrt(AdapterSketch.Size) * Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble()))];

    private static double[] Sum(double[] x, double[] y, double weight) => [.. x.Zip(y, (a, b) => a + (weight * b))];

    private static void WriteAdapters(string root)
    {
        const int clusters = 20;
        var config = new AdapterConfig { BaseModel = "benchmark/base", Rank = Rank, Alpha = Rank, TargetModules = ModuleSelector.List(ImmutableArray.Create("q_proj")) }.ToJson();
        Parallel.For(0, Adapters, i =>
        {
            var (centre, own) = (new Random(i % clusters), new Random(1000 + i));
            var folder = Directory.CreateDirectory(Path.Combine(root, $"a{i:D4}")).FullName;
            var tensors = Enumerable.Range(0, Modules).SelectMany(layer => new[] { ("lora_A", Rank, Width), ("lora_B", Width, Rank) }.Select(t =>
            {
                var values = Enumerable.Range(0, Rank * Width).Select(_ => ((centre.NextDouble() - 0.5) + (0.8 * (own.NextDouble() - 0.5))) / 10).ToArray();
                return TensorSource.FromDoubles($"base_model.model.model.layers.{layer}.self_attn.q_proj.{t.Item1}.weight", TensorType.F32, [t.Item2, t.Item3], () => values);
            })).ToList();
            SafetensorsWriter.Save(Path.Combine(folder, RepositoryPath.Weights), tensors, SafetensorsWriter.PyTorch);
            File.WriteAllBytes(Path.Combine(folder, RepositoryPath.Config), config);
            using var adapter = AdapterReader.Open(folder);
            File.WriteAllBytes(Path.Combine(folder, "sketch"), AdapterSketch.Of(adapter).ToBytes());
        });
    }

    private static void Files(string root, string mode)
    {
        string[] folders = [.. Directory.GetDirectories(root).Order(StringComparer.Ordinal)];
        var started = Stopwatch.GetTimestamp();
        var all = started;
        var (read, products) = (0d, 0d);
        MbcEmbedding library;
        if (mode == "sketch")
        {
            AdapterSketch[] sketches = [.. folders.Select(f => AdapterSketch.Parse(File.ReadAllBytes(Path.Combine(f, "sketch"))))];
            read = Lap(ref started);
            library = MbcEmbedding.OfSketches(MbcSelection.Of(sketches, AdapterSimilarity.FlatAb).Sketches(sketches, AdapterSimilarity.FlatAb));
        }
        else
        {
            Adapter[] adapters = [.. folders.Select(AdapterReader.Open)];
            read = Lap(ref started);
            library = mode == "delta" ? MbcEmbedding.OfCosines(Gram.Of(adapters).Cosine) : MbcEmbedding.OfGram(FlatFactors.Gram(adapters, mode == "flatAb" ? FlatFactors.DefaultSparsity : null));
        }

        products = Lap(ref started);
        var clustering = Mbc.Run(library, 20);
        var clusters = Lap(ref started);
        var labels = Enumerable.Range(0, folders.Length).Select(i => i % 20).ToArray();
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"| {folders.Length} × {2 * Modules * Rank * Width:N0}, {mode} | {read:0.00} | {products:0.00} | {clusters:0.00} | {Stopwatch.GetElapsedTime(all).TotalSeconds:0.00} | {Environment.CpuUsage.TotalTime.TotalSeconds:0.00} | {Rand(labels, clustering.Labels):0.0000} | {MemoryUse.Read().PeakBytes >> 20} | {MemoryUse.Read().AnonymousBytes >> 20} |"));
    }

    /// <summary>The adjusted Rand index: 1 for equal partitions, about 0 by chance.</summary>
    private static double Rand(int[] x, ImmutableArray<int> y)
    {
        static double Pairs<T>(IEnumerable<T> labels) => labels.GroupBy(l => l).Sum(g => g.Count() * (g.Count() - 1) / 2d);
        var (first, second, both) = (Pairs(x), Pairs(y), Pairs(x.Zip(y)));
        var expected = first * second / (x.Length * (x.Length - 1) / 2d);
        return (both - expected) / (((first + second) / 2) - expected);
    }

    private static double Lap(ref long started)
    {
        var seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
        started = Stopwatch.GetTimestamp();
        return seconds;
    }

    internal static void Child(params string[] args)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!);
        foreach (var arg in args)
            start.ArgumentList.Add(arg);
        using var process = Process.Start(start)!;
        process.WaitForExit();
        if (process.ExitCode != 0)
            throw new InvalidOperationException($"'{string.Join(' ', args)}' ended with {process.ExitCode}.");
    }
}
