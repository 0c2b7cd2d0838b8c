using System.CommandLine;
using Azure;
using Marketplace.Cli.Azurite;
using Marketplace.Cli.Client;
using Marketplace.Core.Api;

namespace Marketplace.Cli.Commands;

/// <summary>Runs a command's body and turns what goes wrong into a message and an exit code.</summary>
internal static class CommandRunner
{
    /// <summary>Makes <paramref name="body"/> what the command does.</summary>
    public static void Does(this Command command, Func<Call, CancellationToken, Task<int>> body) =>
        command.SetAction(async (ParseResult arguments, CancellationToken ct) =>
        {
            using var call = new Call(arguments);
            try
            {
                return await body(call, ct);
            }
            catch (Exception e) when (e is not OutOfMemoryException)
            {
                return await Explain(call, e, ct);
            }
        });

    private static async Task<int> Explain(Call call, Exception e, CancellationToken ct)
    {
        switch (e)
        {
            case OperationCanceledException when ct.IsCancellationRequested:
                call.Terminal.Problem("interrupted", "Interrupted.", null, null);
                return ExitCode.Interrupted;
            case CliException known:
                call.Terminal.Problem(known.Code, known.Message, known.Hint, known.Issues);
                return known.ExitCode;
            case ApiException refused:
                var hint = await Hint(call, refused, ct);
                var trace = refused.Problem.TraceId is { } id && refused.ExitCode == ExitCode.Failed ? $" (trace {id})" : "";
                call.Terminal.Problem(refused.Problem.Code, refused.Message + trace, hint, refused.Problem.Issues);
                return refused.ExitCode;
            case HttpRequestException unreachable:
                call.Terminal.Problem("unreachable", $"No marketplace answers at {call.Address}: {unreachable.Message}", CliHints.Start, null);
                return ExitCode.Unreachable;
            case RequestFailedException { Status: 0 } storage:
                call.Terminal.Problem("unreachable", $"Storage does not answer: {storage.InnerException?.Message ?? storage.Message}", CliHints.Start, null);
                return ExitCode.Unreachable;
            case RequestFailedException storage:
                call.Terminal.Problem("storage-refused", $"Storage refused the bytes: {storage.ErrorCode ?? storage.Status.ToString()}.", "Try again.", null);
                return ExitCode.Failed;
            case AzuriteException missing:
                call.Terminal.Problem("storage-not-started", missing.Message, null, null);
                return ExitCode.Failed;
            case IOException or UnauthorizedAccessException:
                call.Terminal.Problem("io", e.Message, null, null);
                return ExitCode.Failed;
            default:
                call.Terminal.Problem("internal-error", e.ToString(), "This is a defect of the program.", null);
                return ExitCode.Failed;
        }
    }

    private static async Task<string?> Hint(Call call, ApiException refused, CancellationToken ct) => refused.Problem.Code switch
    {
        "unauthenticated" => CliHints.Key,
        "forbidden" => "`marketplace whoami` shows whose key it is; only the owner of an adapter may change it.",
        "no-account" => "`marketplace whoami` shows the identity; an admin binds it with `marketplace accounts bind`.",
        "quota-exceeded" => "`marketplace accounts show` tells what is used; an admin raises it with `marketplace accounts quota`.",
        "identity-unavailable" => "Try again, or use an API key.",
        "not-found" or "invalid-request" => await Suggestions.ForAdapters(call, ct),
        "base-mismatch" => "`marketplace show` tells each adapter's base model; `marketplace base-models confirm` says what a spelling stands for.",
        _ => null,
    };
}
