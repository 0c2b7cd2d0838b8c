using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;

namespace Marketplace.Benchmarks;

/// <summary>
/// A mixed load at a stated rate for a long time: publishes, refusals, reads, downloads, keys, tags, merges, subtractions, clusterings and evaluations, each answer checked. Operations start by
/// the clock, whether or not the ones before have ended, so that a service that falls behind shows in the latencies. The set of names is fixed and versions grow, hence memory, handles and
/// threads have to level off.
/// </summary>
internal static class SoakBenchmark
{
    private const int Accounts = 6;
    private const int MostAtOnce = 200;
    private static readonly string[] Tasks = ["addmod", "copy", "last", "reverse", "sort", "upper"];

    /// <summary>Runs it; 0 without any error.</summary>
    /// <param name="args">Minutes (30) and operations a second (10).</param>
    public static async Task<int> Run(string[] args)
    {
        var minutes = args is [var m, ..] ? double.Parse(m, CultureInfo.InvariantCulture) : 30;
        var rate = args is [_, var r, ..] ? double.Parse(r, CultureInfo.InvariantCulture) : 10;
        await using var stack = await BenchmarkStack.StartAsync(kernels: true);
        var world = await SoakWorld.CreateAsync(stack, Accounts, Tasks);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{Environment.ProcessorCount} processors; {rate} operations a second for {minutes} minutes, at most {MostAtOnce} at once"));

        var (kinds, figures, errors) = (Mix(world), new ConcurrentDictionary<string, ConcurrentBag<double>>(), new ConcurrentQueue<string>());
        var (running, most, memory) = (0, 0, new List<Usage>());
        var (random, clock) = (new Random(1), Stopwatch.StartNew());
        var (total, nextLook) = ((int)(minutes * 60 * rate), TimeSpan.Zero);
        var pending = new List<Task>();
        for (var i = 0; i < total; i++)
        {
            if (TimeSpan.FromSeconds(i / rate) - clock.Elapsed is { Ticks: > 0 } wait)
                await Task.Delay(wait);
            if (clock.Elapsed >= nextLook)
            {
                memory.Add(Usage.Of(stack, clock.Elapsed));
                nextLook += TimeSpan.FromSeconds(30);
            }

            if (running >= MostAtOnce)
            {
                errors.Enqueue($"at {clock.Elapsed:mm\\:ss}: {MostAtOnce} operations at once; the service falls behind");
                await Task.WhenAny(pending);
            }

            pending.RemoveAll(p => p.IsCompleted);
            var (name, act) = Pick(kinds, random);
            most = Math.Max(most, Interlocked.Increment(ref running));
            pending.Add(RunAsync(name, act, i));
        }

        await Task.WhenAll(pending);
        memory.Add(Usage.Of(stack, clock.Elapsed));
        await Task.Delay(TimeSpan.FromSeconds(15));
        memory.Add(Usage.Of(stack, clock.Elapsed));
        Report(figures, memory, clock.Elapsed, most);
        foreach (var error in errors.Take(20))
            Console.WriteLine($"error: {error}");
        Console.WriteLine($"{figures.Sum(f => f.Value.Count)} operations, {errors.Count} errors");
        return errors.IsEmpty ? 0 : 1;

        async Task RunAsync(string name, Func<int, Task> act, int number)
        {
            var started = Stopwatch.GetTimestamp();
            try
            {
                await act(number);
            }
            catch (Exception e)
            {
                errors.Enqueue($"at {clock.Elapsed:mm\\:ss}, {name}: {e.Message}");
            }

            figures.GetOrAdd(name, _ => []).Add(Stopwatch.GetElapsedTime(started).TotalMilliseconds);
            Interlocked.Decrement(ref running);
        }
    }

    private static List<(double Share, string Name, Func<int, Task> Act)> Mix(SoakWorld world) =>
    [
        (22, "get an adapter", world.GetAsync),
        (12, "list and search", world.ListAsync),
        (16, "download a file, compared", world.DownloadAsync),
        (6, "neighbours, novelty", world.SimilarAsync),
        (4, "smaller rank", world.RankAsync),
        (8, "publish a version", world.PublishAsync),
        (3, "publish what is broken", world.PublishBrokenAsync),
        (4, "make a key, use it, take it back", world.KeyAsync),
        (4, "tag a version", world.TagAsync),
        (6, "a wrong key, a missing adapter", world.RefusedAsync),
        (4, "plan and compare", world.PlanAsync),
        (4, "merge", world.MergeAsync),
        (3, "subtract", world.SubtractAsync),
        (2, "cluster", world.ClusterAsync),
        (2, "evaluate", world.EvaluateAsync),
    ];

    private static (string, Func<int, Task>) Pick(List<(double Share, string Name, Func<int, Task> Act)> kinds, Random random)
    {
        var left = random.NextDouble() * kinds.Sum(k => k.Share);
        foreach (var (share, name, act) in kinds)
        {
            if ((left -= share) < 0)
                return (name, act);
        }

        return (kinds[^1].Name, kinds[^1].Act);
    }

    private static void Report(ConcurrentDictionary<string, ConcurrentBag<double>> figures, List<Usage> memory, TimeSpan elapsed, int most)
    {
        Console.WriteLine("| operation | number | a second | median ms | p95 ms | p99 ms | most ms |\n|---|---|---|---|---|---|---|");
        foreach (var (name, times) in figures.OrderBy(f => f.Key, StringComparer.Ordinal))
        {
            double[] sorted = [.. times.Order()];
            double At(double share) => sorted[(int)Math.Min(sorted.Length - 1, share * sorted.Length)];
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture, $"| {name} | {sorted.Length} | {sorted.Length / elapsed.TotalSeconds:0.00} | {At(0.5):0} | {At(0.95):0} | {At(0.99):0} | {sorted[^1]:0} |"));
        }

        Console.WriteLine($"At most {most} operations at once.\n| minute | function app: MiB, handles, threads | kernels: MiB, handles, threads |\n|---|---|---|");
        foreach (var (use, i) in memory.Select((u, i) => (u, i)))
        {
            if (i % 10 == 0 || i >= memory.Count - 2)
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {use.At.TotalMinutes:0.0} | {use.Functions} | {use.Kernels} |"));
        }

        // After the first third caches are full and code is compiled.
        var late = memory.Where(u => u.At > elapsed / 3).ToList();
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture, $"Growth after the first third, by least squares: function app {Slope(late, u => u.Functions.Mebibytes):0.0} MiB an hour, kernels {Slope(late, u => u.Kernels.Mebibytes):0.0} MiB an hour"));
    }

    private static double Slope(List<Usage> uses, Func<Usage, double> value)
    {
        var (x, y) = (uses.Average(u => u.At.TotalHours), uses.Average(value));
        return uses.Sum(u => (u.At.TotalHours - x) * (value(u) - y)) / uses.Sum(u => (u.At.TotalHours - x) * (u.At.TotalHours - x));
    }

    /// <summary>What a process holds.</summary>
    private readonly record struct Holding(double Mebibytes, int Handles, int Threads)
    {
        public static Holding Of(Process process)
        {
            process.Refresh();
            return new(BenchmarkStack.Mebibytes(process, "VmRSS"), Directory.GetFiles($"/proc/{process.Id}/fd").Length, process.Threads.Count);
        }

        public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Mebibytes:0}, {Handles}, {Threads}");
    }

    private sealed record Usage(TimeSpan At, Holding Functions, Holding Kernels)
    {
        public static Usage Of(BenchmarkStack stack, TimeSpan at) => new(at, Holding.Of(stack.Functions), Holding.Of(stack.Kernels!));
    }
}
