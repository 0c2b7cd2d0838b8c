using Marketplace.Core;
using Marketplace.Core.Analysis;
using Marketplace.Core.Api;
using Marketplace.Core.Methods;
using Marketplace.Functions.Http;
using Marketplace.Storage;
using Marketplace.Storage.Jobs;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.Functions.Adapters;

/// <summary>An adapter of a library that somebody asks about, and exact comparisons with others of it.</summary>
internal sealed record Neighbourhood(VersionRecord Version, string BaseModel, AdapterSketch Sketch)
{
    /// <summary>The current version of an adapter with its sketch.</summary>
    public static async Task<Found<Neighbourhood>> OpenAsync(
        MarketplaceStorage storage, AdapterAnalyses analyses, Caller caller, string owner, string name, CancellationToken cancellationToken)
    {
        var (adapter, problem) = await Lookup.AdapterAsync(storage, caller, owner, name, cancellationToken);
        if (adapter is null)
            return problem!;
        if (adapter.BaseModel is not { } baseModel)
            return Problems.BaseMismatch($"The base model of '{adapter.Id}', '{adapter.BaseModelName}', is not known; its owner can confirm an alias.");
        if (adapter.Main is not { } main || await storage.Versions.GetAsync(adapter.Id, main.Number, cancellationToken) is not { } version)
            return Problems.NotFound($"version of '{adapter.Id}'");
        return await analyses.LoadSketchAsync(version.Config, version.Weights, cancellationToken) is { } sketch
            ? new Neighbourhood(version, baseModel, sketch)
            : Problems.NotFound($"analysis of '{adapter.Id}'");
    }

    /// <summary>The exact comparison with each candidate that can be compared, side by side; in no order.</summary>
    public static async Task<List<SimilarView>> CompareAsync(
        Adapter target, IEnumerable<Candidate> candidates, AdapterSimilarity similarity, LibraryReader reader, CancellationToken cancellationToken)
    {
        var found = new List<SimilarView>();
        await Parallel.ForEachAsync(
            candidates, new ParallelOptions { MaxDegreeOfParallelism = Environment.ProcessorCount, CancellationToken = cancellationToken }, async (candidate, ct) =>
            {
                using var other = await reader.OpenAsync(candidate.Member, ct);
                if (Compare(target, other, similarity) is not { } cosine)
                    return;
                lock (found)
                    found.Add(new SimilarView(Views.Reference(candidate.Member.Adapter, candidate.Member.Version), cosine.Cosine, cosine.Distance));
            });
        return found;
    }

    /// <summary>The adapter itself, opened.</summary>
    public Task<Adapter> OpenTargetAsync(LibraryReader reader, CancellationToken cancellationToken) => reader.OpenAsync(
        new LibraryMember(BaseModel, Version.Adapter, Version.Private, new VersionPointer(Version.Number, Version.Id), Version.Weights, Version.Config), cancellationToken);

    // Null where shapes differ: then the two do not adapt the same model, whatever their configurations say.
    private static (double Cosine, double Distance)? Compare(Adapter first, Adapter second, AdapterSimilarity similarity)
    {
        if (PairComparison.Of(first, second) is not { } pair)
            return null;
        if (similarity == AdapterSimilarity.Delta)
            return (pair.Cosine, pair.RelativeDistance);
        return Similarities.TryCompute([first, second], similarity, out var cosines, out _) ? (cosines[0, 1], pair.RelativeDistance) : null;
    }
}
