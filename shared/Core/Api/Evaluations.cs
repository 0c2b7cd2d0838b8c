using System.Text.Json;
using Marketplace.Core.Evaluation;

namespace Marketplace.Core.Api;

/// <summary>Names a version of an evaluation set.</summary>
/// <param name="Set"><c>owner/name</c>.</param>
/// <param name="Number">1 for the first version.</param>
/// <param name="Digest">SHA-256 of its canonical bytes.</param>
public sealed record EvaluationSetReference(string Set, int Number, string Digest);

/// <summary>The result of an evaluation.</summary>
/// <param name="Id">64 hexadecimal digits that follow from base model, subject, set and settings.</param>
/// <param name="BaseModel">The base model.</param>
/// <param name="BaseDigest">Digest of its configuration and weights.</param>
/// <param name="Label">The subject in a line.</param>
/// <param name="Subject">What was evaluated.</param>
/// <param name="Set">On what.</param>
/// <param name="Items">Number of items.</param>
/// <param name="Scores">Every metric of the set's kind, with intervals.</param>
/// <param name="Candidates">How many subjects were tried on the set to arrive at this one.</param>
/// <param name="Settings">How it was evaluated.</param>
/// <param name="Kernel">Version and device kind of the kernels.</param>
/// <param name="CreatedAt">When it was finished.</param>
/// <param name="JobId">The job that computed it; absent for others than the account that asked for it.</param>
public sealed record EvaluationView(
    string Id, string BaseModel, string BaseDigest, string Label, EvaluationSubject Subject, EvaluationSetReference Set, int Items, IReadOnlyList<Score> Scores, int Candidates,
    JsonElement Settings, string Kernel, DateTimeOffset CreatedAt, string? JobId = null);

/// <summary>The evaluations of a base model on a set that the caller may see, best first.</summary>
/// <param name="BaseModel">The base model as it was asked for.</param>
/// <param name="Set">The set.</param>
/// <param name="Metric">By which is ranked.</param>
/// <param name="HigherIsBetter">Whether a larger score is a better one.</param>
/// <param name="Candidates">N: all that was looked at. Every evaluation that the caller may see, with the candidates it was picked from, and what <c>tried</c> adds.</param>
/// <param name="Rows">The best ones, at most as many as asked for.</param>
/// <param name="Certificate">What is sure of the first row after N candidates were looked at; for 0/1 metrics.</param>
public sealed record LeaderboardView(
    string BaseModel, EvaluationSetReference Set, Metric Metric, bool HigherIsBetter, int Candidates, IReadOnlyList<LeaderboardRow> Rows, Certificate? Certificate = null);

/// <summary>One evaluation in a leaderboard.</summary>
/// <param name="Rank">1 for the best; equal scores have equal ranks.</param>
/// <param name="Evaluation">Its id.</param>
/// <param name="Label">The subject in a line.</param>
/// <param name="Subject">The subject.</param>
/// <param name="Score">The score by which is ranked.</param>
/// <param name="BaseDigest">Digest of the base model's configuration and weights.</param>
/// <param name="Kernel">Version and device kind of the kernels.</param>
/// <param name="CreatedAt">When it was finished.</param>
public sealed record LeaderboardRow(
    int Rank, string Evaluation, string Label, EvaluationSubject Subject, Score Score, string BaseDigest, string Kernel, DateTimeOffset CreatedAt);

/// <summary>POST /api/v1/evaluations/compare: evaluations of one set held against each other, item by item; nothing is stored.</summary>
/// <param name="Evaluations">2 to 32 ids.</param>
/// <param name="Metric">A metric of the set's kind; the set's own if absent.</param>
/// <param name="Seed">Seed of bootstrap and exchanges.</param>
public sealed record CompareEvaluationsRequest(IReadOnlyList<string> Evaluations, Metric? Metric = null, ulong Seed = Bootstrap.DefaultSeed);

/// <summary>Evaluations held against each other.</summary>
/// <param name="Set">On what all were evaluated.</param>
/// <param name="Metric">What is compared.</param>
/// <param name="Evaluations">The evaluations in the order asked for.</param>
/// <param name="Pairs">Every pair.</param>
public sealed record EvaluationComparisonView(
    EvaluationSetReference Set, Metric Metric, IReadOnlyList<ComparedEvaluation> Evaluations, IReadOnlyList<EvaluationPair> Pairs);

/// <summary>One of the evaluations that are compared or mixed.</summary>
/// <param name="Evaluation">Its id.</param>
/// <param name="Label">Its subject in a line.</param>
/// <param name="BaseModel">Its base model.</param>
/// <param name="Score">Its score on all items.</param>
public sealed record ComparedEvaluation(string Evaluation, string Label, string BaseModel, Score Score);

/// <summary>Two evaluations.</summary>
/// <param name="First">Index of one.</param>
/// <param name="Second">Index of the other.</param>
/// <param name="Comparison">Difference, interval, p-value.</param>
/// <param name="AdjustedPValue">The p-value after Holm's correction for all pairs of the answer.</param>
public sealed record EvaluationPair(int First, int Second, PairedComparison Comparison, double AdjustedPValue);

/// <summary>POST /api/v1/evaluations/ensemble: kept predictions as mixtures, votes and portfolios, without a model; nothing is stored.</summary>
/// <param name="Evaluations">2 to 64 ids, all of one set of multiple choice.</param>
/// <param name="Score">sum, bytes or tokens: by what choices are weighed before probabilities are averaged.</param>
/// <param name="Share">Share of the items on which is chosen; the others are reported.</param>
/// <param name="Budget">Steps of the greedy portfolio, 1 to 200.</param>
/// <param name="Seed">Seed of split and bootstrap.</param>
public sealed record EnsembleRequest(
    IReadOnlyList<string> Evaluations, ChoiceScore Score = ChoiceScore.Sum, double Share = 0.5, int Budget = EnsembleReport.DefaultBudget, ulong Seed = Bootstrap.DefaultSeed);

/// <summary>What ensembles are worth.</summary>
/// <param name="Set">On what all were evaluated.</param>
/// <param name="Evaluations">The members, in the order of the weights.</param>
/// <param name="Report">The ways of deciding, on held-out items.</param>
public sealed record EnsembleView(EvaluationSetReference Set, IReadOnlyList<ComparedEvaluation> Evaluations, EnsembleReport Report);
