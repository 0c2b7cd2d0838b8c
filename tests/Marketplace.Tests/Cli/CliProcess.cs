using System.Diagnostics;
using System.Text;
using System.Text.Json;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Cli;

/// <summary>What a finished run of the program left.</summary>
internal sealed record CliRun(int ExitCode, string Output, string Errors)
{
    /// <summary>Standard output as the one JSON document that it must be.</summary>
    public JsonElement Json => JsonDocument.Parse(Output).RootElement;

    public override string ToString() => $"exit code {ExitCode}\n{Output}\n{Errors}";
}

/// <summary>The real <c>marketplace</c> program as a process, with a state folder of its own.</summary>
internal sealed class CliProcess : IDisposable
{
    private readonly TemporaryFolder home = new();

    /// <summary>The folder that stands for the user's state and data folders.</summary>
    public string Home => home.Path;

    /// <summary>Settings of every run.</summary>
    public Dictionary<string, string?> Environment { get; } = [];

    // The same configuration as these tests were built with.
    private static string Program { get; } = Path.Combine(
        Fixtures.Repository, "artifacts", "bin", "Marketplace.Cli", new DirectoryInfo(AppContext.BaseDirectory).Name, "marketplace");

    public async Task<CliRun> Run(params string[] arguments)
    {
        using var process = Start(arguments);
        var output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        var errors = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return new CliRun(process.ExitCode, await output, await errors);
    }

    public Process Start(params string[] arguments)
    {
        // What starts in the background ignores Ctrl-C; env restores it, since the tests may themselves run in the background.
        var start = new ProcessStartInfo("env", ["--default-signal=INT", Program, .. arguments])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            StandardOutputEncoding = Encoding.UTF8,
            WorkingDirectory = Fixtures.Repository,
        };
        start.Environment["XDG_STATE_HOME"] = Path.Combine(Home, "state");
        start.Environment["XDG_DATA_HOME"] = Path.Combine(Home, "data");
        start.Environment.Remove("MARKETPLACE_URL");
        start.Environment.Remove("MARKETPLACE_KEY");
        foreach (var (name, value) in Environment)
            start.Environment[name] = value;
        var process = Process.Start(start)!;
        process.StandardInput.Close();
        return process;
    }

    public void Dispose() => home.Dispose();
}
