using Marketplace.Core.Api;

namespace Marketplace.Cli;

/// <summary>Ends a command with a message for the user.</summary>
internal sealed class CliException(string code, int exitCode, string message, string? hint = null) : Exception(message)
{
    /// <summary>Stable, for <c>--json</c>.</summary>
    public string Code { get; } = code;

    /// <summary>What the process returns.</summary>
    public int ExitCode { get; } = exitCode;

    /// <summary>What to do about it.</summary>
    public string? Hint { get; } = hint;

    /// <summary>Findings with their places.</summary>
    public IReadOnlyList<IssueView>? Issues { get; init; }

    /// <summary>An argument that can't be.</summary>
    public static CliException Usage(string message, string? hint = null) => new("usage", Cli.ExitCode.Usage, message, hint);
}
