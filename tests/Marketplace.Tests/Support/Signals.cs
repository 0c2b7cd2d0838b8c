using System.Runtime.InteropServices;

namespace Marketplace.Tests.Support;

/// <summary>Signals to processes, by the system call: not every machine has a program called kill.</summary>
internal static class Signals
{
    public const string Interrupt = "INT";
    public const string Kill = "KILL";
    public const string Terminate = "TERM";

    private const int NoSuchProcess = 3; // it has just ended by itself

    public static void Send(int processId, string signal)
    {
        var number = signal switch
        {
            Interrupt => 2,
            Kill => 9,
            Terminate => 15,
            _ => throw new ArgumentOutOfRangeException(nameof(signal), signal, "No signal that tests send."),
        };
        if (kill(processId, number) != 0 && Marshal.GetLastPInvokeError() != NoSuchProcess)
            throw new InvalidOperationException($"SIG{signal} does not reach process {processId}: {Marshal.GetLastPInvokeErrorMessage()}.");
    }

    [DllImport("libc", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int kill(int pid, int signal);
}
