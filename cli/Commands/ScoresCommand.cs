using System.CommandLine;
using Marketplace.Cli.Client;
using Marketplace.Cli.Output;
using Marketplace.Core.Api;
using Marketplace.Core.Evaluation;
using Spectre.Console;

namespace Marketplace.Cli.Commands;

/// <summary><c>marketplace scores</c>: one evaluation, or several held against each other.</summary>
internal static class ScoresCommand
{
    private static readonly Argument<string[]> Evaluations = new("evaluations") { Description = "One id shows that result; several are compared, all of one set", Arity = ArgumentArity.OneOrMore };
    private static readonly Option<Metric?> By = new("--metric") { Description = "Compared by; the set's own metric if absent" };
    private static readonly Option<string?> Output = new("--output", "-o") { Description = "Writes the predictions of the one result to this file (safetensors)" };

    public static Command Create()
    {
        var command = new Command("scores", "Show the scores of an evaluation, or compare several item by item") { Evaluations, By, Output };
        command.Does(Run);
        return command;
    }

    private static async Task<int> Run(Call call, CancellationToken ct)
    {
        var (ids, client) = (call.Get(Evaluations), call.Connect());
        if (ids is [var id])
        {
            var evaluation = await client.GetEvaluation(id, ct);
            if (call.Get(Output) is { } file)
            {
                await File.WriteAllBytesAsync(file, await client.DownloadPredictions(id, ct), ct);
                call.Terminal.Say($"Predictions of {evaluation.Items} items in {file}.");
            }

            call.Terminal.Result(evaluation, console => EvaluationOutput.Show(console, evaluation));
            return ExitCode.Ok;
        }

        if (call.Get(Output) is not null)
            throw CliException.Usage("Predictions are those of one evaluation.", "Name one id.");
        var comparison = await client.CompareEvaluations(new CompareEvaluationsRequest(ids, call.Get(By)), ct);
        call.Terminal.Result(comparison, console => EvaluationOutput.Show(console, comparison));
        return ExitCode.Ok;
    }

    /// <summary><c>marketplace ensemble</c>.</summary>
    public static Command CreateEnsemble()
    {
        var members = new Argument<string[]>("evaluations") { Description = "Ids of two or more evaluations of one set of multiple choice", Arity = ArgumentArity.OneOrMore };
        var score = new Option<ChoiceScore>("--score") { Description = "sum, bytes or tokens: by what choices are weighed before probabilities are averaged" };
        var share = new Option<double>("--share") { Description = "Share of the items on which is chosen; the others are reported", DefaultValueFactory = _ => 0.5 };
        var budget = new Option<int>("--budget") { Description = "Steps of the greedy portfolio", DefaultValueFactory = _ => EnsembleReport.DefaultBudget };
        var seed = new Option<ulong>("--seed") { Description = "Seed of split and bootstrap", DefaultValueFactory = _ => Bootstrap.DefaultSeed };
        var command = new Command("ensemble", "Score mixtures, votes and portfolios of evaluations from their predictions; no model runs") { members, score, share, budget, seed };
        command.Does(async (call, ct) =>
        {
            var request = new EnsembleRequest(call.Get(members), call.Get(score), call.Get(share), call.Get(budget), call.Get(seed));
            var ensemble = await call.Connect().MixEvaluations(request, ct);
            call.Terminal.Result(ensemble, console => EvaluationOutput.Show(console, ensemble));
            return ExitCode.Ok;
        });
        return command;
    }
}
