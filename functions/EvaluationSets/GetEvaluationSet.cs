using Marketplace.Core.Api;
using Marketplace.Functions.Http;
using Marketplace.Storage;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.Functions.EvaluationSets;

/// <summary>One evaluation set.</summary>
public static class GetEvaluationSet
{
    public static async Task<Results<Ok<EvaluationSetView>, ProblemHttpResult>> Handle(
        string owner, string name, Requester requester, MarketplaceStorage storage, CancellationToken cancellationToken)
    {
        var (set, problem) = await SetLookup.FindAsync(storage, requester.Caller, owner, name, cancellationToken);
        return set is null ? problem! : TypedResults.Ok(set.View());
    }
}
