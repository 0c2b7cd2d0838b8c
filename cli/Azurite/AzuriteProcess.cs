using System.Diagnostics;
using System.Text.RegularExpressions;

namespace Marketplace.Cli.Azurite;

/// <summary>
/// Azurite as a child process on free ports of 127.0.0.1. It ends with this process in any case, because it watches the pipe that is its
/// standard input; <see cref="StopAsync"/> waits until it has saved everything.
/// </summary>
public sealed partial class AzuriteProcess : IAsyncDisposable
{
    // Azurite's own account, the same on every machine.
    private const string Account = "devstoreaccount1";
    private const string AccountKey = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

    private static readonly TimeSpan StopTimeout = TimeSpan.FromSeconds(15);

    private readonly Process process;
    private readonly Task output;
    private readonly Task<string> errors;

    private AzuriteProcess(Process process, string connectionString, Task output, Task<string> errors) =>
        (this.process, ConnectionString, this.output, this.errors) = (process, connectionString, output, errors);

    /// <summary>The connection string of the account it serves.</summary>
    public string ConnectionString { get; }

    /// <summary>Its process id.</summary>
    public int Id => process.Id;

    /// <summary>Completes when the process has ended, for whatever reason.</summary>
    public Task Exited => process.WaitForExitAsync();

    /// <summary>Starts Azurite over a folder, which keeps its data, and waits until it answers.</summary>
    /// <exception cref="AzuriteException">It could not be installed or did not start.</exception>
    public static async Task<AzuriteProcess> StartAsync(string dataFolder, Action<string>? report = null, CancellationToken ct = default)
    {
        var script = await AzuriteInstall.EnsureAsync(report, ct);
        Directory.CreateDirectory(dataFolder);
        var process = AzuriteInstall.Start(new ProcessStartInfo("node",
        [
            AzuriteInstall.HostScript, script, "--silent", "--disableTelemetry", "--skipApiVersionCheck",
            "--blobPort", "0", "--queuePort", "0", "--tablePort", "0", "-l", dataFolder,
        ])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        });
        try
        {
            var errors = process.StandardError.ReadToEndAsync(CancellationToken.None);
            var ports = await PortsAsync(process, errors, ct);
            var drained = process.StandardOutput.ReadToEndAsync(CancellationToken.None);
            return new AzuriteProcess(process, Connection(ports), drained, errors);
        }
        catch
        {
            process.Kill();
            process.Dispose();
            throw;
        }
    }

    /// <summary>Stops in order, so that everything acknowledged is on disk; after 15 seconds by force.</summary>
    public async Task StopAsync()
    {
        process.StandardInput.Close();
        using var timeout = new CancellationTokenSource(StopTimeout);
        await process.WaitForExitAsync(timeout.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (!process.HasExited)
            process.Kill();
        await process.WaitForExitAsync(CancellationToken.None);
        await Task.WhenAll(output, errors);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        process.Dispose();
    }

    private static async Task<Dictionary<string, int>> PortsAsync(Process process, Task<string> errors, CancellationToken ct)
    {
        var ports = new Dictionary<string, int>(StringComparer.Ordinal);
        while (ports.Count < 3)
        {
            if (await process.StandardOutput.ReadLineAsync(ct) is not { } line)
                throw new AzuriteException($"Azurite ended before it was ready: {(await errors).Trim()}");
            if (Listening().Match(line) is { Success: true } match)
                ports[match.Groups["service"].Value] = int.Parse(match.Groups["port"].ValueSpan);
        }
        return ports;
    }

    private static string Connection(Dictionary<string, int> ports) =>
        $"DefaultEndpointsProtocol=http;AccountName={Account};AccountKey={AccountKey};"
        + string.Concat(ports.Select(p => $"{p.Key}Endpoint=http://127.0.0.1:{p.Value}/{Account};"));

    [GeneratedRegex(@"^Azurite (?<service>Blob|Queue|Table) service is successfully listening at http://127\.0\.0\.1:(?<port>\d+)")]
    private static partial Regex Listening();
}
