using System.CommandLine;
using Marketplace.Cli.Client;
using Marketplace.Cli.Local;
using Marketplace.Cli.Output;

namespace Marketplace.Cli.Commands;

/// <summary>One run of one command: its arguments, the terminal, and the service they lead to.</summary>
internal sealed class Call(ParseResult arguments) : IDisposable
{
    private readonly List<AdapterReference> mentioned = [];
    private MarketplaceClient? client;

    /// <summary>Where results and messages go.</summary>
    public Terminal Terminal { get; } = new(arguments.GetValue(CommonOptions.Json));

    /// <summary>Adapters that the command line names: a "not found" is about one of them.</summary>
    public IReadOnlyList<AdapterReference> Mentioned => mentioned;

    /// <summary>The address that was found, whether or not anything answers there.</summary>
    public Uri? Address { get; private set; }

    public T? Get<T>(Option<T> option) => arguments.GetValue(option);

    public T Get<T>(Argument<T> argument) => arguments.GetValue(argument)!;

    /// <summary>Reads an argument that names an adapter.</summary>
    public AdapterReference Adapter(string text)
    {
        var adapter = AdapterReference.Parse(text);
        mentioned.Add(adapter);
        return adapter;
    }

    /// <summary>The service that the options, the environment or the running stack name.</summary>
    /// <param name="admin">Whether what comes is for admins: with the local stack, whoever runs it is one.</param>
    public MarketplaceClient Connect(bool admin = false)
    {
        if (client is not null)
            return client;
        var running = RunningStack.Read();
        var url = First(Get(CommonOptions.Url), Environment.GetEnvironmentVariable("MARKETPLACE_URL"), running?.Url)
            ?? throw new CliException("unreachable", ExitCode.Unreachable, "No marketplace is running here.", CliHints.Start);
        if (!Uri.TryCreate(url, UriKind.Absolute, out var address) || address.Scheme is not ("http" or "https"))
            throw CliException.Usage($"'{url}' is not an address.", "Write it as http://127.0.0.1:8080.");
        Address = address;
        // The local key is for the local stack only; it is never sent elsewhere.
        var key = First(Get(CommonOptions.Key), Environment.GetEnvironmentVariable("MARKETPLACE_KEY"), running is not null && address == new Uri(running.Url) ? admin ? running.Admin : running.Key : null);
        return client = new MarketplaceClient(address, key);
    }

    public void Dispose() => client?.Dispose();

    private static string? First(params ReadOnlySpan<string?> values)
    {
        foreach (var value in values)
        {
            if (!string.IsNullOrWhiteSpace(value))
                return value.Trim();
        }

        return null;
    }
}
