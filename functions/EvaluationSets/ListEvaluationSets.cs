using Marketplace.Core;
using Marketplace.Core.Api;
using Marketplace.Functions.Http;
using Marketplace.Storage;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.Functions.EvaluationSets;

/// <summary>Lists evaluation sets: those for everybody, and all of the caller's own.</summary>
public static class ListEvaluationSets
{
    private const int MaxLimit = 200;

    public static async Task<Results<Ok<ListResponse<EvaluationSetView>>, ProblemHttpResult>> Handle(
        Requester requester, MarketplaceStorage storage, CancellationToken cancellationToken, string? owner = null, string? limit = null, string? continuation = null)
    {
        if (Paging.ParseLimit(limit, MaxLimit) is not { } count)
            return Paging.BadLimit(MaxLimit);
        if (owner is not null && !AdapterId.IsValidOwner(owner))
            return Problems.InvalidRequest("owner", $"'{owner}' is not the name of an account.");
        return await storage.EvaluationSets.ListAsync(requester.Caller, owner, continuation, count, cancellationToken) is { } page
            ? TypedResults.Ok(new ListResponse<EvaluationSetView>([.. page.Items.Select(s => s.View())], page.Continuation))
            : Problems.InvalidRequest("continuation", "The continuation is not one that this service gave.");
    }
}
