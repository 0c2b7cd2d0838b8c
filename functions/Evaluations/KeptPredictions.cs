using Marketplace.Core.Api;
using Marketplace.Core.Evaluation;
using Marketplace.Functions.Http;
using Marketplace.Storage;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.Functions.Evaluations;

/// <summary>Several evaluations of one set with their predictions, for requests that score them anew.</summary>
internal sealed record KeptPredictions(EvaluationSet Set, IReadOnlyList<EvaluationResultRecord> Results, IReadOnlyList<Predictions> Predictions)
{
    /// <summary>Predictions, of one item by one evaluation, up to which is scored anew on request.</summary>
    public const int MaxPredictions = 2_000_000;

    /// <summary>The set's version, as the first evaluation names it.</summary>
    public EvaluationSetReference Reference => GetEvaluation.Set(Results[0]);

    /// <summary>Reads the evaluations that a request names.</summary>
    /// <param name="ids">The ids.</param>
    /// <param name="most">Most of them.</param>
    /// <param name="requester">Who asks.</param>
    /// <param name="storage">Where they are.</param>
    /// <param name="check">Why the set is not one that this can be done with; null if it is.</param>
    /// <param name="cancellationToken">Stops.</param>
    public static async Task<Found<KeptPredictions>> ReadAsync(
        IReadOnlyList<string> ids, int most, Requester requester, MarketplaceStorage storage, Func<EvaluationResultRecord, ProblemHttpResult?> check, CancellationToken cancellationToken)
    {
        if (ids.Count < 2 || ids.Count > most)
            return Problems.InvalidRequest("evaluations", $"2 to {most} evaluations are taken.");
        if (ids.Distinct(StringComparer.Ordinal).Count() < ids.Count)
            return Problems.InvalidRequest("evaluations", "An evaluation is named more than once.");
        var results = new List<EvaluationResultRecord>();
        foreach (var (id, index) in ids.Select((id, index) => (id, index)))
        {
            var (result, problem) = await GetEvaluation.FindAsync(id ?? "", requester, storage, cancellationToken);
            if (result is null)
                return Problems.InvalidRequest($"evaluations[{index}]", problem!.ProblemDetails.Detail!);
            if (results.Count > 0 && result.Key.SetDigest != results[0].Key.SetDigest)
                return Problems.InvalidRequest($"evaluations[{index}]", $"Evaluation '{id}' is of another set than the first: '{result.Key.Set}@{result.SetNumber}'.");
            results.Add(result);
        }

        if (check(results[0]) is { } refused)
            return refused;
        if ((long)results.Count * results[0].Items > MaxPredictions)
            return Problems.InvalidRequest("evaluations", $"These have {(long)results.Count * results[0].Items} predictions; up to {MaxPredictions} are scored anew on request.");
        var set = await storage.EvaluationSets.ReadAsync(results[0].Key.SetDigest, cancellationToken);
        return new KeptPredictions(set, results, await Task.WhenAll(results.Select(r => storage.EvaluationResults.ReadPredictionsAsync(r.Id, cancellationToken))));
    }

    /// <summary>How the evaluations are shown beside what was computed from them.</summary>
    public IReadOnlyList<ComparedEvaluation> Show(Metric metric) =>
        [.. Results.Select(r => new ComparedEvaluation(r.Id, r.Subject.Label, r.Key.BaseModel, r.Scores.First(s => s.Metric == metric)))];
}
