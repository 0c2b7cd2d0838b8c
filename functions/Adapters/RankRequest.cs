using Marketplace.Core.Api;
using Marketplace.Functions.Http;
using Marketplace.Storage;
using Marketplace.Storage.Jobs;

namespace Marketplace.Functions.Adapters;

/// <summary>A version at a rank that a request names.</summary>
internal static class RankRequest
{
    /// <summary>What there is at that rank, or why nothing; the latter is never <see cref="RankOutcome.Refused"/>.</summary>
    public static async Task<Found<RankOutcome>> AnswerAsync(RankedExports ranks, VersionRecord version, string rank, CancellationToken cancellationToken)
    {
        if (!int.TryParse(rank, out var number) || number < 1)
            return Problems.InvalidRequest("rank", "rank is a whole number of at least 1.");
        return await ranks.GetAsync(version, number, cancellationToken) switch
        {
            RankOutcome.Refused { Problems: var problems } => Problems.RankNotAvailable(
                version.Adapter.ToString(), [.. problems.Select(p => new IssueView(p.Code, "error", p.Module, p.Message))]),
            var outcome => outcome,
        };
    }
}
