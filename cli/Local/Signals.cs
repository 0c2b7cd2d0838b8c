using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Marketplace.Cli.Local;

/// <summary>Asks a process to stop by itself; .NET can only kill.</summary>
internal static class Signals
{
    private const int Terminate = 15;

    /// <summary>Sends SIGTERM; where there are no signals, kills.</summary>
    public static void AskToStop(Process process)
    {
        if (process.HasExited)
            return;
        if (OperatingSystem.IsWindows())
            process.Kill(entireProcessTree: true);
        else
            _ = kill(process.Id, Terminate);
    }

    [DllImport("libc", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int kill(int pid, int signal);
}
