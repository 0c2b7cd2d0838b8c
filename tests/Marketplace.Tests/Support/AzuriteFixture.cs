using Marketplace.Cli.Azurite;
using Marketplace.Storage;
using Marketplace.Tests.Support;
using Xunit;

[assembly: AssemblyFixture(typeof(AzuriteFixture))]

namespace Marketplace.Tests.Support;

/// <summary>One Azurite for the whole assembly, started by the first test that asks for it. Tests keep apart by namespaces.</summary>
public sealed class AzuriteFixture : IAsyncDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("marketplace-azurite-").FullName;
    private readonly Lazy<Task<AzuriteProcess>> azurite;

    public AzuriteFixture() => azurite = new(() => AzuriteProcess.StartAsync(folder));

    /// <summary>The connection string of the shared account.</summary>
    public async Task<string> ConnectionStringAsync() => (await azurite.Value).ConnectionString;

    /// <summary>Options for a namespace that nobody else uses, with pauses fit for tests.</summary>
    public async Task<StorageOptions> NewOptionsAsync() => new()
    {
        ConnectionString = await ConnectionStringAsync(),
        Namespace = "t" + Guid.NewGuid().ToString("N")[..15],
        MessageLease = TimeSpan.FromSeconds(2),
        PollInterval = TimeSpan.FromMilliseconds(100),
        RetryDelay = TimeSpan.Zero,
        StopTimeout = TimeSpan.FromSeconds(5),
    };

    /// <summary>Stores with all containers, tables and queues created.</summary>
    public async Task<MarketplaceStorage> NewStorageAsync(TimeProvider? clock = null)
    {
        var storage = new MarketplaceStorage(await NewOptionsAsync(), clock);
        await storage.CreateAllAsync(TestContext.Current.CancellationToken);
        return storage;
    }

    public async ValueTask DisposeAsync()
    {
        if (azurite.IsValueCreated)
            await (await azurite.Value).DisposeAsync();
        Directory.Delete(folder, recursive: true);
    }
}
