using System.Text.RegularExpressions;
using Marketplace.Cli.Azurite;
using Marketplace.Cli.Client;
using Marketplace.Cli.Output;
using Marketplace.Core.Api;

namespace Marketplace.Cli.Local;

/// <summary>How to start the stack.</summary>
/// <param name="Data">Folder of the published data and of the keys.</param>
/// <param name="Logs">Folder of the log files.</param>
/// <param name="Owner">Account that gets a key.</param>
/// <param name="Port">Port of the service; 0 for a free one.</param>
internal sealed record LocalStackOptions(string Data, string Logs, string Owner, int Port = 0);

/// <summary>The whole marketplace on this machine: Azurite, functions and kernels as child processes.</summary>
internal sealed partial class LocalStack : IAsyncDisposable
{
    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(120);

    private readonly Terminal terminal;
    private readonly LocalStackOptions options;
    private readonly TaskCompletionSource<Uri> listening = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private FileStream? dataLock;
    private AzuriteProcess? azurite;
    private ChildProcess? functions;
    private ChildProcess? kernels;

    private LocalStack(LocalStackOptions options, Terminal terminal) => (this.options, this.terminal) = (options, terminal);

    /// <summary>Address of the service.</summary>
    public Uri Url { get; private set; } = null!;

    /// <summary>Key that may do everything.</summary>
    public string AdminKey { get; private set; } = "";

    /// <summary>Key of the user's account.</summary>
    public string Key { get; private set; } = "";

    /// <summary>Connection string of the storage under it.</summary>
    public string StorageConnectionString => azurite!.ConnectionString;

    /// <summary>Installs what is missing, starts everything, and returns when the service is healthy.</summary>
    public static async Task<LocalStack> Start(LocalStackOptions options, Terminal terminal, CancellationToken ct)
    {
        var stack = new LocalStack(options, terminal);
        try
        {
            await stack.Start(ct);
            return stack;
        }
        catch
        {
            await stack.DisposeAsync();
            throw;
        }
    }

    /// <summary>Waits until a child process ends by itself, and then throws.</summary>
    public async Task WatchChildren(CancellationToken ct)
    {
        var stopped = Task.Delay(Timeout.Infinite, ct);
        var storage = azurite!.Exited;
        var ended = await Task.WhenAny(storage, functions!.Exited, kernels!.Exited, stopped);
        // Ctrl-C in a terminal reaches the children, too: then their end is no surprise.
        ct.ThrowIfCancellationRequested();
        throw ended == storage
            ? new CliException("child-ended", ExitCode.Failed, "Azurite ended by itself.", $"Its log is in {options.Logs}.")
            : Ended(ended == functions.Exited ? functions : kernels);
    }

    /// <summary>Stops the hosts, then the storage under them.</summary>
    public async ValueTask DisposeAsync()
    {
        await Task.WhenAll(Stop(functions), Stop(kernels));
        if (azurite is not null)
            await azurite.DisposeAsync();
        if (dataLock is not null)
            await dataLock.DisposeAsync();
    }

    private async Task Start(CancellationToken ct)
    {
        PrivateFile.CreateDirectory(options.Data);
        PrivateFile.CreateDirectory(options.Logs);
        dataLock = LockData();
        var keys = StackKeys.Load(options.Data, options.Owner);
        keys.Save(options.Data);

        azurite = await AzuriteProcess.StartAsync(Path.Combine(options.Data, "storage"), terminal.Say, ct);
        var environment = new Dictionary<string, string>
        {
            ["Storage__ConnectionString"] = azurite.ConnectionString,
            ["MARKETPLACE_PARENT_PID"] = $"{Environment.ProcessId}",
            ["Logging__LogLevel__Microsoft.Hosting.Lifetime"] = "Information",
        };
        terminal.Say("Starting functions and kernels.");
        functions = ChildProcess.Start(
            "functions", HostAssemblies.Functions,
            new Dictionary<string, string>(environment)
            {
                ["ASPNETCORE_URLS"] = $"http://127.0.0.1:{options.Port}",
                ["Marketplace__AdminKey"] = keys.Admin,
            },
            options.Logs, FindAddress);
        kernels = ChildProcess.Start(
            "kernels", HostAssemblies.Kernels,
            new Dictionary<string, string>(environment) { ["ASPNETCORE_URLS"] = "http://127.0.0.1:0" },
            options.Logs);
        Url = await WhileRunning(listening.Task, "does not say where it listens", ct);
        await WhileRunning(WaitForHealth(ct), "is not healthy", ct);
        AdminKey = keys.Admin;
        Key = await UserKey(keys, ct);
    }

    // The host says "Now listening on: http://127.0.0.1:43210" once it has chosen a free port.
    private void FindAddress(string line)
    {
        if (!listening.Task.IsCompleted && Listening().Match(line) is { Success: true } match)
            listening.TrySetResult(new Uri(match.Groups[1].Value));
    }

    private async Task<bool> WaitForHealth(CancellationToken ct)
    {
        using var client = new MarketplaceClient(Url, null);
        while (true)
        {
            try
            {
                if ((await client.GetHealth(ct)).Status == "ok")
                    return true;
            }
            catch (Exception e) when (e is HttpRequestException or ApiException { IsTransient: true })
            {
                // Still starting.
            }

            await Task.Delay(100, ct);
        }
    }

    private async Task<string> UserKey(StackKeys keys, CancellationToken ct)
    {
        if (keys.User is { } kept)
        {
            using var user = new MarketplaceClient(Url, kept);
            try
            {
                if ((await user.WhoAmI(ct)).Owner == keys.Owner)
                    return kept;
            }
            catch (ApiException e) when (e.ExitCode == ExitCode.NotAuthorised)
            {
                // Revoked, or the data were removed: make another.
            }
        }

        using var admin = new MarketplaceClient(Url, keys.Admin);
        var made = await admin.CreateKey(new CreateKeyRequest("marketplace up", "publish", keys.Owner), ct);
        (keys with { User = made.Token }).Save(options.Data);
        return made.Token!;
    }

    private async Task<T> WhileRunning<T>(Task<T> work, string problem, CancellationToken ct)
    {
        var limit = Task.Delay(StartLimit, ct);
        var first = await Task.WhenAny(work, functions!.Exited, kernels!.Exited, limit);
        ct.ThrowIfCancellationRequested();
        if (first == work)
            return await work;
        throw first == limit
            ? new CliException("start-failed", ExitCode.Failed, $"The service {problem} after {StartLimit.TotalSeconds} s.\n{functions.Tail()}", $"Logs: {options.Logs}")
            : Ended(first == functions.Exited ? functions : kernels);
    }

    private FileStream LockData()
    {
        try
        {
            return PrivateFile.Open(Path.Combine(options.Data, "lock"));
        }
        catch (IOException)
        {
            throw new CliException("busy", ExitCode.Refused, $"Another `marketplace up` uses {options.Data}.", "Stop it, or give another folder with --data.");
        }
    }

    private async Task Stop(ChildProcess? child)
    {
        if (child is null)
            return;
        await child.Stop(terminal);
        await child.DisposeAsync();
    }

    private static CliException Ended(ChildProcess child) =>
        new("child-ended", ExitCode.Failed, $"{child.Name} ended by itself. Its last words:\n{child.Tail()}", $"Its whole log: {child.LogPath}");

    [GeneratedRegex(@"Now listening on: (http://[^\s""]+)")]
    private static partial Regex Listening();
}
