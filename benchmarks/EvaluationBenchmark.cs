using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Marketplace.Core.Formats;
using Marketplace.Kernels;
using Marketplace.Kernels.Evaluation;
using Marketplace.Kernels.Models;

namespace Marketplace.Benchmarks;

/// <summary>
/// Scoring multiple choice: a base model, sixteen adapters one after the other and in mixed batches; and transformers with PEFT on the same files, where the environment variable
/// MARKETPLACE_PEER_PYTHON names a command that runs Python with them. Each case runs in a process of its own, since peaks are those of a process.
/// </summary>
internal static class EvaluationBenchmark
{
    private const int Adapters = 16;

    private static readonly string[] Cases = ["base", "separate", "mixed", "processes"];

    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web);

    /// <summary>Runs one case, or all of them, and prints rows of a Markdown table.</summary>
    /// <param name="args">A case and its folder; nothing for all.</param>
    public static void Run(string[] args)
    {
        if (args is [var only, var at, ..])
        {
            Console.WriteLine(JsonSerializer.Serialize(Measure(only, at, args.Length > 2 ? args[2] : null), Json));
            return;
        }

        var folder = Path.Combine(Path.GetTempPath(), "marketplace-evaluation-benchmark");
        try
        {
            var tokens = EvaluationFiles.Write(folder, Adapters);
            Console.WriteLine($"{Environment.ProcessorCount} processors; llama, {EvaluationFiles.Parameters(folder) / 1e6:f0} M parameters, float32; {tokens} tokens in {EvaluationFiles.Items} items of 4 choices");
            Console.WriteLine("| case | seconds | tokens/s | peak memory |\n|---|---|---|---|");
            var base0 = Child("base", folder);
            Print("base", base0, tokens);
            var separate = Child("separate", folder);
            Print($"{Adapters} adapters, one pass after the other", separate, Adapters * tokens);
            var mixed = Child("mixed", folder);
            Print($"{Adapters} adapters in mixed batches", mixed, Adapters * tokens);
            var watch = Stopwatch.StartNew();
            var runs = Enumerable.Range(0, Adapters).Select(i => Child("process", folder, $"{i}")).ToList();
            Print($"{Adapters} adapters, a process for each", new(watch.Elapsed.TotalSeconds, runs.Max(r => r.PeakBytes), [.. runs.SelectMany(r => r.Scores)]), Adapters * tokens);
            Console.WriteLine($"mixed against one after the other: {separate.Seconds / mixed.Seconds:f2}×; greatest difference of a score {Difference(separate, mixed):e1}");
            if (Environment.GetEnvironmentVariable("MARKETPLACE_PEER_PYTHON") is { Length: > 0 } python)
                Peers(python, folder, tokens, base0, separate, mixed);
        }
        finally
        {
            if (Directory.Exists(folder))
                Directory.Delete(folder, recursive: true);
        }
    }

    private static void Peers(string python, string folder, long tokens, Measurement base0, Measurement separate, Measurement mixed)
    {
        var peer = Peer(python, folder, "base");
        Print($"{peer.Versions}: base", peer, tokens);
        var adapted = Peer(python, folder, $"{Adapters}");
        Print($"with PEFT: {Adapters} adapters, one pass after the other", adapted, Adapters * tokens);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"against them: base {peer.Seconds / base0.Seconds:f2}×, one after the other {adapted.Seconds / separate.Seconds:f2}×, mixed {adapted.Seconds / mixed.Seconds:f2}×; greatest difference of a score {Math.Max(Difference(peer, base0), Difference(adapted, mixed)):e1}"));
    }

    private static Measurement Measure(string name, string folder, string? adapter)
    {
        if (!LanguageModel.TryOpen(Path.Combine(folder, "model"), KernelDevice.Cpu, out var model, out var problems))
            throw new InvalidDataException(string.Join(' ', problems));
        using var opened = model;
        var items = EvaluationFiles.Read(folder);
        var subjects = name == "base"
            ? [ScoringSubject.Of(ActiveAdapters.None)]
            : Enumerable.Range(0, Adapters).Where(i => adapter is null || adapter == $"{i}").Select(i => Load(model, Path.Combine(folder, "adapters", $"{i}"))).ToList();
        var scorer = new SequenceScorer(model, ScoringLimits.For(KernelDevice.Cpu));
        scorer.Score([.. items.Take(40)], subjects, greedy: false); // warm
        var watch = Stopwatch.StartNew();
        var scores = name == "mixed"
            ? scorer.Score(items, subjects, greedy: false)
            : [.. subjects.Select(s => scorer.Score(items, [s], greedy: false)[0])];
        var seconds = watch.Elapsed.TotalSeconds;
        return new(seconds, MemoryUse.Read().PeakBytes, [.. scores.Select(s => s.SelectMany(i => i).Select(c => c.LogLikelihood).ToArray())]);
    }

    private static ScoringSubject Load(LanguageModel model, string folder)
    {
        using var adapter = AdapterReader.Open(folder);
        return ActiveAdapters.TryLoad(model, adapter, out var active, out var problems) ? ScoringSubject.Of(active) : throw new InvalidDataException(string.Join(' ', problems));
    }

    private static Measurement Child(params string[] args) => Start(Environment.ProcessPath!, ["evaluate", .. args], null);

    private static Measurement Peer(string python, string folder, string what)
    {
        var command = python.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return Start(command[0], [.. command[1..], "-", folder, what, $"{Environment.ProcessorCount}"], EvaluationFiles.PeerScript());
    }

    private static Measurement Start(string file, string[] args, string? input)
    {
        var start = new ProcessStartInfo(file, args) { RedirectStandardOutput = true, RedirectStandardInput = input is not null };
        using var process = Process.Start(start)!;
        if (input is not null)
        {
            process.StandardInput.Write(input);
            process.StandardInput.Close();
        }

        var lines = process.StandardOutput.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries);
        process.WaitForExit();
        return process.ExitCode == 0 ? JsonSerializer.Deserialize<Measurement>(lines[^1], Json)! : throw new InvalidOperationException($"{file} ended with {process.ExitCode}.");
    }

    private static double Difference(Measurement x, Measurement y) => x.Scores.Zip(y.Scores).Max(p => p.First.Zip(p.Second).Max(q => Math.Abs(q.First - q.Second)));

    private static void Print(string name, Measurement m, long tokens) =>
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {name} | {m.Seconds:f1} | {tokens / m.Seconds:n0} | {m.PeakBytes >> 20} MiB |"));

    private sealed record Measurement(double Seconds, long PeakBytes, double[][] Scores, string? Versions = null);
}
