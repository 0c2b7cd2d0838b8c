using System.Diagnostics;
using Marketplace.Cli.Output;

namespace Marketplace.Cli.Local;

/// <summary>A process of the local stack. What it writes goes to a log file.</summary>
internal sealed class ChildProcess : IAsyncDisposable
{
    // Hosts finish what they are doing for up to 10 s.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(15);

    private readonly Process process;
    private readonly StreamWriter log;
    private readonly Action<string>? onLine;
    private readonly Lock gate = new();
    private bool closed;

    private ChildProcess(string name, Process process, StreamWriter log, string logPath, Action<string>? onLine)
    {
        (Name, this.process, this.log, LogPath, this.onLine) = (name, process, log, logPath, onLine);
        process.OutputDataReceived += (_, e) => Write(e.Data);
        process.ErrorDataReceived += (_, e) => Write(e.Data);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        Exited = process.WaitForExitAsync();
    }

    /// <summary>What it is, for messages.</summary>
    public string Name { get; }

    /// <summary>Where its output is.</summary>
    public string LogPath { get; }

    /// <summary>Its process id.</summary>
    public int Id => process.Id;

    /// <summary>Ends when the process has ended, however it did.</summary>
    public Task Exited { get; }

    /// <summary>Starts a .NET host with an environment of its own.</summary>
    /// <param name="name">What it is, for messages and the log's name.</param>
    /// <param name="assembly">The host's .dll.</param>
    /// <param name="environment">Variables to set over those of this process.</param>
    /// <param name="logs">Folder of the log file.</param>
    /// <param name="onLine">Sees every line of output.</param>
    public static ChildProcess Start(
        string name, string assembly, IReadOnlyDictionary<string, string> environment, string logs, Action<string>? onLine = null)
    {
        var start = new ProcessStartInfo(HostAssemblies.DotnetPath, [assembly])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
            WorkingDirectory = Path.GetDirectoryName(assembly)!,
        };
        // Settings meant for another deployment must not reach this one.
        foreach (var inherited in start.Environment.Keys.Where(IsOtherConfiguration).ToList())
            start.Environment.Remove(inherited);
        foreach (var (key, value) in environment)
            start.Environment[key] = value;
        var logPath = Path.Combine(logs, $"{name}.log");
        var log = new StreamWriter(logPath, append: true) { AutoFlush = true };
        var process = Process.Start(start) ?? throw new CliException("start-failed", ExitCode.Failed, $"{name} does not start.");
        process.StandardInput.Close();
        return new ChildProcess(name, process, log, logPath, onLine);
    }

    /// <summary>The last lines of the log, for the message about an unexpected end.</summary>
    public string Tail()
    {
        lock (gate)
        {
            using var file = new FileStream(LogPath, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
            using var reader = new StreamReader(file);
            return string.Join('\n', reader.ReadToEnd().TrimEnd().Split('\n').TakeLast(15));
        }
    }

    /// <summary>Asks the process to stop, waits, and kills it if it takes too long.</summary>
    public async Task Stop(Terminal terminal)
    {
        Signals.AskToStop(process);
        if (await Task.WhenAny(Exited, Task.Delay(Patience)) != Exited)
        {
            terminal.Say($"{Name} did not stop within {Patience.TotalSeconds} s and is killed.");
            process.Kill(entireProcessTree: true);
            await Exited;
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (!process.HasExited)
            process.Kill(entireProcessTree: true);
        await Exited;
        lock (gate)
        {
            closed = true;
            log.Dispose();
        }

        process.Dispose();
    }

    private static bool IsOtherConfiguration(string variable) =>
        variable.StartsWith("Storage__", StringComparison.OrdinalIgnoreCase)
        || variable.StartsWith("Marketplace__", StringComparison.OrdinalIgnoreCase)
        || variable.StartsWith("Kestrel__", StringComparison.OrdinalIgnoreCase)
        || variable.StartsWith("ASPNETCORE_", StringComparison.OrdinalIgnoreCase)
        || variable.Equals("URLS", StringComparison.OrdinalIgnoreCase);

    private void Write(string? line)
    {
        if (line is null)
            return;
        lock (gate)
        {
            if (!closed)
                log.WriteLine(line);
        }

        onLine?.Invoke(line);
    }
}
