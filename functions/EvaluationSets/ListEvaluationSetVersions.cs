using Marketplace.Core.Api;
using Marketplace.Functions.Http;
using Marketplace.Storage;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.Functions.EvaluationSets;

/// <summary>The versions of an evaluation set, newest first.</summary>
public static class ListEvaluationSetVersions
{
    public static async Task<Results<Ok<ListResponse<EvaluationSetVersionView>>, ProblemHttpResult>> Handle(
        string owner, string name, Requester requester, MarketplaceStorage storage, CancellationToken cancellationToken)
    {
        var (set, problem) = await SetLookup.FindAsync(storage, requester.Caller, owner, name, cancellationToken);
        if (set is null)
            return problem!;
        var versions = await storage.EvaluationSets.ListVersionsAsync(set.Id, cancellationToken);
        return TypedResults.Ok(new ListResponse<EvaluationSetVersionView>([.. versions.Select(v => v.View(set.Id))]));
    }
}
