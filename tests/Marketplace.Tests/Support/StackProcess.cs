using System.Diagnostics;
using System.Text;

namespace Marketplace.Tests.Support;

/// <summary>One of the hosts as the process that users run, from the build's output beside the tests' own.</summary>
internal sealed class StackProcess : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly string name;
    private readonly Process process;
    private readonly StringBuilder output = new();
    private readonly TaskCompletionSource<Uri> listening = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private StackProcess(string name, Process process)
    {
        (this.name, this.process) = (name, process);
        process.OutputDataReceived += (_, e) => Take(e.Data);
        process.ErrorDataReceived += (_, e) => Take(e.Data);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
    }

    /// <summary>Everything it wrote so far.</summary>
    public string Output
    {
        get
        {
            lock (output)
                return output.ToString();
        }
    }

    /// <summary>Starts <c>Marketplace.NAME.dll</c> with an environment of its own.</summary>
    public static StackProcess Start(string name, IReadOnlyDictionary<string, string> environment)
    {
        var assembly = Assembly(name);
        var start = new ProcessStartInfo("dotnet", [assembly])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
            WorkingDirectory = Path.GetDirectoryName(assembly)!,
        };
        string[] sections = ["Storage__", "Marketplace__", "MARKETPLACE_", "ASPNETCORE_", "Kestrel__", "OTEL_", "APPLICATIONINSIGHTS_"];
        foreach (var inherited in start.Environment.Keys.Where(k => sections.Any(s => k.StartsWith(s, StringComparison.OrdinalIgnoreCase))).ToList())
            start.Environment.Remove(inherited);
        // In a container the hosts would write JSON, in which an address ends otherwise.
        start.Environment["Marketplace__Logging__Json"] = "false";
        // Hundreds of them live for seconds each: what pays off later costs each of them a quarter of its processor time.
        start.Environment["DOTNET_gcConcurrent"] = start.Environment["DOTNET_TieredPGO"] = "0";
        foreach (var (key, value) in environment)
            start.Environment[key] = value;
        return new StackProcess(name, Process.Start(start)!);
    }

    /// <summary>The address it serves, once it does.</summary>
    public async Task<Uri> ListeningAsync()
    {
        var exited = process.WaitForExitAsync();
        if (await Task.WhenAny(listening.Task, exited, Task.Delay(Patience)) == listening.Task)
            return await listening.Task;
        throw new InvalidOperationException($"{name} does not serve:\n{Output}");
    }

    /// <summary>Ends when it has written that text; a log may come later than the answer it is about.</summary>
    public async Task WroteAsync(string text)
    {
        for (var deadline = DateTime.UtcNow + Patience; !Output.Contains(text, StringComparison.Ordinal); await Task.Delay(20))
        {
            if (DateTime.UtcNow > deadline)
                throw new InvalidOperationException($"{name} does not write '{text}':\n{Output}");
        }
    }

    /// <summary>SIGKILL: no handler runs, nothing is flushed.</summary>
    public async Task KillAsync()
    {
        process.Kill();
        await process.WaitForExitAsync();
    }

    /// <summary>SIGTERM, and the exit code that followed.</summary>
    public async Task<int> StopAsync()
    {
        Signals.Send(process.Id, Signals.Terminate);
        await process.WaitForExitAsync().WaitAsync(Patience);
        return process.ExitCode;
    }

    public async ValueTask DisposeAsync()
    {
        if (!process.HasExited)
            await KillAsync();
        process.Dispose();
    }

    // artifacts/bin/Marketplace.Tests/debug/ → artifacts/bin/Marketplace.NAME/debug/
    private static string Assembly(string name)
    {
        var own = new DirectoryInfo(AppContext.BaseDirectory);
        return Path.Combine(own.Parent!.Parent!.FullName, $"Marketplace.{name}", own.Name, $"Marketplace.{name}.dll");
    }

    private void Take(string? line)
    {
        const string Marker = "Now listening on: ";
        if (line is null)
            return;
        lock (output)
            output.AppendLine(line);
        if (line.IndexOf(Marker, StringComparison.Ordinal) is >= 0 and var at)
            listening.TrySetResult(new Uri(line[(at + Marker.Length)..].Trim()));
    }
}
