using Marketplace.Core.Api;
using Marketplace.Core.Methods;
using Marketplace.Functions.Http;
using Marketplace.Storage;
using Marketplace.Storage.Jobs;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.Functions.Adapters;

/// <summary>The nearest adapters of the same library among those the caller may see: found by sketches, reported with exact numbers.</summary>
public static class FindSimilar
{
    private const int MaxLimit = 100;

    // Sketches may have the last ones in another order than the exact cosines, so a few more are compared than are reported.
    private const int Margin = 8;

    public static async Task<Results<Ok<ListResponse<SimilarView>>, ProblemHttpResult>> Handle(
        string owner, string name, Requester requester, MarketplaceStorage storage, AdapterAnalyses analyses, LibrarySearch search, LibraryReader reader,
        CancellationToken cancellationToken, string? limit = null, string? similarity = null)
    {
        if (Paging.ParseLimit(limit, MaxLimit) is not { } count)
            return Paging.BadLimit(MaxLimit);
        if (!Text.TryParse<AdapterSimilarity>(similarity ?? Text.Of(AdapterSimilarity.Delta), out var compared))
            return Problems.InvalidRequest("similarity", $"A similarity is one of: {Text.Choices<AdapterSimilarity>()}.");
        var (neighbourhood, problem) = await Neighbourhood.OpenAsync(storage, analyses, requester.Caller, owner, name, cancellationToken);
        if (neighbourhood is null)
            return problem!;

        var (candidates, _) = await search.RankAsync(
            neighbourhood.BaseModel, requester.Caller, neighbourhood.Sketch, neighbourhood.Version.Adapter, compared, cancellationToken);
        var found = new List<SimilarView>();
        using var target = await neighbourhood.OpenTargetAsync(reader, cancellationToken);
        while (found.Count < count && candidates.Count > 0)
        {
            // Some can't be compared although their sketches can: then the next ones are looked at.
            var confirmed = await search.ConfirmAsync(candidates, count - found.Count + Margin, requester.Caller, cancellationToken);
            found.AddRange(await Neighbourhood.CompareAsync(target, confirmed, compared, reader, cancellationToken));
            candidates = confirmed.Count == 0 ? [] : candidates[(candidates.FindIndex(c => c.Member.Adapter == confirmed[^1].Member.Adapter) + 1)..];
        }

        var nearest = found.OrderByDescending(s => s.Cosine).ThenBy(s => s.Version.Adapter, StringComparer.Ordinal).Take(count);
        return TypedResults.Ok(new ListResponse<SimilarView>([.. nearest]));
    }
}
