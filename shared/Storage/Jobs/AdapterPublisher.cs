using System.Collections.Immutable;
using Marketplace.Core;
using Marketplace.Core.Analysis;
using Marketplace.Core.Formats;
using Marketplace.Core.Methods;
using Marketplace.Core.Validation;

namespace Marketplace.Storage.Jobs;

/// <summary>What is published beside the files themselves.</summary>
/// <param name="Adapter">Under this name.</param>
/// <param name="Owner">By this account.</param>
/// <param name="Private">Whether a new adapter is private.</param>
/// <param name="IdempotencyKey">The upload or job: one key makes one version.</param>
/// <param name="ExpectedParent">The id the current version must have; null to follow whatever is there.</param>
/// <param name="Message">A line about the version.</param>
/// <param name="Lineage">Where a derived version comes from.</param>
/// <param name="Analysis">The analysis of the adapter, where it was needed before.</param>
/// <param name="BegunAt">When the upload or job began.</param>
public sealed record Publication(
    AdapterId Adapter, string Owner, bool Private, string IdempotencyKey,
    string? ExpectedParent = null, string? Message = null, Lineage? Lineage = null, ImmutableArray<AnalysisFile>? Analysis = null,
    DateTimeOffset? BegunAt = null);

/// <summary>Publishes validated local files, with their analysis: the last part of every upload, merge and subtraction.</summary>
public sealed class AdapterPublisher(MarketplaceStorage storage, ArrivalPlacement placement)
{
    /// <summary>Publishes the files that <paramref name="report"/> was made from.</summary>
    /// <param name="folder">Where they are.</param>
    /// <param name="report">Their validation, without errors.</param>
    /// <param name="warnings">Codes that lists show for everybody.</param>
    /// <param name="publication">What is published beside them.</param>
    /// <param name="cancellationToken">Stops between two writes; the next attempt goes on.</param>
    public async Task<PublishOutcome> PublishAsync(
        string folder, ValidationReport report, ImmutableArray<string> warnings, Publication publication, CancellationToken cancellationToken)
    {
        ImmutableArray<PublishFile> files =
            [.. report.ManifestFiles().Select(f => new PublishFile(f, Path.Combine(folder, f.Path)))];
        var weights = files.Single(f => f.File.Path == RepositoryPath.Weights);
        var config = files.Single(f => f.File.Path == RepositoryPath.Config);

        using var adapter = AdapterReader.Open(config.LocalPath!, weights.LocalPath!);
        var analysis = publication.Analysis ?? await Task.Run(() => AdapterAnalysis.Compute(adapter), cancellationToken);
        var card = await CardAsync(folder, files, cancellationToken);
        var summary = new AdapterSummary(
            adapter.Modules.Max(m => m.Rank), adapter.Modules.Length, Types(report), files.Sum(f => f.File.Size),
            warnings, card.License, card.Tags, publication.Lineage?.Method,
            new CardSummary(card.Languages, card.Datasets, card.PipelineTag, card.BaseModels), ServingLimits.Check(adapter));

        var outcome = await storage.Commit.PublishAsync(
            new PublishRequest
            {
                Adapter = publication.Adapter,
                Owner = publication.Owner,
                Private = publication.Private,
                IdempotencyKey = publication.IdempotencyKey,
                Files = files,
                ExpectedParent = publication.ExpectedParent,
                BegunAt = publication.BegunAt,
                Message = publication.Message,
                BaseModelName = adapter.Config.BaseModel ?? "",
                Lineage = publication.Lineage,
                Summary = summary,
                Derived = AdapterAnalyses.Files(config.File.Digest, analysis),
                WeightsDigest = weights.File.Digest,
                ConfigDigest = config.File.Digest,
            },
            cancellationToken);
        if (outcome is PublishOutcome.Published { Version: var version })
            await placement.PlaceAsync(version, cancellationToken);
        return outcome;
    }

    /// <summary>Completes what follows from a version that a delivery before this one published; null if its adapter was deleted since.</summary>
    public async Task<VersionRecord?> CompleteAsync(VersionRecord version, CancellationToken cancellationToken)
    {
        if (await storage.Commit.CompleteAsync(version, cancellationToken) is not { } completed)
            return null;
        await placement.PlaceAsync(completed, cancellationToken);
        return completed;
    }

    private static string Types(ValidationReport report) =>
        string.Join(',', report.Modules.Select(m => m.Type.ToString()).Distinct().Order(StringComparer.Ordinal));

    private static async Task<ModelCard> CardAsync(string folder, ImmutableArray<PublishFile> files, CancellationToken cancellationToken)
    {
        if (files.FirstOrDefault(f => f.File.Path == RepositoryPath.Card) is not { } readme)
            return ModelCard.Empty;
        using var reader = new StreamReader(Path.Combine(folder, readme.File.Path));
        var head = new char[ModelCard.MaxLength];
        return ModelCard.Parse(new string(head, 0, await reader.ReadBlockAsync(head, cancellationToken)));
    }
}
