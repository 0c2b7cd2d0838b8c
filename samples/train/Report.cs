using System.Text;

namespace Marketplace.Train;

/// <summary>Rows of several seeds as Markdown, with intervals.</summary>
internal static class Report
{
    // Student's t at 97.5 % by degrees of freedom, from 1.
    private static readonly double[] quantiles = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365];

    /// <summary>Everything.</summary>
    public static string Whole(World world, IReadOnlyList<SeedResult> results)
    {
        RowResult[][] held = [.. results.Select(r => r.HeldOut)], own = [.. results.Select(r => r.Library)];
        var singles = world.HeldOut.Count(t => t.Families.Length == 1);
        (string Row, string Than)[] pairs =
        [
            .. Evaluation.TopK.SelectMany(k => new[] { (Evaluation.Arrow(k), Evaluation.Base), (Evaluation.Arrow(k), Evaluation.Uniform), (Evaluation.Arrow(k), Evaluation.Tuned) }),
            .. Evaluation.TopK.Select(k => (Evaluation.Arrow(k, "L1 + L2"), Evaluation.Arrow(k))),
            .. Evaluation.Betas.Select(b => (Evaluation.Partly(b), Evaluation.Arrow(2))),
            (Evaluation.Arrow(2, "L1"), Evaluation.Arrow(2)), (Evaluation.Arrow(2, "L2"), Evaluation.Arrow(2)), (Evaluation.Arrow(2, "L3, of no task"), Evaluation.Arrow(2)),
            (Evaluation.Arrow(2, "L1 + L2", factorwise: true), Evaluation.Arrow(2)), (Evaluation.Projected, Evaluation.Arrow(2)), (Evaluation.ProjectedOther, Evaluation.Arrow(2)),
            (Evaluation.Clusters, Evaluation.Arrow(1)),
        ];
        return $"""
            ## Held-out tasks

            {Table(held, [("new formats", singles), ("pairs", world.HeldOut.Length - singles)])}
            ## Differences

            | row | than | difference ± items | ± seeds | each seed |
            |---|---|---|---|---|
            {string.Join('\n', pairs.Select(p => Difference(held, p.Row, p.Than)))}

            ## Tasks of the library

            {Table(own, [("tasks", world.Library.Length)])}
            ## MBC against families (adjusted Rand index, each seed)

            | clustered | agreement |
            |---|---|
            | ΔW, 6 clusters | {string.Join(' ', results.Select(r => $"{r.Groups["families"]:f2}"))} |
            | ΔW, as many as silhouettes choose ({string.Join(' ', results.Select(r => $"{r.Groups["chosen k"]:f0}"))}) | {string.Join(' ', results.Select(r => $"{r.Groups["chosen"]:f2}"))} |
            | ΔW − L1 + L2, 6 clusters | {string.Join(' ', results.Select(r => $"{r.Groups["residuals"]:f2}"))} |

            """;
    }

    /// <summary>Accuracies by seed, part, row and task, and what clusters came to.</summary>
    public static object Numbers(World world, IReadOnlyList<SeedResult> results) => results.Select((r, i) => new Dictionary<string, object>
    {
        ["seed"] = i + 1,
        ["heldOut"] = ByTask(r.HeldOut, world.HeldOut),
        ["library"] = ByTask(r.Library, world.Library),
        ["agreement"] = r.Groups,
        ["clusters"] = r.Labels,
    });

    private static Dictionary<string, Dictionary<string, double>> ByTask(RowResult[] rows, TextTask[] tasks) =>
        rows.ToDictionary(r => r.Row, r => tasks.Zip(r.Right).ToDictionary(t => t.First.Name, t => Math.Round(t.Second.Average(x => x ? 1.0 : 0), 4)));

    /// <summary>One line for each row: mean over tasks, its parts, the half width of the 95 % interval over items, and the means of the seeds.</summary>
    /// <param name="seeds">For each seed its rows, in one order.</param>
    /// <param name="parts">Names of parts of the tasks, and where each ends.</param>
    public static string Table(IReadOnlyList<RowResult[]> seeds, (string Name, int Count)[] parts)
    {
        var text = new StringBuilder($"| row | {string.Join(" | ", parts.Select(p => p.Name))} | all tasks ± items | each seed |\n|---|{string.Concat(parts.Select(_ => "---|"))}---|---|\n");
        for (var r = 0; r < seeds[0].Length; r++)
        {
            RowResult[] rows = [.. seeds.Select(s => s[r])];
            text.Append($"| {rows[0].Row} |");
            var start = 0;
            foreach (var (_, count) in parts)
            {
                text.Append($" {rows.Average(row => Mean(row.Right[start..(start + count)])):f3} |");
                start += count;
            }

            var (mean, width) = Items(rows.Select(row => row.Right.Select(t => t.Select(x => x ? 1.0 : 0).ToArray()).ToArray()).ToArray());
            text.Append($" {mean:f3} ± {width:f3} | {string.Join(' ', rows.Select(row => $"{Mean(row.Right):f3}"))} |\n");
        }

        return text.ToString();
    }

    /// <summary>How much better one row is than another, item by item.</summary>
    public static string Difference(IReadOnlyList<RowResult[]> seeds, string row, string than)
    {
        double[][][] differences =
        [
            .. seeds.Select(s =>
            {
                var (first, second) = (s.Single(r => r.Row == row).Right, s.Single(r => r.Row == than).Right);
                return first.Zip(second, (a, b) => a.Zip(b, (x, y) => (x ? 1.0 : 0) - (y ? 1 : 0)).ToArray()).ToArray();
            }),
        ];
        var (mean, width) = Items(differences);
        double[] means = [.. differences.Select(d => d.Average(t => t.Average()))];
        var spread = means.Length < 2 ? double.NaN : quantiles[means.Length - 2] * Math.Sqrt(means.Sum(m => (m - mean) * (m - mean)) / (means.Length - 1) / means.Length);
        return $"| {row} | {than} | {mean:+0.000;−0.000} ± {width:f3} | ± {spread:f3} | {string.Join(' ', means.Select(m => $"{m:+0.000;−0.000}"))} |";
    }

    private static double Mean(bool[][] right) => right.Average(t => t.Average(x => x ? 1.0 : 0));

    // Mean over tasks of the mean over items, each item's value averaged over seeds; half the width of the interval that the draw of items leaves.
    private static (double Mean, double HalfWidth) Items(double[][][] values)
    {
        var (sum, variance, tasks) = (0.0, 0.0, values[0].Length);
        for (var t = 0; t < tasks; t++)
        {
            double[] items = [.. Enumerable.Range(0, values[0][t].Length).Select(i => values.Average(v => v[t][i]))];
            var mean = items.Average();
            sum += mean;
            variance += items.Sum(x => (x - mean) * (x - mean)) / (items.Length - 1) / items.Length;
        }

        return (sum / tasks, 1.96 * Math.Sqrt(variance) / tasks);
    }
}
