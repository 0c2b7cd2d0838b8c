using System.Text.Json;
using Marketplace.Core.Api;
using Marketplace.Functions.Http;
using Marketplace.Storage;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.Functions.Evaluations;

/// <summary>The result of an evaluation.</summary>
public static class GetEvaluation
{
    public static async Task<Results<Ok<EvaluationView>, ProblemHttpResult>> Handle(
        string id, Requester requester, MarketplaceStorage storage, CancellationToken cancellationToken)
    {
        var (result, problem) = await FindAsync(id, requester, storage, cancellationToken);
        return result is null ? problem! : TypedResults.Ok(View(result, requester));
    }

    /// <summary>The result as the caller may see it: the set and every adapter of its subject must exist for the caller.</summary>
    internal static async Task<Found<EvaluationResultRecord>> FindAsync(string id, Requester requester, MarketplaceStorage storage, CancellationToken cancellationToken) =>
        await storage.EvaluationResults.GetAsync(id, requester.Caller, cancellationToken) is { } result ? result : Problems.NotFound($"evaluation '{id}'");

    internal static EvaluationSetReference Set(EvaluationResultRecord result) => new(result.Key.Set.ToString(), result.SetNumber, result.Key.SetDigest.Hex);

    private static EvaluationView View(EvaluationResultRecord result, Requester requester) => new(
        result.Id, result.Key.BaseModel, result.Key.BaseDigest.Hex, result.Subject.Label, result.Subject, Set(result), result.Items, result.Scores, result.Candidates,
        JsonSerializer.Deserialize<JsonElement>(result.SettingsJson), result.Kernel, result.CreatedAt,
        requester.Caller.IsAdmin || requester.Owns(result.Owner) ? result.JobId : null);
}
