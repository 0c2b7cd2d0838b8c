using Azure.Data.Tables;
using Azure.Storage.Blobs;
using Azure.Storage.Queues;
using Marketplace.Storage;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Infrastructure;

/// <summary>Containers, queues and tables: those that the code makes by itself, and those that the bicep files make for it.</summary>
public sealed class StorageNamesTests(AzuriteFixture azurite)
{
    private const string Account = "Microsoft.Storage/storageAccounts";

    [Fact]
    public async Task The_template_makes_what_the_code_would_make()
    {
        var predicted = await Bicep.ResourcesAsync("prod");
        var made = await MadeAsync((await azurite.NewStorageAsync()).Options);

        // The packages of the function app concern its host alone.
        Assert.Equal(made.Containers.Append("packages").Order(StringComparer.Ordinal), Names("blobServices/containers"));
        Assert.Equal(made.Queues.Order(StringComparer.Ordinal), Names("queueServices/queues"));
        Assert.Equal(made.Tables.Order(StringComparer.Ordinal), Names("tableServices/tables"));

        IEnumerable<string> Names(string kind) => predicted.Where(r => r.Type == $"{Account}/{kind}").Select(r => r.Name).Order(StringComparer.Ordinal);
    }

    [Fact]
    public async Task Nothing_is_made_where_the_options_say_that_all_is_there()
    {
        var options = await azurite.NewOptionsAsync();
        options.CreateMissing = false;

        await new MarketplaceStorage(options).CreateAllAsync(TestContext.Current.CancellationToken);

        var made = await MadeAsync(options);
        Assert.Empty(made.Containers.Concat(made.Queues).Concat(made.Tables));
    }

    private static async Task<(IReadOnlyList<string> Containers, IReadOnlyList<string> Queues, IReadOnlyList<string> Tables)> MadeAsync(StorageOptions options)
    {
        var (connection, prefix, cancel) = (options.ConnectionString, options.Namespace, TestContext.Current.CancellationToken);
        var containers = await new BlobServiceClient(connection).GetBlobContainersAsync(prefix: prefix, cancellationToken: cancel).ToListAsync(cancel);
        var queues = await new QueueServiceClient(connection).GetQueuesAsync(prefix: prefix, cancellationToken: cancel).ToListAsync(cancel);
        var tables = await new TableServiceClient(connection).QueryAsync(cancellationToken: cancel).ToListAsync(cancel);
        return (
            [.. containers.Select(c => c.Name[(prefix.Length + 1)..])],
            [.. queues.Select(q => q.Name[(prefix.Length + 1)..])],
            [.. tables.Select(t => t.Name).Where(name => name.StartsWith(prefix, StringComparison.Ordinal)).Select(name => name[prefix.Length..])]);
    }
}
