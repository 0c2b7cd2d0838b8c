using System.Diagnostics;
using System.Text.Json;
using Marketplace.Core;
using Marketplace.Core.Api;
using Marketplace.Core.Merges;

namespace Marketplace.Storage.Jobs;

/// <summary>Merge reports as they are stored: for whoever may see all parents. Readers take out what a caller may not see.</summary>
public static class MergeReports
{
    /// <summary>A report as it is stored.</summary>
    public static string ToJson(MergeReportView report) => JsonSerializer.Serialize(report, ApiJson.Options);

    /// <summary>The report of a computation that is done.</summary>
    /// <param name="request">What was asked.</param>
    /// <param name="graph">The same as a graph; its leaves are the report's parents.</param>
    /// <param name="report">What became of it.</param>
    /// <param name="kernel">Who computed it.</param>
    /// <param name="elapsed">How long that took.</param>
    /// <param name="learned">What was learned before, where that was so.</param>
    public static MergeReportView View(DerivationRequest request, MergeGraph graph, MergeReport report, string? kernel, TimeSpan elapsed, CompositionReport? learned = null)
    {
        // Cutting a rank is an orthogonal projection, so what is left follows from what was there and what is gone.
        double[] squared = [.. report.Modules.Select(m => Math.Max(0, (m.Norm * m.Norm) - (m.DiscardedNorm * m.DiscardedNorm)))];
        return new MergeReportView(
            request.Method, learned is null ? graph.RecipeDigest : null, kernel, [.. graph.Leaves.Select((leaf, index) => Parent(request, leaf, index, report, squared))],
            report.MaxRank, report.Norm, report.DiscardedNorm, report.RelativeDiscarded, Math.Round(elapsed.TotalSeconds, 3), PeakMemory(),
            [.. report.Modules.Select(Module)], report.General, learned);
    }

    /// <summary>Reads what <see cref="ToJson"/> wrote.</summary>
    public static MergeReportView Parse(string json) => JsonSerializer.Deserialize<MergeReportView>(json, ApiJson.Options)!;

    /// <summary>The report as somebody sees it who may not see all parents: the others, and what would speak of them, are taken out.</summary>
    /// <param name="report">The stored report.</param>
    /// <param name="sees">Whether the caller sees a version's adapter.</param>
    public static MergeReportView Redact(MergeReportView report, Func<VersionReference, bool> sees)
    {
        if (report.Parents.All(p => p.Versions.All(sees)))
            return report;
        int[] kept = [.. Enumerable.Range(0, report.Parents.Count).Where(i => report.Parents[i].Versions.Any(sees))];
        return report with
        {
            RecipeDigest = null,
            General = null,
            Learned = null,
            Parents = [.. kept.Select(i => report.Parents[i] with { Versions = [.. report.Parents[i].Versions.Where(sees)] })],
            Modules = [.. report.Modules.Select(m => m with { RankIn = null, Crosstalk = null, General = null, Parents = [.. kept.Select(i => m.Parents[i])] })],
        };
    }

    private static MergeParentView Parent(DerivationRequest request, string leaf, int index, MergeReport report, double[] squared)
    {
        var content = request.Find(leaf).Content;
        double norm = 0, inner = 0, part = 0, total = squared.Sum();
        foreach (var (module, result) in report.Modules.Zip(squared))
        {
            if (module.Parents[index] is not { } own)
                continue;
            norm += own.Norm * own.Norm;
            inner += own.Cosine * own.Norm * Math.Sqrt(result);
            part += own.Share * result;
        }

        var scale = Math.Sqrt(norm * total);
        return new(
            [.. request.Inputs.Where(i => i.Content == content).Select(i => new VersionReference(i.Adapter, i.Number, i.VersionId))],
            Math.Sqrt(norm), scale > 0 ? Math.Clamp(inner / scale, -1, 1) : 0, total > 0 ? part / total : 0, report.NotMerged[index]);
    }

    private static MergedModuleView Module(ModuleReport m) => new(
        m.Module, m.RankIn, m.RankOut, m.Norm, m.DiscardedNorm, m.Norm == 0 ? 0 : m.DiscardedNorm / m.Norm, m.NestedDiscarded, m.Seconds, m.Parents, m.Crosstalk, m.General);

    private static long PeakMemory()
    {
        using var process = Process.GetCurrentProcess();
        return process.PeakWorkingSet64;
    }
}
