using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Text.Json;
using Marketplace.Core;
using Marketplace.Core.Api;
using Marketplace.Core.Formats;
using Marketplace.Core.Merges;
using Marketplace.Core.Methods;
using Marketplace.Core.Validation;

namespace Marketplace.Storage.Jobs;

/// <summary>What is stored of a version at a smaller rank.</summary>
/// <param name="Rank">The rank.</param>
/// <param name="StoredRank">The rank of the version itself.</param>
/// <param name="DiscardedEnergy">The share of |ΔW|² that was cut off.</param>
/// <param name="Files">Configuration and weights.</param>
/// <param name="Modules">What became of each module.</param>
public sealed record RankedExport(
    int Rank, int StoredRank, double DiscardedEnergy, ImmutableArray<FileView> Files, ImmutableArray<RankModuleView> Modules);

/// <summary>What becomes of the wish for a rank.</summary>
public abstract record RankOutcome
{
    private RankOutcome()
    {
    }

    /// <summary>The version has no larger rank: its own files are what is wanted.</summary>
    public sealed record AsStored(int StoredRank) : RankOutcome;

    /// <summary>Truncated files are stored.</summary>
    public sealed record Truncated(RankedExport Export) : RankOutcome;

    /// <summary>The adapter can't be truncated without losing something else.</summary>
    public sealed record Refused(ImmutableArray<ExportProblem> Problems) : RankOutcome;
}

/// <summary>
/// Versions at smaller ranks, each computed once and kept as derived data of the version's weights, under the digest of its configuration too, since ΔW
/// depends on both. Files are named by their digests and described by a manifest that is written last: two processes that compute at the same time
/// leave files that fit the manifest, whoever writes it.
/// </summary>
public sealed class RankedExports(MarketplaceStorage storage, LibraryReader reader) : IDisposable
{
    private static readonly string[] FileNames = [RepositoryPath.Config, RepositoryPath.Weights];

    private readonly ConcurrentDictionary<string, Lazy<Task<RankOutcome>>> running = new(StringComparer.Ordinal);
    private readonly SemaphoreSlim turn = new(1); // each already uses all processors

    /// <summary>The version at that rank, computed if nobody has asked before.</summary>
    /// <param name="version">A version that the caller may see.</param>
    /// <param name="rank">The rank, at least 1.</param>
    /// <param name="cancellationToken">Ends the waiting; what has begun is finished and stored, so that it is there for the next who asks.</param>
    public async Task<RankOutcome> GetAsync(VersionRecord version, int rank, CancellationToken cancellationToken)
    {
        if (version.Summary is { } summary && rank >= summary.Rank)
            return new RankOutcome.AsStored(summary.Rank);
        if (await storage.Derived.ReadAsync(version.Weights, RankTruncation.Version, Manifest(version, rank), cancellationToken) is { } manifest)
            return new RankOutcome.Truncated(JsonSerializer.Deserialize<RankedExport>(manifest, ApiJson.Options)!);
        var key = $"{version.Weights}/{Manifest(version, rank)}";
        return await running.GetOrAdd(key, _ => new(() => ComputeAsync(key, version, rank))).Value.WaitAsync(cancellationToken);
    }

    /// <summary>A short-lived address of one of the files.</summary>
    public Task<Uri> SignedReadUriAsync(
        VersionRecord version, int rank, FileView file, TimeSpan lifetime, CancellationToken cancellationToken) =>
        storage.Derived.SignedReadUriAsync(
            version.Weights, RankTruncation.Version, Place(version, rank, file.Sha256), Path.GetFileName(file.Path), lifetime, cancellationToken);

    /// <summary>Where a file is among the derived data of a version's weights.</summary>
    public static string Place(VersionRecord version, int rank, string file) => $"{version.Config.Hex}/{rank}/{file}";

    /// <inheritdoc/>
    public void Dispose() => turn.Dispose();

    private async Task<RankOutcome> ComputeAsync(string key, VersionRecord version, int rank)
    {
        await turn.WaitAsync();
        try
        {
            var input = new ResolvedInput(
                version.Adapter.ToString(), version.Number, version.Id, version.Weights.Hex, version.Config.Hex, 1, "input");
            using var opened = await reader.OpenAllAsync([input], CancellationToken.None);
            var storedRank = opened[0].Modules.Max(m => m.Rank);
            if (rank >= storedRank)
                return new RankOutcome.AsStored(storedRank);
            using var scratch = new ScratchFolder();
            ServingOptions.ResolveType("auto", opened.FactorTypes, out var type);
            var (truncation, problems) = await Task.Run(() => Truncate(opened[0], rank, type, scratch.Path));
            return truncation is null
                ? new RankOutcome.Refused(problems)
                : new RankOutcome.Truncated(await StoreAsync(version, rank, storedRank, truncation.Report, scratch.Path));
        }
        finally
        {
            turn.Release();
            running.TryRemove(key, out _);
        }
    }

    // Writes the files and reads them back, as derivations do.
    private static (RankTruncation? Truncation, ImmutableArray<ExportProblem> Problems) Truncate(Adapter adapter, int rank, TensorType type, string folder)
    {
        if (!RankTruncation.TryCreate(adapter, rank, type, out var truncation, out var problems))
            return (null, problems);
        truncation.Export.Save(folder);
        using var reloaded = AdapterReader.Open(folder);
        problems = truncation.Export.Check(reloaded);
        return (problems.IsEmpty ? truncation : null, problems);
    }

    private async Task<RankedExport> StoreAsync(VersionRecord version, int rank, int storedRank, MergeReport report, string folder)
    {
        var checks = AdapterValidator.Validate([.. FileNames.Select(n => AdapterFile.FromFile(n, Path.Combine(folder, n)))]);
        var files = checks.ManifestFiles().Select(f => new FileView(f.Path, f.Size, f.Digest.Hex, f.GitSha1)).ToImmutableArray();
        foreach (var file in files)
            await storage.Derived.PutFileAsync(version.Weights, RankTruncation.Version, Place(version, rank, file.Sha256), Path.Combine(folder, file.Path));
        var export = new RankedExport(
            rank, storedRank, report.RelativeDiscarded * report.RelativeDiscarded, files,
            [.. report.Modules.Select(m => new RankModuleView(m.Module, m.RankOut, m.DiscardedEnergy))]);
        await storage.Derived.PutAsync(
            version.Weights, RankTruncation.Version, Manifest(version, rank), JsonSerializer.SerializeToUtf8Bytes(export, ApiJson.Options));
        return export;
    }

    private static string Manifest(VersionRecord version, int rank) => Place(version, rank, "manifest.json");
}
