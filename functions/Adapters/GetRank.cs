using Marketplace.Core;
using Marketplace.Core.Api;
using Marketplace.Functions.Http;
using Marketplace.Storage;
using Marketplace.Storage.Jobs;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.Functions.Adapters;

/// <summary>A version truncated to a smaller rank: digests of the files that <see cref="DownloadFile"/> sends, and what is lost.</summary>
public static class GetRank
{
    public static async Task<Results<Ok<RankView>, ProblemHttpResult>> Handle(
        string owner, string name, string revision, string rank, Requester requester, MarketplaceStorage storage, RankedExports ranks,
        CancellationToken cancellationToken)
    {
        var (version, problem) = await Lookup.VersionAsync(storage, requester.Caller, owner, name, revision, cancellationToken);
        if (version is null)
            return problem!;
        var (outcome, refusal) = await RankRequest.AnswerAsync(ranks, version, rank, cancellationToken);
        if (outcome is null)
            return refusal!;
        var reference = Views.Reference(version.Adapter, new VersionPointer(version.Number, version.Id));
        return TypedResults.Ok(outcome switch
        {
            RankOutcome.Truncated { Export: var e } => new RankView(reference, e.Rank, e.StoredRank, true, e.DiscardedEnergy, e.Files, e.Modules),
            RankOutcome.AsStored { StoredRank: var stored } => new RankView(
                reference, stored, stored, false, 0,
                [.. version.Files.Where(f => f.Path is RepositoryPath.Config or RepositoryPath.Weights).Select(f => new FileView(f.Path, f.Size, f.Digest.Hex, f.GitSha1))], []),
            _ => throw new InvalidOperationException($"{outcome} is no answer."),
        });
    }
}
