using System.Diagnostics;
using System.Globalization;
using Marketplace.Core;
using Marketplace.Core.Formats;
using Marketplace.Core.Methods;

namespace Marketplace.Benchmarks;

/// <summary>Arrow at the size of a library: prototypes of 100 adapters, tokens routed among them, and a diverse subset of 10,000.</summary>
internal static class RouteBenchmark
{
    private const int Experts = 100;
    private const int Width = 4096;
    private const int Rank = 16;
    private const int Tokens = 4096;
    private const int Library = 10_000;
    private const int Groups = 100;
    private const int SketchSize = 1024;
    private const int Picks = 50;

    /// <summary>Runs all cases and prints rows of a Markdown table.</summary>
    public static void Run()
    {
        Console.WriteLine($"{Environment.ProcessorCount} processors; {Experts} adapters of rank {Rank}, modules of {Width}×{Width}");
        var adapters = Enumerable.Range(0, Experts + 2).Select(MakeAdapter).ToList();
        var names = adapters.Select((_, i) => $"e{i}").ToList();
        var subtraction = new RouterSubtraction(["g0", "g1"], [1, 1], 1, RouterSubtractionMode.Exact);
        RouterOptions tied = new() { Ties = [["q_proj", "k_proj", "v_proj"]] };
        var router = Prototypes("three modules", null, new());
        Prototypes("three modules, two general adapters subtracted", subtraction, new());
        Prototypes("the same three modules tied", null, tied);

        var module = router.Find("q_proj")!;
        var tokens = new Matrix(Tokens, Width);
        var random = new Random(1);
        Fill(tokens.Values, random);
        Row($"{Tokens} tokens routed, top 4", 3, () => RouterBatch.Route(router, module, tokens));
        Prototype[] reference =
        [
            .. Enumerable.Range(0, Experts).Select(e => new Prototype("q_proj", [.. router.Prototypes(module).Slice(e * Width, Width).ToArray().Select(v => (double)v)], 1, 0)),
        ];
        Row("the same token by token, on one thread", 1, () =>
        {
            for (var t = 0; t < Tokens; t++)
                Router.Weights(tokens.Row(t), reference);
        });

        var sketches = Sketches(random);
        foreach (var objective in Enum.GetValues<DiverseObjective>())
        {
            DiverseSubset? subset = null;
            Row($"{Picks} of {Library}, {objective}", 1, () => subset = DiverseSubset.Choose(sketches, Picks, objective));
            var groups = subset!.Picks.Select(p => p.Index % Groups).Distinct().Count();
            Console.WriteLine($"  {subset.Evaluations} gains computed, {groups} of {Groups} groups met");
        }

        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"peak {MemoryUse.Read().PeakBytes >> 20} MiB"));

        RouterModel Prototypes(string what, RouterSubtraction? minus, RouterOptions options)
        {
            RouterModel? model = null;
            Row($"prototypes of {what}", 1, () =>
            {
                if (!RouterPlan.TryCreate(names[..Experts], adapters[..Experts], minus, minus is null ? [] : adapters[Experts..], options, out var plan, out var problems))
                    throw new InvalidOperationException(problems[0].Message);
                model = plan.Compute();
            });
            return model!;
        }
    }

    // Factors are in memory, so that reading them is not measured; the modules of an adapter share one pair.
    private static Adapter MakeAdapter(int seed)
    {
        var random = new Random(seed);
        var delta = new LowRankDelta(new Matrix(Width, Rank), new Matrix(Rank, Width));
        Fill(delta.A.Values, random);
        Fill(delta.B.Values, random);
        return new(new AdapterConfig(), new[] { "q_proj", "k_proj", "v_proj" }.Select(n => new TargetModule(n, ModuleKind.Linear, Width, Width, Rank, 1)), _ => delta);
    }

    // Groups whose members have cosines of about 0.8 with each other and none with others.
    private static ReadOnlyMemory<float>[] Sketches(Random random)
    {
        var centres = Enumerable.Range(0, Groups).Select(_ => Vector(random, 1)).ToArray();
        return [.. Enumerable.Range(0, Library).Select(i => new ReadOnlyMemory<float>([.. centres[i % Groups].Zip(Vector(random, 0.5), (c, n) => c + n)]))];
    }

    private static float[] Vector(Random random, double scale)
    {
        var values = new double[SketchSize];
        Fill(values, random);
        return Array.ConvertAll(values, v => (float)(scale * v));
    }

    private static void Fill(Span<double> values, Random random)
    {
        foreach (ref var x in values)
            x = Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
    }

    private static void Row(string what, int repetitions, Action action)
    {
        var (fastest, processor) = (double.MaxValue, 0d);
        for (var i = 0; i < repetitions; i++)
        {
            var before = Process.GetCurrentProcess().TotalProcessorTime;
            var watch = Stopwatch.StartNew();
            action();
            if (watch.Elapsed.TotalSeconds < fastest)
                (fastest, processor) = (watch.Elapsed.TotalSeconds, (Process.GetCurrentProcess().TotalProcessorTime - before).TotalSeconds);
        }

        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {what} | {fastest:f2} s | {processor:f2} s |"));
    }
}
