namespace Marketplace.Cli;

/// <summary>What the process returns; scripts rely on these numbers, and <c>marketplace --help</c> lists them.</summary>
internal static class ExitCode
{
    /// <summary>Done.</summary>
    public const int Ok = 0;

    /// <summary>The request was refused, or its verdict or job failed.</summary>
    public const int Refused = 1;

    /// <summary>The command line makes no sense.</summary>
    public const int Usage = 2;

    /// <summary>No service answers at the address.</summary>
    public const int Unreachable = 3;

    /// <summary>A key is missing, unknown or too small.</summary>
    public const int NotAuthorised = 4;

    /// <summary>There is no such thing, or not for this caller.</summary>
    public const int NotFound = 5;

    /// <summary>The service or this program failed.</summary>
    public const int Failed = 6;

    /// <summary>Stopped by Ctrl-C or SIGTERM.</summary>
    public const int Interrupted = 130;

    /// <summary>The same, for the help text.</summary>
    public const string Help =
        "Exit codes: 0 done, 1 refused or failed verdict, 2 bad usage, 3 service not reachable, 4 not authorised, 5 not found, " +
        "6 internal failure, 130 interrupted.";
}
