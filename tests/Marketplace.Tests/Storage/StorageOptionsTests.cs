using Marketplace.Storage;
using Marketplace.Tests.Support;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace Marketplace.Tests.Storage;

public sealed class StorageOptionsTests(AzuriteFixture azurite) : StorageTest(azurite)
{
    [Fact]
    public async Task Stores_are_registered_from_configuration()
    {
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["Storage:ConnectionString"] = Storage.Options.ConnectionString,
            ["Storage:Namespace"] = Storage.Options.Namespace,
            ["Storage:MessageLease"] = "00:00:07",
            ["Storage:MaxDeliveries"] = "3",
        }).Build();
        await using var services = new ServiceCollection().AddMarketplaceStorage(configuration).BuildServiceProvider();

        var registered = services.GetRequiredService<MarketplaceStorage>();

        Assert.Equal((TimeSpan.FromSeconds(7), 3), (registered.Options.MessageLease, registered.Options.MaxDeliveries));
        await registered.PingAsync(Ct);
        await Storage.Publishers.EnsureAsync("Alice", Ct);
        Assert.Equal("Alice", await registered.Publishers.FindAsync("ALICE", Ct));
    }

    [Fact]
    public void Service_addresses_serve_instead_of_a_connection_string()
    {
        var options = new StorageOptions
        {
            BlobServiceUri = new("https://account.blob.core.windows.net"),
            QueueServiceUri = new("https://account.queue.core.windows.net"),
            TableServiceUri = new("https://account.table.core.windows.net"),
            ManagedIdentityClientId = "00000000-0000-0000-0000-000000000001",
        };

        Assert.Equal("account", new MarketplaceStorage(options).Queues.Client(QueueNames.KernelJobs).AccountName);
        Assert.Throws<ArgumentException>(() => new MarketplaceStorage(new StorageOptions { BlobServiceUri = options.BlobServiceUri }));
    }

    [Theory]
    [InlineData("Test")]
    [InlineData("1a")]
    [InlineData("a-b")]
    [InlineData("abcdefghijklmnopqrstu")]
    public void A_namespace_that_storage_would_not_take_is_refused(string name) =>
        Assert.Throws<ArgumentException>(() => new MarketplaceStorage(new StorageOptions { ConnectionString = Storage.Options.ConnectionString, Namespace = name }));

    [Fact]
    public async Task Without_namespace_the_names_are_those_of_the_deployment()
    {
        var storage = new MarketplaceStorage(new StorageOptions { ConnectionString = await Azurite.ConnectionStringAsync() });

        Assert.Equal("kernel-jobs", storage.Queues.Client(QueueNames.KernelJobs).Name);
        Assert.Equal("kernel-jobs-poison", storage.Queues.Client(QueueNames.Poison(QueueNames.KernelJobs)).Name);
    }

    [Fact]
    public async Task Creating_everything_twice_changes_nothing()
    {
        await Storage.Publishers.EnsureAsync("alice", Ct);

        await Task.WhenAll(SecondProcess().CreateAllAsync(Ct), SecondProcess().CreateAllAsync(Ct));

        Assert.Equal("alice", await Storage.Publishers.FindAsync("alice", Ct));
    }

    [Fact]
    public async Task Of_many_spellings_at_once_one_is_the_accounts()
    {
        var spellings = await Task.WhenAll(Enumerable.Range(0, 6).Select(i => SecondProcess().Publishers.EnsureAsync(i % 2 == 0 ? "Alice" : "ALICE", Ct)));

        Assert.Single(spellings.Distinct());
    }
}
