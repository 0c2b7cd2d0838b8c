using System.Diagnostics;
using System.Text;
using System.Text.Json;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Cli;

/// <summary>A running <c>marketplace up</c>.</summary>
internal sealed class RunningUp : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly Process process;
    private readonly Task<string> errors;

    private RunningUp(Process process, Task<string> errors, JsonElement announced) =>
        (this.process, this.errors, Announced, Children) = (process, errors, announced, ChildrenOf(process.Id));

    /// <summary>What it wrote when it was ready.</summary>
    public JsonElement Announced { get; }

    /// <summary>Its child processes at that moment: process id and command line.</summary>
    public IReadOnlyList<(int Id, string Command)> Children { get; }

    public string Url => Announced.GetProperty("url").GetString()!;

    public string Key => Announced.GetProperty("key").GetString()!;

    public static async Task<RunningUp> Start(CliProcess cli, params string[] arguments)
    {
        var process = cli.Start(["up", "--json", .. arguments]);
        var errors = process.StandardError.ReadToEndAsync(CancellationToken.None);
        var text = new StringBuilder();
        // The document is indented: its last line is a closing brace alone.
        for (string? line; (line = await process.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken)) is not null;)
        {
            text.AppendLine(line);
            if (line == "}")
                return new RunningUp(process, errors, JsonDocument.Parse(text.ToString()).RootElement);
        }

        throw new InvalidOperationException($"`up` ended before it was ready:\n{text}{await errors}");
    }

    /// <summary>Sends a signal by name, such as INT.</summary>
    public void Signal(string name) => Signals.Send(process.Id, name);

    /// <summary>Waits for its end.</summary>
    public async Task<int> Exit()
    {
        using var timeout = new CancellationTokenSource(Patience);
        await process.WaitForExitAsync(timeout.Token);
        return process.ExitCode;
    }

    /// <summary>Everything it wrote to standard error, once it has ended.</summary>
    public Task<string> Errors() => errors;

    /// <summary>Children that still run after a while.</summary>
    public async Task<IReadOnlyList<string>> Survivors()
    {
        var time = Stopwatch.StartNew();
        List<string> alive;
        do
        {
            alive = [.. Children.Where(c => IsAlive(c.Id)).Select(c => c.Command)];
            await Task.Delay(50);
        }
        while (alive.Count > 0 && time.Elapsed < Patience);
        return alive;
    }

    public async ValueTask DisposeAsync()
    {
        if (!process.HasExited)
        {
            Signal(Signals.Terminate);
            await Exit();
        }

        process.Dispose();
    }

    private static bool IsAlive(int id) => File.Exists($"/proc/{id}/stat") && !Status(id).Contains("State:\tZ", StringComparison.Ordinal);

    private static List<(int Id, string Command)> ChildrenOf(int parent)
    {
        var children = new List<(int, string)>();
        foreach (var folder in Directory.GetDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(folder), out var id) && Status(id).Contains($"PPid:\t{parent}\n", StringComparison.Ordinal))
                children.Add((id, File.ReadAllText($"/proc/{id}/cmdline").Replace('\0', ' ')));
        }

        return children;
    }

    private static string Status(int id)
    {
        try
        {
            return File.ReadAllText($"/proc/{id}/status");
        }
        catch (IOException)
        {
            return "";
        }
    }
}
