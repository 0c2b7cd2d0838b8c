using System.Collections.Immutable;
using Marketplace.Core;
using Marketplace.Core.Analysis;
using Marketplace.Core.Formats;
using Marketplace.Core.Methods;
using Marketplace.Core.Validation;
using Marketplace.Storage;
using Marketplace.Storage.Jobs;
using Microsoft.Extensions.Options;

namespace Marketplace.Functions.Uploads;

/// <summary>
/// Analyses an adapter that is about to be published, and looks for what it is nearly a copy of among what its publisher may see. Nothing depends on the search: where it goes
/// wrong, the adapter is published without it.
/// </summary>
public sealed class CopyDetection(
    MarketplaceStorage storage, LibrarySearch search, LibrarySketches sketches, AdapterAnalyses analyses, LibraryReader reader, IOptions<MarketplaceOptions> options, ILogger<CopyDetection> logger)
{
    // Estimated cosines near 1 are off by about (1 − cos²) ∕ 32; a few more are looked at than reach the threshold.
    private const double Tolerance = 0.05;
    private const int MaxCompared = 4;

    /// <summary>The analysis of an accepted adapter, and what its publisher should know of copies.</summary>
    /// <param name="upload">The upload.</param>
    /// <param name="report">Its validation, without errors.</param>
    /// <param name="folder">Where its files are.</param>
    /// <param name="cancellationToken">Cancels.</param>
    internal async Task<(ImmutableArray<AnalysisFile> Analysis, ImmutableArray<ValidationIssue> Issues)> RunAsync(
        UploadRecord upload, ValidationReport report, string folder, CancellationToken cancellationToken)
    {
        using var adapter = AdapterReader.Open(folder);
        var analysis = await Task.Run(() => AdapterAnalysis.Compute(adapter), cancellationToken);
        var sketch = AdapterSketch.Parse(analysis.Single(f => f.Name == AdapterAnalysis.SketchFile).Bytes);
        sketches.Keep(DigestOf(RepositoryPath.Config), DigestOf(RepositoryPath.Weights), sketch);
        try
        {
            var issues = new[] { await UnchangedAsync(upload.Adapter, adapter, sketch, cancellationToken), await NearDuplicateAsync(upload, report, adapter, sketch, cancellationToken) };
            return (analysis, [.. issues.OfType<ValidationIssue>()]);
        }
        catch (Exception e) when (e is InvalidDataException or IOException or JobFailureException)
        {
            logger.LogWarning("Upload {UploadId} was not looked at for copies: {Reason}", upload.Id, e.Message);
            return (analysis, []);
        }

        Digest DigestOf(string path) => Digest.Parse(report.Files.Single(f => f.Path == path).Sha256!);
    }

    // The adapter's own current version: no duplicate, but worth a note. Exactly the same files make no version at all.
    private async Task<ValidationIssue?> UnchangedAsync(AdapterId id, Adapter adapter, AdapterSketch sketch, CancellationToken cancellationToken)
    {
        if (sketch.IsZero || await storage.Versions.NewestAsync(id, cancellationToken) is not { } head
            || await analyses.LoadSketchAsync(head.Config, head.Weights, cancellationToken) is not { } before || AdapterSketch.DeltaCosine(sketch, before) < 1 - Tolerance)
            return null;
        using var other = await reader.OpenAsync(Input(head), cancellationToken);
        return PairComparison.Of(adapter, other) is { RelativeDistance: <= NearDuplicate.Same }
            ? IssueCodes.Issue(IssueCodes.UnchangedDelta, RepositoryPath.Weights, $"ΔW is that of {head.Adapter}@{head.Number}.")
            : null;
    }

    private async Task<ValidationIssue?> NearDuplicateAsync(
        UploadRecord upload, ValidationReport report, Adapter adapter, AdapterSketch sketch, CancellationToken cancellationToken)
    {
        // What has the same bytes is told as such.
        if (report.Issues.Any(i => i.Code == IssueCodes.SameContent) || report.Configuration?.BaseModel is not { } spelling
            || await storage.BaseModels.ResolveAsync(spelling, upload.Owner, cancellationToken) is not { } baseModel)
            return null;
        var caller = new Caller(upload.Owner, KeyScope.Publish);
        var (candidates, _) = await search.RankAsync(baseModel, caller, sketch, upload.Adapter, AdapterSimilarity.Delta, cancellationToken);
        var threshold = options.Value.ReuseCosine;
        var near = await search.ConfirmAsync(candidates.TakeWhile(c => c.Estimate >= threshold - Tolerance), MaxCompared, caller, cancellationToken);
        var best = default((Candidate Candidate, NearDuplicate Duplicate)?);
        foreach (var candidate in near)
        {
            using var other = await reader.OpenAsync(candidate.Member, cancellationToken);
            if (NearDuplicate.Of(adapter, sketch, other, candidate.Sketch) is { } duplicate && duplicate.Comparison.Cosine >= threshold
                && (best is not var (_, known) || duplicate.Comparison.Cosine > known.Comparison.Cosine))
                best = (candidate, duplicate);
        }

        return best is var (nearest, found)
            ? IssueCodes.NearlyPublished($"{nearest.Member.Adapter}@{nearest.Member.Version.Number}", found)
            : null;
    }

    private static ResolvedInput Input(VersionRecord version) =>
        new(version.Adapter.ToString(), version.Number, version.Id, version.Weights.Hex, version.Config.Hex, 1, "input");
}
