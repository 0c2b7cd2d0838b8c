using System.Collections.Immutable;
using System.Diagnostics;
using BenchmarkDotNet.Attributes;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Engines;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Toolchains.InProcess.Emit;
using Marketplace.Core;
using Marketplace.Core.Algebra;
using Marketplace.Core.Formats;
using Marketplace.Core.Validation;

namespace Marketplace.Benchmarks;

/// <summary>
/// One pass over a 160 MB adapter (header, SHA-256, NaN scan, every check) against <c>openssl dgst -sha256</c> of the same file. The whole
/// validation adds git's SHA-1 and the norms of ΔW.
/// </summary>
[Config(typeof(WholeFiles))]
[MemoryDiagnoser]
public class ValidationBenchmark
{
    private const int Layers = 40;
    private const int Width = 4096;
    private const int Rank = 64;

    private string folder = "";
    private IReadOnlyList<AdapterFile> files = [];

    /// <summary>Writes the adapter: 40 layers, q and v, 4096×4096, rank 64, half precision.</summary>
    [GlobalSetup]
    public void Write()
    {
        folder = Directory.CreateTempSubdirectory("marketplace-benchmark-").FullName;
        var random = new Philox(1, "benchmark");
        var factor = new byte[Width * Rank * 2];
        TensorConversion.FromDouble(TensorType.F16, [.. Enumerable.Range(0, Width * Rank).Select(_ => (random.NextDouble() - 0.5) / 10)], factor);
        var tensors = Enumerable.Range(0, Layers).SelectMany(layer => new[] { "q_proj", "v_proj" }.SelectMany(module => new[]
        {
            new TensorSource($"base_model.model.model.layers.{layer}.self_attn.{module}.lora_A.weight", TensorType.F16, [Rank, Width], () => factor),
            new TensorSource($"base_model.model.model.layers.{layer}.self_attn.{module}.lora_B.weight", TensorType.F16, [Width, Rank], () => factor),
        }));
        SafetensorsWriter.Save(Path.Combine(folder, RepositoryPath.Weights), tensors, SafetensorsWriter.PyTorch);
        var config = new AdapterConfig
        {
            BaseModel = "benchmark/base",
            Rank = Rank,
            Alpha = Rank,
            TargetModules = ModuleSelector.List(ImmutableArray.Create("q_proj", "v_proj")),
        };
        File.WriteAllBytes(Path.Combine(folder, RepositoryPath.Config), config.ToJson());
        files = AdapterFile.FromFolder(folder);
    }

    /// <summary>Removes it.</summary>
    [GlobalCleanup]
    public void Delete() => Directory.Delete(folder, recursive: true);

    /// <summary>The yardstick: a process that does nothing but hash the file.</summary>
    [Benchmark(Baseline = true)]
    public int OpenSsl()
    {
        var start = new ProcessStartInfo("openssl", ["dgst", "-sha256", Path.Combine(folder, RepositoryPath.Weights)]) { RedirectStandardOutput = true };
        using var process = Process.Start(start)!;
        process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0 ? 0 : throw new InvalidOperationException("openssl failed.");
    }

    /// <summary>Header, SHA-256, NaN scan and all checks.</summary>
    [Benchmark]
    public int Scan() => Accepted(new ValidationOptions(GitHashes: false, Norms: false));

    /// <summary>The same with git's SHA-1 and the norms, as an upload is validated.</summary>
    [Benchmark]
    public int Everything() => Accepted(new ValidationOptions());

    private int Accepted(ValidationOptions options)
    {
        var report = AdapterValidator.Validate(files, options);
        return report.Accepted ? report.Modules.Length : throw new InvalidOperationException(report.ToJson());
    }

    // One call takes long enough to be an iteration, and the file is written once for all.
    private sealed class WholeFiles : ManualConfig
    {
        public WholeFiles() => AddJob(Job.Default
            .WithToolchain(new InProcessEmitToolchain(TimeSpan.FromMinutes(5), logOutput: true)).WithStrategy(RunStrategy.Monitoring).WithWarmupCount(1).WithIterationCount(7));
    }
}
