using Marketplace.Core.Api;
using Marketplace.Functions.Http;
using Marketplace.Storage;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.Functions.EvaluationSets;

/// <summary>Unlists an evaluation set, or lists it again.</summary>
public static class UpdateEvaluationSet
{
    public static async Task<Results<Ok<EvaluationSetView>, ProblemHttpResult>> Handle(
        string owner, string name, UpdateEvaluationSetRequest request, Requester requester, MarketplaceStorage storage, TimeProvider time, CancellationToken cancellationToken)
    {
        if (request.Listed is not { } listed)
            return Problems.InvalidRequest("listed", "Say 'listed': true or false.");
        var (set, problem) = await SetLookup.FindOwnAsync(storage, requester, owner, name, cancellationToken);
        if (set is null)
            return problem!;
        if (await storage.EvaluationSets.SetListedAsync(set.Id, listed, cancellationToken) is not { } changed)
            return Problems.NotFound($"evaluation set '{owner}/{name}'");
        await storage.Audit.WriteAsync(new AuditEvent(time.GetUtcNow(), requester.Owner, listed ? "list-set" : "unlist-set", set.Id.ToString(), null), ct: cancellationToken);
        return TypedResults.Ok(changed.View());
    }
}
