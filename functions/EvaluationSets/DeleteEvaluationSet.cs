using Marketplace.Functions.Http;
using Marketplace.Storage;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.Functions.EvaluationSets;

/// <summary>Deletes an evaluation set with its versions and all results on it.</summary>
public static class DeleteEvaluationSet
{
    public static async Task<Results<NoContent, ProblemHttpResult>> Handle(
        string owner, string name, Requester requester, MarketplaceStorage storage, TimeProvider time, CancellationToken cancellationToken)
    {
        var (set, problem) = await SetLookup.FindOwnAsync(storage, requester, owner, name, cancellationToken);
        if (set is null)
            return problem!;
        if (!await storage.Catalogue.DeleteEvaluationSetAsync(set.Id, cancellationToken))
            return Problems.NotFound($"evaluation set '{owner}/{name}'");
        await storage.Usage.ReleaseSetAsync(set.Id, cancellationToken);
        await storage.Audit.WriteAsync(new AuditEvent(time.GetUtcNow(), requester.Owner, "delete-set", set.Id.ToString(), null), ct: cancellationToken);
        return TypedResults.NoContent();
    }
}
