using System.Collections.Immutable;
using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Marketplace.Core;
using Marketplace.Core.Analysis;
using Marketplace.Core.Methods;
using Marketplace.Storage;
using Marketplace.Storage.Jobs;

namespace Marketplace.Benchmarks;

/// <summary>
/// What sketches are worth: the error of cosines that they estimate, by number of modules and rank; and what a library of 10,000 costs: the pack, one arrival. With
/// <c>Storage__ConnectionString</c> set, through storage, too.
/// </summary>
internal static class SketchBenchmark
{
    private const int Adapters = 14;
    private const int Library = 10_000;
    private const string Base = "benchmark/base";

    /// <summary>Prints the tables.</summary>
    /// <param name="withErrors">Whether errors are measured, or the library alone.</param>
    public static async Task RunAsync(bool withErrors)
    {
        if (withErrors)
            PrintErrors();
        var sketches = Planted(Library);
        if (!Environment.GetCommandLineArgs().Contains("--stored"))
            PrintLibrary(sketches);
        if (Environment.GetEnvironmentVariable("Storage__ConnectionString") is { Length: > 0 } connection)
            await PrintStoredAsync(connection, sketches);
    }

    private static void PrintErrors()
    {
        Console.WriteLine("|estimate − exact| of cosines, 91 pairs each\n\n| modules | rank | adapters | exact | ΔW: mean | 95 % | factors: mean | 95 % |\n|---|---|---|---|---|---|---|---|");
        foreach (var (modules, width) in new[] { (1, 2048), (2, 2048), (8, 1024), (128, 512) })
            foreach (var rank in new[] { 1, 4, 16, 64 })
                foreach (var related in new[] { false, true })
                    PrintErrors(modules, width, rank, related);
    }

    private static void PrintErrors(int modules, int width, int rank, bool related)
    {
        var random = new Random(modules + rank);
        var root = Draw(random, modules, width, rank);
        var adapters = Enumerable.Range(0, Adapters).Select(i => Open(related ? Mix(root, Draw(random, modules, width, rank), 0.1 * (i + 1)) : Draw(random, modules, width, rank))).ToList();
        var sketches = adapters.ConvertAll(AdapterSketch.Of);
        if (!Similarities.TryCompute(adapters, AdapterSimilarity.FlatAb, out var flat, out _))
            throw new InvalidOperationException("The factors can't be compared.");
        var (exact, errors, flatErrors) = (new List<double>(), new List<double>(), new List<double>());
        for (var i = 0; i < Adapters; i++)
            for (var j = 0; j < i; j++)
            {
                exact.Add(PairComparison.Of(adapters[i], adapters[j])!.Cosine);
                errors.Add(Math.Abs(AdapterSketch.DeltaCosine(sketches[i], sketches[j]) - exact[^1]));
                flatErrors.Add(Math.Abs(AdapterSketch.FlatAbCosine(sketches[i], sketches[j])!.Value - flat[i, j]));
            }

        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"| {modules} of {width}×{width} | {rank} | {(related ? "related" : "unrelated")} | {exact.Min():f2} … {exact.Max():f2} | {errors.Average():f4} | {Quantile(errors):f4} | {flatErrors.Average():f4} | {Quantile(flatErrors):f4} |"));
    }

    private static void PrintLibrary(AdapterSketch[] sketches)
    {
        var keys = Keys(sketches.Length);
        var entries = keys.Zip(sketches).ToDictionary(p => p.First, p => p.Second);
        var bytes = Array.Empty<byte>();
        var write = Median(() => bytes = SketchPack.Write(entries), 3);
        var read = Median(() => SketchPack.Read(bytes), 3);
        var target = sketches[77];
        var arrival = Median(() =>
        {
            var ranked = sketches.Select(s => (Sketch: s, Cosine: AdapterSketch.DeltaCosine(target, s))).OrderByDescending(s => Math.Abs(s.Cosine)).Select(s => s.Sketch);
            Novelty.Of(target, ranked, sketches.Length);
        }, 9);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"\n{sketches.Length} sketches: pack {bytes.Length / 1e6:f1} MB, written in {write * 1e3:f0} ms, read in {read * 1e3:f0} ms; one arrival, all cosines, order and novelty: {arrival * 1e3:f1} ms"));
    }

    // Member rows without adapters: a search reads no more than the rows before it confirms what it reports.
    private static async Task PrintStoredAsync(string connection, AdapterSketch[] sketches)
    {
        var storage = new MarketplaceStorage(new StorageOptions { ConnectionString = connection, Namespace = "bench" + Environment.ProcessId });
        await storage.CreateAllAsync();
        var keys = Keys(sketches.Length);
        await Parallel.ForEachAsync(Enumerable.Range(0, sketches.Length), new ParallelOptions { MaxDegreeOfParallelism = 32 }, async (i, ct) => await storage.Libraries.PutMemberAsync(
            new LibraryMember(Base, AdapterId.Parse($"bench/a{i:d5}"), false, new VersionPointer(1, new string('0', 40)), keys[i].Weights, keys[i].Config), ct));
        await storage.SketchPacks.TryWriteAsync(Base, SketchPack.Write(keys.Zip(sketches).ToDictionary(p => p.First, p => p.Second)), null);

        var cache = new ContentCache(storage.Content, Path.Combine(Path.GetTempPath(), $"marketplace-sketch-benchmark-{Environment.ProcessId}"), 1 << 20);
        using var analyses = new AdapterAnalyses(storage, cache);
        var library = new LibrarySketches(storage, cache, analyses);
        var search = new LibrarySearch(storage, library);
        var started = Stopwatch.GetTimestamp();
        var found = await library.LoadAsync(Base, [.. keys.Select(k => (k.Config, k.Weights))], CancellationToken.None);
        var cold = Stopwatch.GetElapsedTime(started).TotalSeconds;
        var times = new List<double>();
        for (var i = 0; i < 9; i++)
        {
            started = Stopwatch.GetTimestamp();
            var (ranked, _) = await search.RankAsync(Base, Caller.Anonymous, sketches[i], AdapterId.Parse("bench/arrival"), AdapterSimilarity.Delta, CancellationToken.None);
            times.Add(Stopwatch.GetElapsedTime(started).TotalSeconds);
            if (ranked[0].Estimate < 0.999)
                throw new InvalidOperationException("An adapter is not its own neighbour.");
        }

        times.Sort();
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"through storage: {found.Count(s => s is not null)} sketches loaded by a cold process in {cold * 1e3:f0} ms; one arrival by a warm one, the library's rows read anew: {times[4] * 1e3:f0} ms (fastest {times[0] * 1e3:f0} ms)"));
    }

    private static SketchKey[] Keys(int count) =>
        [.. Enumerable.Range(0, count).Select(i => new SketchKey(Digest.Of(Encoding.ASCII.GetBytes($"c{i}")), Digest.Of(Encoding.ASCII.GetBytes($"w{i}"))))];

    // Fifty clusters.
    private static AdapterSketch[] Planted(int count)
    {
        var random = new Random(1);
        var roots = Enumerable.Range(0, 50).Select(_ => Numbers(random)).ToArray();
        return [.. Enumerable.Range(0, count).Select(i =>
        {
            var (own, root) = (Numbers(random), roots[i % roots.Length]);
            for (var j = 0; j < own.Length; j++)
                own[j] += root[j];
            var values = ImmutableCollectionsMarshal.AsImmutableArray(own);
            return new AdapterSketch(values, 1, values, 1, new string('0', 32));
        })];
    }

    private static float[] Numbers(Random random) => [.. Enumerable.Range(0, AdapterSketch.Size).Select(_ => random.NextSingle() - 0.5f)];

    private static LowRankDelta[] Draw(Random random, int modules, int width, int rank) =>
        [.. Enumerable.Range(0, modules).Select(_ => new LowRankDelta(Fill(new Matrix(width, rank), random), Fill(new Matrix(rank, width), random)))];

    private static Matrix Fill(Matrix matrix, Random random)
    {
        for (var i = 0; i < matrix.Values.Length; i++)
            matrix.Values[i] = random.NextDouble() - 0.5;
        return matrix;
    }

    private static LowRankDelta[] Mix(LowRankDelta[] root, LowRankDelta[] own, double share) => [.. root.Zip(own, (r, o) => new LowRankDelta(Mix(r.B, o.B, share), Mix(r.A, o.A, share)))];

    private static Matrix Mix(Matrix root, Matrix own, double share) => new(root.Rows, root.Columns, [.. root.Values.Zip(own.Values, (x, y) => x + (share * y))]);

    private static Adapter Open(LowRankDelta[] deltas)
    {
        var named = deltas.Select((d, i) => (Module: new TargetModule($"layers.{i}.q_proj", ModuleKind.Linear, d.Out, d.In, d.Rank, 1), Delta: d)).ToDictionary(d => d.Module.Name);
        return new Adapter(new Core.Formats.AdapterConfig(), named.Values.Select(d => d.Module), m => named[m.Name].Delta);
    }

    private static double Quantile(List<double> errors) => errors.Order().ElementAt((int)(0.95 * errors.Count));

    private static double Median(Action action, int repeats)
    {
        var times = new List<double>();
        for (var i = -1; i < repeats; i++)
        {
            var started = Stopwatch.GetTimestamp();
            action();
            if (i >= 0)
                times.Add(Stopwatch.GetElapsedTime(started).TotalSeconds);
        }

        times.Sort();
        return times[repeats / 2];
    }
}
