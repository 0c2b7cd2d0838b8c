using System.Diagnostics;
using System.Globalization;
using Marketplace.Core;
using Marketplace.Core.Formats;
using Marketplace.Core.Merges;
using Marketplace.Core.Methods;
using Marketplace.Kernels;
using Marketplace.Kernels.Merges;

namespace Marketplace.Benchmarks;

/// <summary>
/// Merges of 7B geometry, files in and a file out, with the time that the arithmetic alone would take, and the peak of memory; and the dense way for one
/// module. Each case runs in a process of its own, since peaks are those of a process. Minutes, so no BenchmarkDotNet.
/// </summary>
internal static class MergeBenchmark
{
    private const int Adapters = 8;
    private const int Rank = 16;
    private const int Width = 4096;
    private const int Layers = 32;

    private static readonly string[] Projections = ["q_proj", "k_proj", "v_proj", "o_proj"];

    private static readonly string[] Cases = ["floor", "idle", "linear", "ties", "dense 2048", "dense 4096"];

    /// <summary>Runs one case, or all of them, and prints rows of Markdown tables.</summary>
    /// <param name="args">A case; nothing for all; <c>--layers n</c> for a smaller model.</param>
    public static void Run(string[] args)
    {
        var layers = Array.IndexOf(args, "--layers") is >= 0 and var at ? int.Parse(args[at + 1], CultureInfo.InvariantCulture) : Layers;
        if (args is [not "--layers" and var only, ..])
        {
            RunCase(only, args[1..], layers);
            return;
        }

        var folder = Path.Combine(Path.GetTempPath(), $"marketplace-merge-benchmark-{Environment.ProcessId}");
        try
        {
            Console.WriteLine($"{Environment.ProcessorCount} processors; {layers} layers × {Projections.Length} modules of {Width}×{Width}; {Adapters} adapters of rank {Rank}, BF16");
            WriteAdapters(folder, layers);
            foreach (var name in Cases)
                Child([.. name.Split(' '), "--folder", folder, "--layers", $"{layers}"]);
        }
        finally
        {
            if (Directory.Exists(folder))
                Directory.Delete(folder, recursive: true);
        }
    }

    private static void RunCase(string name, string[] args, int layers)
    {
        var folder = Array.IndexOf(args, "--folder") is >= 0 and var at ? args[at + 1] : "";
        switch (name)
        {
            case "floor":
                MergeFloor.Print(Directory.GetFiles(folder, RepositoryPath.Weights, SearchOption.AllDirectories));
                break;
            case "idle": // what a process takes that has loaded libtorch and multiplied once
                KernelDevice.UseOneThread();
                _ = new TorchKernels(KernelDevice.Cpu).Times(new Matrix(256, 256), new Matrix(256, 256));
                Console.WriteLine($"idle process with libtorch: {MemoryUse.Read()}");
                break;
            case "linear":
                Merge(name, folder, Uniform("linear") with { Rank = Rank }, layers);
                break;
            case "ties":
                Merge(name, folder, Uniform("ties").With("density", 0.2) with { Rank = Rank }, layers);
                break;
            case "dense":
                DenseMerge.Print(int.Parse(args[0], CultureInfo.InvariantCulture), Adapters, Rank);
                break;
            default:
                throw new ArgumentException($"Cases are: {string.Join(", ", Cases)}.", nameof(name));
        }
    }

    private static MergeRecipe Uniform(string method) => MergeRecipe.Over(method, [.. Enumerable.Repeat(1d / Adapters, Adapters)]);

    private static void Merge(string name, string folder, MergeRecipe recipe, int layers)
    {
        var output = Directory.CreateDirectory(Path.Combine(folder, $"result-{name}")).FullName;
        var started = Stopwatch.GetTimestamp();
        var processor = Process.GetCurrentProcess().TotalProcessorTime;
        Adapter[] inputs = [.. Enumerable.Range(0, Adapters).Select(e => AdapterReader.Open(Path.Combine(folder, $"{e}")))];
        if (!MergePlan.TryCreate(recipe, inputs, out var plan, out var problems))
            throw new InvalidOperationException(string.Join('\n', problems));
        var estimate = MergeEstimate.Of(plan);
        var reports = new List<ModuleReport>();
        var mapped = 0L;
        var modules = TorchMerge.Run(plan, inputs, MergeResources.AllProcessors, p => mapped = Math.Max(mapped, p.Done % 16 == 0 ? MemoryUse.Read().MappedBytes : 0)).Select(m =>
        {
            reports.Add(m.Report);
            return m;
        });
        if (!ServingExport.TryCreate(modules, new("benchmark/base", TensorType.BF16), out var export, out var failures))
            throw new InvalidOperationException(string.Join('\n', failures));
        export.Save(output);
        var seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
        var use = MemoryUse.Read();
        var report = new MergeReport([.. reports], plan.NotMerged);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"""
             {name}, {layers * Projections.Length} modules: {seconds:f1} s ({(Process.GetCurrentProcess().TotalProcessorTime - processor).TotalSeconds:f1} s of processor time); peak {use}
               largest share of mapped files and libraries seen: {mapped >> 20} MiB
               managed heap, committed: {GC.GetGCMemoryInfo().TotalCommittedBytes >> 20} MiB
               seconds per module: fastest {reports.Min(r => r.Seconds):f3}, mean {reports.Average(r => r.Seconds):f3}
               floor: {MergeFloor.Seconds(estimate.Flops, plan.Graph.Root.Method.Class == MethodClass.Elementwise):f1} s for {estimate.Flops / 1e9:f0} GFLOP at the rate of matrix products now; estimated peak of one module {estimate.PeakBytes >> 20} MiB
               kept at rank {report.MaxRank}: {1 - (report.RelativeDiscarded * report.RelativeDiscarded):p2} of |ΔW|²
             """));
        foreach (var input in inputs)
            input.Dispose();
    }

    // Uniform factors: ΔW of different adapters share nothing, and the spectrum of their merge is as flat as it gets, the slow case of the iteration.
    private static void WriteAdapters(string folder, int layers)
    {
        for (var e = 0; e < Adapters; e++)
        {
            var random = new Random(e);
            var own = Directory.CreateDirectory(Path.Combine(folder, $"{e}")).FullName;
            SafetensorsWriter.Save(Path.Combine(own, RepositoryPath.Weights), Enumerable.Range(0, layers).SelectMany(layer => Projections.SelectMany(p => new[]
            {
                new TensorSource($"base_model.model.model.layers.{layer}.self_attn.{p}.lora_A.weight", TensorType.BF16, [Rank, Width], () => Draw(random)),
                new TensorSource($"base_model.model.model.layers.{layer}.self_attn.{p}.lora_B.weight", TensorType.BF16, [Width, Rank], () => Draw(random)),
            })), SafetensorsWriter.PyTorch);
            var config = new AdapterConfig { BaseModel = "benchmark/base", Rank = Rank, Alpha = Rank, TargetModules = ModuleSelector.List(Projections) };
            File.WriteAllBytes(Path.Combine(own, RepositoryPath.Config), config.ToJson());
        }
    }

    private static byte[] Draw(Random random)
    {
        var bytes = new byte[Width * Rank * 2];
        for (var i = 0; i < bytes.Length; i += 2)
            BitConverter.TryWriteBytes(bytes.AsSpan(i), TensorConversion.ToBFloat16((random.NextSingle() - 0.5) / 10));
        return bytes;
    }

    private static void Child(string[] args)
    {
        string[] all = Environment.ProcessPath!.EndsWith("dotnet", StringComparison.Ordinal) ? [typeof(MergeBenchmark).Assembly.Location, "merge", .. args] : ["merge", .. args];
        using var process = Process.Start(new ProcessStartInfo(Environment.ProcessPath, all))!;
        process.WaitForExit();
        if (process.ExitCode != 0)
            throw new InvalidOperationException($"{string.Join(' ', args)} failed.");
    }
}
