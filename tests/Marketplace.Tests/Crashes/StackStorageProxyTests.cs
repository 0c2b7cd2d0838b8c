using Azure;
using Azure.Data.Tables;
using Azure.Storage.Blobs;
using Azure.Storage.Queues;
using Azure.Storage.Sas;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Crashes;

/// <summary>The proxy that crash tests rely on must itself change nothing.</summary>
public sealed class StackStorageProxyTests(AzuriteFixture azurite)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Blobs_queues_tables_and_signed_addresses_work_through_the_proxy()
    {
        var direct = await azurite.ConnectionStringAsync();
        await using var proxy = await StackStorageProxy.StartAsync(direct);
        var name = "p" + Guid.NewGuid().ToString("N")[..15];

        var container = new BlobContainerClient(proxy.ConnectionString, name);
        await container.CreateAsync(cancellationToken: Cancel);
        var blob = container.GetBlobClient("a/b c%+.bin");
        await blob.UploadAsync(BinaryData.FromBytes(new byte[] { 1, 2, 3 }), Cancel);
        await StackApi.PutAsync(blob.GenerateSasUri(BlobSasPermissions.Write, DateTimeOffset.UtcNow.AddHours(1)).AbsoluteUri, [4, 5]);
        var same = new BlobContainerClient(direct, name).GetBlobClient(blob.Name);
        Assert.Equal([4, 5], (await same.DownloadContentAsync(Cancel)).Value.Content.ToArray());
        Assert.Equal(2, (await blob.GetPropertiesAsync(cancellationToken: Cancel)).Value.ContentLength);
        Assert.False(await container.GetBlobClient("absent").ExistsAsync(Cancel));

        var table = new TableClient(proxy.ConnectionString, name);
        await table.CreateAsync(Cancel);
        await table.AddEntityAsync(new TableEntity("p|q", "r s'") { ["Text"] = "x" }, Cancel);
        await Assert.ThrowsAsync<RequestFailedException>(() => table.AddEntityAsync(new TableEntity("p|q", "r s'"), Cancel));
        Assert.Equal("x", (await new TableClient(direct, name).GetEntityAsync<TableEntity>("p|q", "r s'", cancellationToken: Cancel)).Value.GetString("Text"));

        var queue = new QueueClient(proxy.ConnectionString, name);
        await queue.CreateAsync(cancellationToken: Cancel);
        await queue.SendMessageAsync("hello", Cancel);
        Assert.Equal("hello", (await queue.ReceiveMessageAsync(cancellationToken: Cancel)).Value.MessageText);
    }

    [Fact]
    public async Task A_watched_call_can_be_carried_out_and_cut()
    {
        var direct = await azurite.ConnectionStringAsync();
        await using var proxy = await StackStorageProxy.StartAsync(direct);
        var options = new BlobClientOptions { Retry = { MaxRetries = 0 } };
        var container = new BlobContainerClient(proxy.ConnectionString, "p" + Guid.NewGuid().ToString("N")[..15], options);
        using (proxy.On(call => call.Method == "PUT" && call.Path == $"/{container.Name}", async call =>
        {
            await call.ForwardAsync();
            call.Abort();
        }))
        {
            await Assert.ThrowsAsync<RequestFailedException>(() => container.CreateAsync(cancellationToken: Cancel));
        }

        Assert.True(await container.ExistsAsync(Cancel));
        proxy.Reachable = false;
        await Assert.ThrowsAsync<RequestFailedException>(() => container.ExistsAsync(Cancel));
    }
}
