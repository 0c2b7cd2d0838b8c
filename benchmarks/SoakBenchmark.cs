using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using Marketplace.Core.Api;
using Marketplace.Core.Evaluation;
using Marketplace.Core.Merges;

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

/// <summary>What the soak works on: the sample library in each account, and the callers.</summary>
internal sealed class SoakWorld
{
    private const string Base = "marketplace/samples-base";

    private readonly List<BenchmarkCaller> callers = [];
    private readonly Dictionary<string, Dictionary<string, byte[]>> samples = [];
    private readonly string[] tasks;
    private readonly BenchmarkCaller anonymous;
    private readonly BenchmarkCaller wrongKey;
    private readonly Dictionary<string, byte[]> broken;
    private readonly BenchmarkStack stack;

    private SoakWorld(BenchmarkStack stack, string[] tasks, string samplesFolder)
    {
        (this.stack, this.tasks) = (stack, tasks);
        anonymous = stack.Caller(null);
        wrongKey = stack.Caller("hf_" + new string('x', 37));
        foreach (var name in (string[])[.. tasks, "log"])
            samples[name] = Read(Path.Combine(samplesFolder, "library", name));
        broken = Read(Path.Combine(samplesFolder, "broken", "truncated"));
    }

    public static async Task<SoakWorld> CreateAsync(BenchmarkStack stack, int accounts, string[] tasks)
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!Directory.Exists(Path.Combine(folder.FullName, "samples", "library")))
            folder = folder.Parent ?? throw new InvalidOperationException("The samples are not above this program.");
        var samplesFolder = Path.Combine(folder.FullName, "samples");
        var world = new SoakWorld(stack, tasks, samplesFolder);

        var baseFiles = Read(Path.Combine(samplesFolder, "base"));
        var registered = await stack.Admin.RegisterAsync(Base, baseFiles);
        Expect(registered.State == "published", $"The base model is {registered.State}.");
        for (var i = 0; i < accounts; i++)
        {
            var caller = await stack.AccountAsync($"soak{i}");
            world.callers.Add(caller);
            foreach (var (name, files) in world.samples)
                Expect((await caller.PublishAsync($"soak{i}/{name}", files)).State == "published", $"{name} is not published.");
            await caller.PostAsync<PublishEvaluationSetResponse>("evaluation-sets", new PublishEvaluationSetRequest(
                $"soak{i}/copy-few", [.. File.ReadLines(Path.Combine(samplesFolder, "sets", "copy.jsonl")).Take(8).Select(l => JsonDocument.Parse(l).RootElement)]));
        }

        return world;
    }

    public async Task GetAsync(int n) => Expect((await anonymous.GetAsync<AdapterView>($"adapters/{Adapter(n)}")).Id == Adapter(n), "another adapter came back");

    public async Task ListAsync(int n)
    {
        var list = await anonymous.GetAsync<ListResponse<AdapterView>>(n % 2 == 0 ? $"adapters?owner=soak{n % callers.Count}" : $"adapters?baseModel={Base}&limit=20");
        Expect(list.Items.Count > 0, "an empty list");
    }

    public async Task DownloadAsync(int n)
    {
        var weights = await anonymous.DownloadAsync($"adapters/soak{n % callers.Count}/log/versions/1/files/adapter_model.safetensors");
        Expect(SHA256.HashData(weights).SequenceEqual(SHA256.HashData(samples["log"]["adapter_model.safetensors"])), "other bytes");
    }

    public async Task SimilarAsync(int n) => await anonymous.GetAsync<JsonElement>(n % 2 == 0 ? $"adapters/{Adapter(n)}/similar?limit=3" : $"adapters/{Adapter(n)}/novelty");

    public async Task RankAsync(int n) => await anonymous.GetAsync<JsonElement>($"adapters/{Adapter(n)}/versions/main/ranks/{1 + (n % 4)}");

    // The card differs each time, so that each is a version of its own; the weights are stored once.
    public async Task PublishAsync(int n)
    {
        var files = new Dictionary<string, byte[]>(samples[Task(n)]) { ["notes.txt"] = System.Text.Encoding.UTF8.GetBytes($"soak {n}\n") };
        var status = await callers[n % callers.Count].PublishAsync(Adapter(n), files);
        Expect(status.State == "published", $"{Adapter(n)} is {status.State}: {status.Detail}");
    }

    public async Task PublishBrokenAsync(int n)
    {
        var status = await callers[n % callers.Count].PublishAsync($"soak{n % callers.Count}/broken", broken);
        Expect(status.State == "rejected" && status.Issues!.Any(i => i.Code == "truncated"), $"a truncated adapter is {status.State}");
    }

    public async Task KeyAsync(int n)
    {
        var caller = callers[n % callers.Count];
        var key = await caller.PostAsync<KeyView>("keys", new CreateKeyRequest($"soak {n}", "read"));
        using var other = new BenchmarkCaller(stack.Address, key.Token);
        Expect((await other.GetAsync<WhoAmIView>("whoami")).Owner == $"soak{n % callers.Count}", "a key of somebody else");
        Expect(await caller.StatusAsync(HttpMethod.Delete, $"keys/{key.Id}") == 204, "a key that can't be taken back");
        Expect(await other.StatusAsync(HttpMethod.Get, "whoami") == 401, "a key that works after it was taken back");
    }

    public async Task TagAsync(int n)
    {
        var (caller, adapter) = (callers[n % callers.Count], Adapter(n));
        Expect(await caller.StatusAsync(HttpMethod.Put, $"adapters/{adapter}/tags/soak-{n}") == 204, "a tag that can't be set");
        Expect(await caller.StatusAsync(HttpMethod.Delete, $"adapters/{adapter}/tags/soak-{n}") == 204, "a tag that can't be forgotten");
    }

    public async Task RefusedAsync(int n)
    {
        if (n % 4 == 0)
            Expect(await wrongKey.StatusAsync(HttpMethod.Get, "whoami") == 401, "a wrong key is let in");
        else
            Expect(await anonymous.StatusAsync(HttpMethod.Get, $"adapters/soak0/missing-{n}") == 404, "a missing adapter is there");
    }

    public async Task PlanAsync(int n)
    {
        if (n % 2 == 0)
            await callers[n % callers.Count].PostAsync<JsonElement>("merges/plan", Recipe(n));
        else
            await callers[n % callers.Count].PostAsync<JsonElement>("compatibility", new CompatibilityRequest([Adapter(n), Adapter(n + 1)]));
    }

    public async Task MergeAsync(int n)
    {
        var caller = callers[n % callers.Count];
        await caller.FinishAsync(await caller.PostAsync<JobView>("merges", Recipe(n) with { Output = new OutputRequest($"soak{n % callers.Count}/merged") }));
    }

    public async Task SubtractAsync(int n)
    {
        var caller = callers[n % callers.Count];
        await caller.FinishAsync(await caller.PostAsync<JobView>("subtractions", new SubtractionRequest(
            Adapter(n), [new($"soak{n % callers.Count}/log")], new OutputRequest($"soak{n % callers.Count}/residual"), Beta: 0.1 + (n % 1000 / 1000.0))));
    }

    public async Task ClusterAsync(int n)
    {
        var caller = callers[n % callers.Count];
        await caller.FinishAsync(await caller.PostAsync<JobView>("clusterings", new ClusteringRequest(Base, Scope: "mine", Mode: "sketch")));
    }

    public async Task EvaluateAsync(int n)
    {
        var caller = callers[n % callers.Count];
        await caller.FinishAsync(await caller.PostAsync<JobView>("evaluations", new EvaluationRequest(
            [$"soak{n % callers.Count}/copy-few"], [new WeightedSubject([new(Adapter(n), n % 1000 / 1000.0)])])));
    }

    private static void Expect(bool condition, string message)
    {
        if (!condition)
            throw new InvalidOperationException(message);
    }

    private static Dictionary<string, byte[]> Read(string folder) => Directory.GetFiles(folder).ToDictionary(f => Path.GetFileName(f), File.ReadAllBytes);

    private string Task(int n) => tasks[n / callers.Count % tasks.Length];

    private string Adapter(int n) => $"soak{n % callers.Count}/{Task(n)}";

    private MergeRecipe Recipe(int n) => new(n % 3 == 0 ? "ties" : "linear", [new(Adapter(n), Weight: 1 + (n % 100 / 100.0)), new($"soak{n % callers.Count}/log@1", Weight: 0.5)]);
}
