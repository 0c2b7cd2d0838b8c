using Marketplace.Core.Api;
using Marketplace.Core.Evaluation;
using Marketplace.Functions.Http;
using Marketplace.Storage;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.Functions.Evaluations;

/// <summary>Scores mixtures, votes and portfolios of evaluations, from kept predictions; no model runs, nothing is stored.</summary>
public static class MixEvaluations
{
    private const int MaxEvaluations = 64;
    private const int MaxBudget = 200;

    public static async Task<Results<Ok<EnsembleView>, ProblemHttpResult>> Handle(
        EnsembleRequest request, Requester requester, MarketplaceStorage storage, CancellationToken cancellationToken)
    {
        if (request.Budget is < 1 or > MaxBudget)
            return Problems.InvalidRequest("budget", $"The budget is a number of steps from 1 to {MaxBudget}.");
        if (!(request.Share is > 0 and < 1))
            return Problems.InvalidRequest("share", "The share of the items on which is chosen is a number between 0 and 1.");
        var (kept, problem) = await KeptPredictions.ReadAsync(request.Evaluations, MaxEvaluations, requester, storage, Check, cancellationToken);
        if (kept is null)
            return problem!;
        var report = await Task.Run(
            () => EnsembleReport.Of(new PredictionEnsemble(kept.Set, kept.Predictions, request.Score), kept.Set.Items.Length, request.Share, request.Budget, request.Seed), cancellationToken);
        return TypedResults.Ok(new EnsembleView(kept.Reference, kept.Show(Metric.Accuracy), report));
    }

    private static ProblemHttpResult? Check(EvaluationResultRecord first) =>
        first.Scores.All(s => s.Metric != Metric.AccuracyNorm) ? Problems.InvalidRequest("evaluations", "Ensembles are made of evaluations of multiple choice.")
        : first.Items < 2 ? Problems.InvalidRequest("evaluations", "The set has one item; choosing and reporting take two at least.") : null;
}
