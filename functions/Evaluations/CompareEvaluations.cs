using Marketplace.Core.Api;
using Marketplace.Core.Evaluation;
using Marketplace.Functions.Http;
using Marketplace.Storage;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.Functions.Evaluations;

/// <summary>Holds evaluations of one set against each other, item by item, from kept predictions; nothing is stored.</summary>
public static class CompareEvaluations
{
    private const int MaxEvaluations = 32;

    // Exchanges of items: of a metric that is not 0/1 each pair takes a thousand or more for each item.
    private const long MaxItemsOfPairs = 1_000_000;

    public static async Task<Results<Ok<EvaluationComparisonView>, ProblemHttpResult>> Handle(
        CompareEvaluationsRequest request, Requester requester, MarketplaceStorage storage, CancellationToken cancellationToken)
    {
        var pairs = (long)request.Evaluations.Count * (request.Evaluations.Count - 1) / 2;
        var (kept, problem) = await KeptPredictions.ReadAsync(request.Evaluations, MaxEvaluations, requester, storage, first => Check(request, first, pairs), cancellationToken);
        if (kept is null)
            return problem!;
        var metric = request.Metric ?? kept.Set.Header.Metric;
        var compared = await Task.Run(() => Compare(kept, metric, request.Seed, cancellationToken), cancellationToken);
        return TypedResults.Ok(new EvaluationComparisonView(kept.Reference, metric, kept.Show(metric), compared));
    }

    private static ProblemHttpResult? Check(CompareEvaluationsRequest request, EvaluationResultRecord first, long pairs)
    {
        if (request.Metric is { } metric && first.Scores.All(s => s.Metric != metric))
            return Problems.InvalidRequest("metric", $"The metric of such a set is one of {string.Join(", ", first.Scores.Select(s => ApiJson.Name(s.Metric)))}.");
        // The set's own metric is not known yet; if it might be one that is not 0/1, it counts as such.
        var cheap = request.Metric is { } asked ? Metrics.IsProportion(asked) : first.Scores.All(s => Metrics.IsProportion(s.Metric));
        return !cheap && pairs * first.Items > MaxItemsOfPairs
            ? Problems.InvalidRequest("evaluations", $"These are {pairs} pairs of {first.Items} items; by such a metric up to {MaxItemsOfPairs} items of pairs are compared on request.") : null;
    }

    private static List<EvaluationPair> Compare(KeptPredictions kept, Metric metric, ulong seed, CancellationToken cancellationToken)
    {
        var items = kept.Predictions.Select(p => ItemScores.Of(kept.Set, p, metric)).ToList();
        var pairs = new List<(int First, int Second, PairedComparison Comparison)>();
        for (var i = 0; i < items.Count; i++)
        {
            for (var j = i + 1; j < items.Count; j++)
            {
                cancellationToken.ThrowIfCancellationRequested();
                pairs.Add((i, j, PairedComparison.Of(items[i], items[j], seed: seed)));
            }
        }

        var adjusted = Holm.Adjust([.. pairs.Select(p => p.Comparison.PValue)]);
        return [.. pairs.Select((p, i) => new EvaluationPair(p.First, p.Second, p.Comparison, adjusted[i]))];
    }
}
