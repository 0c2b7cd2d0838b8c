using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using Marketplace.Core;
using Marketplace.Core.Algebra;
using Marketplace.Core.Analysis;
using Marketplace.Core.Formats;
using Marketplace.Core.Validation;

namespace Marketplace.Benchmarks;

/// <summary>
/// What a publication costs in arithmetic: validation, with both hashes and norms, and the whole analysis of an adapter of 7B geometry (32 layers × q, k, v, o of 4096×4096, rank 16),
/// on one core, from the page cache, with the parts of it on their own. The process binds itself to one processor, and its processor time is what counts: the clock also sees what else the machine does.
/// </summary>
internal static class AnalysisBenchmark
{
    private const int Layers = 32;
    private const int Width = 4096;
    private const int Rank = 16;
    private const int Repeats = 7;

    private static readonly string[] Projections = ["q_proj", "k_proj", "v_proj", "o_proj"];

    /// <summary>Prints a table for each element type.</summary>
    public static void Run()
    {
        if (OperatingSystem.IsLinux() || OperatingSystem.IsWindows())
            Process.GetCurrentProcess().ProcessorAffinity = 1;
        foreach (var type in new[] { TensorType.F32, TensorType.BF16 })
        {
            var folder = Directory.CreateTempSubdirectory("marketplace-analysis-benchmark-").FullName;
            try
            {
                var (one, other) = (Directory.CreateDirectory(Path.Combine(folder, "one")).FullName, Directory.CreateDirectory(Path.Combine(folder, "other")).FullName);
                Write(one, type, 1);
                Write(other, type, 2);
                Print(one, type, other);
            }
            finally
            {
                Directory.Delete(folder, recursive: true);
            }
        }
    }

    private static void Print(string folder, TensorType type, string another)
    {
        var weights = Path.Combine(folder, RepositoryPath.Weights);
        var bytes = new FileInfo(weights).Length;
        var files = AdapterFile.FromFolder(folder);
        using var adapter = AdapterReader.Open(folder);
        using var other = AdapterReader.Open(another);
        var factors = new FactorBuffer(adapter);
        var sketch = new double[AdapterSketch.Size];
        Console.WriteLine($"\n{type}, {bytes / 1e6:f1} MB, {adapter.Modules.Length} modules, one processor; median of {Repeats}\n\n| | processor time | MB/s |\n|---|---|---|");
        Row("SHA-256 alone", () => Hash(weights));
        Row("validation: scan, SHA-256, checks", () => Accept(files, new ValidationOptions(GitHashes: false, Norms: false)));
        Row("validation: all", () => Accept(files, new ValidationOptions()));
        Row("analysis", () => Analyse(folder));
        Row("validation and analysis", () =>
        {
            Accept(files, new ValidationOptions());
            Analyse(folder);
        });
        Row("of it, reading the factors (three times)", () => Each(adapter, factors, _ => { }), 3);
        Row("of it, QR and core SVD", () => Each(adapter, factors, m => LowRankSpectrum.Of(factors.B, factors.A, m.Rank)));
        Row("of it, QR", () => Each(adapter, factors, m =>
        {
            TriangularFactor.OfRows(factors.B, m.Rank);
            TriangularFactor.OfColumns(factors.A, m.In);
        }));
        Row("of it, prototype and spectrum", () => Each(adapter, factors, m => LowRankSpectrum.Of(factors.B, factors.A, m.Rank).Direction(factors.A)));
        Row("of it, sketch of ΔW", () => Each(adapter, factors, m => SketchProjection.AddDelta(sketch, m.Name, factors.B, factors.A, m.Rank)));
        Row("of it, quantile", () => FlatQuantile.Of(adapter, 0.8));
        Row("of it, sketch of the factors", () => Each(adapter, factors, m =>
        {
            SketchProjection.AddFactor(sketch, "A", m.Name, factors.A, 0.04);
            SketchProjection.AddFactor(sketch, "B", m.Name, factors.UnscaledB(), 0.04);
        }));
        Row("beside it: the exact cosine with one other adapter", () => PairComparison.Of(adapter, other));

        void Row(string name, Action action, int times = 1)
        {
            var seconds = Median(action) * times;
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {name} | {seconds * 1e3:f0} ms | {bytes / 1e6 / seconds:f0} |"));
        }
    }

    private static double Median(Action action)
    {
        var times = new List<double>();
        for (var i = -3; i < Repeats; i++)
        {
            var started = Environment.CpuUsage.TotalTime;
            action();
            if (i >= 0)
                times.Add((Environment.CpuUsage.TotalTime - started).TotalSeconds);
        }

        times.Sort();
        return times[Repeats / 2];
    }

    private static void Each(Adapter adapter, FactorBuffer factors, Action<TargetModule> action)
    {
        foreach (var module in adapter.Modules)
        {
            factors.Read(module);
            action(module);
        }
    }

    private static void Hash(string path)
    {
        using var stream = File.OpenRead(path);
        SHA256.HashData(stream);
    }

    private static void Accept(IReadOnlyList<AdapterFile> files, ValidationOptions options)
    {
        var report = AdapterValidator.Validate(files, options);
        if (!report.Accepted)
            throw new InvalidOperationException(report.ToJson());
    }

    private static void Analyse(string folder)
    {
        using var adapter = AdapterReader.Open(folder);
        if (AdapterAnalysis.Compute(adapter).Length != 3)
            throw new InvalidOperationException("A result is missing.");
    }

    private static void Write(string folder, TensorType type, int seed)
    {
        var random = new Random(seed);
        SafetensorsWriter.Save(Path.Combine(folder, RepositoryPath.Weights), Enumerable.Range(0, Layers).SelectMany(layer => Projections.SelectMany(p => new[]
        {
            TensorSource.FromDoubles($"base_model.model.model.layers.{layer}.self_attn.{p}.lora_A.weight", type, [Rank, Width], () => Draw(random)),
            TensorSource.FromDoubles($"base_model.model.model.layers.{layer}.self_attn.{p}.lora_B.weight", type, [Width, Rank], () => Draw(random)),
        })), SafetensorsWriter.PyTorch);
        var config = new AdapterConfig { BaseModel = "benchmark/base", Rank = Rank, Alpha = 2 * Rank, TargetModules = ModuleSelector.List(Projections) };
        File.WriteAllBytes(Path.Combine(folder, RepositoryPath.Config), config.ToJson());
    }

    // Of normal distribution, as trained weights nearly are: their magnitudes spread over many powers of two.
    private static double[] Draw(Random random)
    {
        var numbers = new double[Width * Rank];
        for (var i = 0; i < numbers.Length; i++)
            numbers[i] = 0.02 * Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
        return numbers;
    }
}
