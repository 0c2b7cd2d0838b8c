using System.CommandLine;
using Marketplace.Cli.Client;

namespace Marketplace.Cli.Commands;

/// <summary><c>marketplace leaderboard</c>.</summary>
internal static class LeaderboardCommand
{
    private static readonly Argument<string> BaseModel = new("base-model") { Description = "org/name" };
    private static readonly Argument<string> Set = new("set") { Description = "owner/name, or owner/name@revision" };
    private static readonly Option<string?> Metric = new("--metric") { Description = "Another metric of the set's kind than its own" };
    private static readonly Option<int?> Tried = new("--tried") { Description = "What you have looked at besides, which the certificate must count" };
    private static readonly Option<string?> Delta = new("--delta") { Description = "Probability of error of the certificate; 0.05 if absent" };
    private static readonly Option<int> Limit = new("--limit") { Description = "At most this many rows", DefaultValueFactory = _ => 20 };

    public static Command Create()
    {
        var command = new Command("leaderboard", "Rank the evaluations of a base model on a set, and tell what is sure of the best") { BaseModel, Set, Metric, Tried, Delta, Limit };
        command.Does(Run);
        return command;
    }

    private static async Task<int> Run(Call call, CancellationToken ct)
    {
        var board = await call.Connect().GetLeaderboard(
            call.Get(BaseModel), AdapterReference.Parse(call.Get(Set)).ToString(), call.Get(Metric), call.Get(Tried), call.Get(Delta), call.Get(Limit), ct);
        call.Terminal.Result(board, console => EvaluationOutput.Show(console, board));
        return ExitCode.Ok;
    }
}
