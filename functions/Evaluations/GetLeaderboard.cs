using System.Globalization;
using Marketplace.Core.Api;
using Marketplace.Core.Evaluation;
using Marketplace.Functions.EvaluationSets;
using Marketplace.Functions.Http;
using Marketplace.Storage;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.Functions.Evaluations;

/// <summary>The evaluations of a base model on a set, best first, with what is sure of the best one.</summary>
public static class GetLeaderboard
{
    private const int MaxLimit = 500;
    private const int MaxTried = 1_000_000_000;

    public static async Task<Results<Ok<LeaderboardView>, ProblemHttpResult>> Handle(
        Requester requester, MarketplaceStorage storage, CancellationToken cancellationToken,
        string? baseModel = null, string? set = null, string? metric = null, string? tried = null, string? delta = null, string? limit = null)
    {
        if (baseModel is null)
            return Problems.InvalidRequest("baseModel", "Say of which base model: ?baseModel=org/name.");
        if (set is null)
            return Problems.InvalidRequest("set", "Say on which set: &set=owner/name.");
        if (Paging.ParseLimit(limit, MaxLimit) is not { } count)
            return Paging.BadLimit(MaxLimit);
        var more = 0;
        if (tried is not null && (!int.TryParse(tried, NumberStyles.None, CultureInfo.InvariantCulture, out more) || more > MaxTried))
            return Problems.InvalidRequest("tried", $"tried, what was looked at besides, is a number up to {MaxTried}.");
        var error = Certificate.DefaultDelta;
        if (delta is not null && !(double.TryParse(delta, NumberStyles.Float, CultureInfo.InvariantCulture, out error) && error is > 0 and < 1))
            return Problems.InvalidRequest("delta", "delta, the probability of error, is a number between 0 and 1.");

        var canonical = await storage.BaseModels.ResolveAsync(baseModel, requester.Caller.Owner ?? "", cancellationToken);
        if (canonical is null)
            return Problems.NotFound($"base model '{baseModel}'");
        var (record, version, problem) = await SetLookup.FindVersionAsync(storage, requester.Caller, set, cancellationToken);
        if (record is null || version is null)
            return problem!;
        if (Choose(metric, version) is not { } by)
            return BadMetric(version.Header.Kind);
        var results = await storage.EvaluationResults.ListAsync(canonical, record.Id, version.Digest, requester.Caller, cancellationToken);
        return TypedResults.Ok(Rank(baseModel, new(record.Id.ToString(), version.Number, version.Digest.Hex), by, results, more, error, count));
    }

    /// <summary>The metric of that name, the set's own if none is named; null if it is none of the set's kind.</summary>
    internal static Metric? Choose(string? metric, EvaluationSetVersion version) =>
        metric is null ? version.Header.Metric : Text.TryParse(metric, out Metric named) && Metrics.Of(version.Header.Kind).Contains(named) ? named : null;

    internal static ProblemHttpResult BadMetric(EvaluationKind kind) =>
        Problems.InvalidRequest("metric", $"The metric of such a set is one of {string.Join(", ", Metrics.Of(kind).Select(ApiJson.Name))}.");

    private static LeaderboardView Rank(
        string baseModel, EvaluationSetReference set, Metric metric, IReadOnlyList<EvaluationResultRecord> results, int tried, double delta, int limit)
    {
        var higher = Metrics.HigherIsBetter(metric);
        var ranked = results
            .Select(result => (Result: result, Score: result.Scores.First(s => s.Metric == metric)))
            .OrderBy(r => higher ? -r.Score.Value : r.Score.Value).ThenBy(r => r.Result.CreatedAt).ThenBy(r => r.Result.Id, StringComparer.Ordinal).ToList();
        var rows = new List<LeaderboardRow>();
        foreach (var (result, score) in ranked.Take(limit))
        {
            var rank = rows.Count > 0 && rows[^1].Score.Value == score.Value ? rows[^1].Rank : rows.Count + 1;
            rows.Add(new(rank, result.Id, result.Subject.Label, result.Subject, score, result.Key.BaseDigest.Hex, result.Kernel, result.CreatedAt));
        }

        var candidates = (int)Math.Min(int.MaxValue, tried + results.Sum(r => (long)Math.Max(1, r.Candidates)));
        var certificate = rows is [{ Score: { Correct: { } correct } best }, ..] ? Certificate.Of(correct, best.Examples, candidates, delta) : null;
        return new(baseModel, set, metric, higher, candidates, rows, certificate);
    }
}
