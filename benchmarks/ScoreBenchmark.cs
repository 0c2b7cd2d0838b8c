using System.Diagnostics;
using System.Globalization;
using Marketplace.Core.Evaluation;

namespace Marketplace.Benchmarks;

/// <summary>Scores, intervals, tests and portfolios from kept predictions, at sizes of sets that people have.</summary>
internal static class ScoreBenchmark
{
    private const int Choices = 4;
    private const int Members = 32;

    /// <summary>Runs all cases and prints rows of a Markdown table.</summary>
    public static void Run()
    {
        Console.WriteLine($"{Environment.ProcessorCount} processors; multiple choice with {Choices} choices");
        foreach (var items in new[] { 1_000, 10_000, 100_000 })
        {
            var random = new Random(1);
            var set = MakeSet(items);
            var members = Enumerable.Range(0, items == 100_000 ? 2 : Members).Select(_ => Predict(items, random)).ToList();
            var (right, other) = (ItemScores.Of(set, members[0], Metric.Accuracy), ItemScores.Of(set, members[1], Metric.Accuracy));
            var (likely, otherLikely) = (ItemScores.Of(set, members[0], Metric.LogLikelihood), ItemScores.Of(set, members[1], Metric.LogLikelihood));
            Row(items, "interval of a share, drawn as counts", 5, () => Scores.Compute(right));
            Row(items, "interval of a mean, drawn item by item", 5, () => Scores.Compute(likely));
            Row(items, "comparison of shares, McNemar and interval", 3, () => PairedComparison.Of(right, other));
            Row(items, "comparison of means, exchanges and interval", 3, () => PairedComparison.Of(likely, otherLikely));
            var bytes = PredictionsFile.Write(members[0]);
            Row(items, $"predictions written and read, {bytes.Length >> 10} KiB", 3, () => PredictionsFile.Read(PredictionsFile.Write(members[0])));
            if (members.Count == Members)
                Row(items, $"ensembles of {Members}, portfolio of 25 steps", 1, () => EnsembleReport.Of(new PredictionEnsemble(set, members), items));
        }
    }

    private static EvaluationSet MakeSet(int items)
    {
        using var lines = new MemoryStream();
        using (var writer = new StreamWriter(lines, leaveOpen: true))
        {
            for (var i = 0; i < items; i++)
                writer.Write($"{{\"prompt\":\"{i}\",\"choices\":[\"a\",\"b\",\"c\",\"d\"],\"answer\":{i % Choices}}}\n");
        }

        return EvaluationSetReader.TryRead(lines.ToArray(), out var set, out _) ? set : throw new InvalidOperationException("The benchmark's set is none.");
    }

    private static Predictions Predict(int items, Random random) => new(EvaluationKind.MultipleChoice, 0, [.. Enumerable.Range(0, items).Select(i => new ChoicePrediction(
        [.. Enumerable.Range(0, Choices).Select(c => -9 * random.NextDouble() + (c == i % Choices ? 2 : 0))], [2, 2, 2, 2], [1, 1, 1, 1]))]);

    private static void Row(int items, string what, int runs, Action action)
    {
        action();
        var times = new double[runs];
        for (var i = 0; i < runs; i++)
        {
            var watch = Stopwatch.StartNew();
            action();
            times[i] = watch.Elapsed.TotalMilliseconds;
        }

        Array.Sort(times);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {items} | {what} | {times[runs / 2]:0.0} ms |"));
    }
}
