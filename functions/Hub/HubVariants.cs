using System.Collections.Immutable;
using System.Globalization;
using System.Text.RegularExpressions;
using Marketplace.Core;
using Marketplace.Core.Api;
using Marketplace.Core.Methods;
using Marketplace.Functions.Http;
using Marketplace.Storage;
using Marketplace.Storage.Jobs;

namespace Marketplace.Functions.Hub;

/// <summary>
/// Versions in other forms, as revisions of their own: <c>REVISION-rank8</c> is the version truncated to rank 8, <c>REVISION-serving</c> the version as servers load it. Configuration and weights are derived, all other files
/// are the version's. The commit id is that of the manifest upon the version, and is remembered, since clients go on with the id alone.
/// </summary>
public sealed partial class HubVariants(MarketplaceStorage storage, RankedExports ranks, ServingExports serving, TimeProvider time)
{
    /// <summary>Whether a revision has the form of a variant's name, whatever precedes it: finding it may mean to compute it.</summary>
    internal static bool IsName(string? revision) => revision is not null && Form().IsMatch(revision);

    /// <summary>Name of the version and of its form; null if that is no variant's name.</summary>
    internal static (string Version, string Form)? Parse(string revision) =>
        Form().Match(revision) is { Success: true } match ? (match.Groups["version"].Value, match.Groups["form"].Value) : null;

    /// <summary>A version in a form, made if nobody has asked before.</summary>
    internal async Task<Found<HubRevision>> FindAsync(VersionRecord version, string form, CancellationToken cancellationToken)
    {
        (ImmutableArray<FileView> files, Func<FileView, string>? place) = ([], null);
        ImmutableArray<ExportProblem> problems = [];
        var analysis = form == "serving" ? ServingProfile.Version : RankTruncation.Version;
        if (form == "serving")
        {
            var outcome = await serving.GetAsync(version, cancellationToken);
            problems = outcome is ServingOutcome.Refused refused ? refused.Problems : [];
            if (outcome is ServingOutcome.Exported exported)
                (files, place) = (exported.Files, file => ServingExports.Place(version, file.Sha256));
        }
        else
        {
            var rank = int.Parse(form.AsSpan("rank".Length), NumberStyles.None, CultureInfo.InvariantCulture);
            var outcome = await ranks.GetAsync(version, rank, cancellationToken);
            problems = outcome is RankOutcome.Refused refused ? refused.Problems : [];
            if (outcome is RankOutcome.Truncated truncated)
                (files, place) = (truncated.Export.Files, file => RankedExports.Place(version, rank, file.Sha256));
        }

        if (!problems.IsEmpty)
            return HubProblems.BadRequest($"'{version.Adapter}' is not to be had in the form '{form}': {string.Join(' ', problems.Select(p => $"[{p.Code}] {p.Message}"))}");
        // Its own files will do.
        if (place is null)
            return HubRepositories.Of(version);
        var derived = files.ToDictionary(f => f.Path, StringComparer.Ordinal);
        var manifest = VersionManifest.Create(
            [.. version.Files.Where(f => !derived.ContainsKey(f.Path)), .. files.Select(f => new ManifestFile(f.Path, Digest.Parse(f.Sha256), f.Size, f.GitSha1))], version.Id);
        var variant = new VariantRecord(
            version.Adapter, manifest.Id, version.Number, version.Id, form, manifest.Files, [.. files.Select(f => new VariantFile(f.Path, version.Weights, analysis, place(f)))], time.GetUtcNow());
        if (await storage.Variants.GetAsync(version.Adapter, manifest.Id, cancellationToken) is { } known)
            return Of(known, version);
        await storage.Variants.AddAsync(variant, cancellationToken);
        return Of(variant, version);
    }

    /// <summary>The variant with that commit id; null if nobody was ever told of it, or its version is gone.</summary>
    internal async Task<HubRevision?> FindByIdAsync(AdapterId adapter, string commit, CancellationToken cancellationToken)
    {
        if (await storage.Variants.GetAsync(adapter, commit, cancellationToken) is not { } variant
            || await storage.Versions.GetAsync(adapter, variant.Number, cancellationToken) is not { } version || version.Id != variant.VersionId)
            return null;
        // Derived data may be lost; asking for the form brings it back, as the same bytes where the same numerics make them.
        return (await FindAsync(version, variant.Name, cancellationToken)).Value is { } made && made.Commit == commit ? made : Of(variant, version);
    }

    private static HubRevision Of(VariantRecord variant, VersionRecord version) => new(version.Adapter, variant.Commit, variant.Files, variant.CreatedAt, version)
    {
        Elsewhere = variant.Derived.ToImmutableDictionary(d => d.Path, HubPlace (d) => new HubPlace.Derived(d.Weights, d.Analysis, d.Name), StringComparer.Ordinal),
        Title = variant.Name == "serving" ? $"Version {version.Number} as servers load it" : $"Version {version.Number} truncated to rank {variant.Name["rank".Length..]}",
    };

    [GeneratedRegex("^(?<version>.+)-(?<form>serving|rank[1-9][0-9]{0,5})\\z", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture)]
    private static partial Regex Form();
}
