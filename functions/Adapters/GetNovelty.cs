using Marketplace.Core.Analysis;
using Marketplace.Core.Api;
using Marketplace.Core.Methods;
using Marketplace.Functions.Http;
using Marketplace.Storage;
using Marketplace.Storage.Jobs;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.Options;

namespace Marketplace.Functions.Adapters;

/// <summary>What an adapter adds to what the caller sees of its library: reuse or add, and how much of it is new.</summary>
public static class GetNovelty
{
    // Whose cosines are nearly equal by their sketches are compared exactly.
    private const int Nearest = 4;

    public static async Task<Results<Ok<NoveltyView>, ProblemHttpResult>> Handle(
        string owner, string name, Requester requester, MarketplaceStorage storage, AdapterAnalyses analyses, LibrarySearch search, LibraryReader reader,
        IOptions<MarketplaceOptions> options, CancellationToken cancellationToken)
    {
        var (neighbourhood, problem) = await Neighbourhood.OpenAsync(storage, analyses, requester.Caller, owner, name, cancellationToken);
        if (neighbourhood is null)
            return problem!;

        var (candidates, members) = await search.RankAsync(
            neighbourhood.BaseModel, requester.Caller, neighbourhood.Sketch, neighbourhood.Version.Adapter, AdapterSimilarity.Delta, cancellationToken);
        var closest = await search.ConfirmAsync(candidates, Nearest, requester.Caller, cancellationToken);
        var spanning = await search.ConfirmAsync(
            candidates.Where(c => Math.Abs(c.Estimate) > Novelty.FloorOf(members)).OrderByDescending(c => Math.Abs(c.Estimate)), Novelty.MaxMembers, requester.Caller, cancellationToken);
        var novelty = Novelty.Of(neighbourhood.Sketch, spanning.Select(c => c.Sketch), members);

        SimilarView? nearest = null;
        if (closest.Count > 0)
        {
            using var target = await neighbourhood.OpenTargetAsync(reader, cancellationToken);
            nearest = (await Neighbourhood.CompareAsync(target, closest, AdapterSimilarity.Delta, reader, cancellationToken))
                .OrderByDescending(s => s.Cosine).ThenBy(s => s.Version.Adapter, StringComparer.Ordinal).FirstOrDefault();
        }

        var threshold = options.Value.ReuseCosine;
        var verdict = neighbourhood.Sketch.IsZero ? "none" : nearest?.Cosine >= threshold ? "reuse" : "add";
        var version = neighbourhood.Version;
        return TypedResults.Ok(new NoveltyView(
            new VersionReference(version.Adapter.ToString(), version.Number, version.Id), verdict, threshold, nearest, novelty.Share, novelty.Floor, novelty.Members, members));
    }
}
