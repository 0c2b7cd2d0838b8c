using System.Net;
using Marketplace.Core;
using Marketplace.Storage;
using Marketplace.Tests.Support;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Marketplace.Tests.Storage;

/// <summary>Signed addresses, with the account's key and with one delegated to an identity; and that with an identity no key is needed anywhere.</summary>
public sealed class SignedAddressTests(AzuriteFixture azurite, AzuriteOverTls overTls) : StorageTest(azurite), IClassFixture<AzuriteOverTls>
{
    private readonly AzuriteFixture accountKey = azurite;

    public enum Signing
    {
        AccountKey,
        DelegatedKey,
    }

    public static TheoryData<Signing> Ways => [Signing.AccountKey, Signing.DelegatedKey];

    [Fact]
    public async Task A_whole_publish_goes_by_identity_alone()
    {
        var storage = await NewAsync(Signing.DelegatedKey);
        var (upload, bytes) = (UploadStore.NewId(), Bytes(2000));
        await storage.Uploads.AddAsync(
            new UploadRecord(upload, Id("alice/task"), "alice", false, UploadState.Queued, [new("adapter_model.safetensors", bytes.Length, null)], null, null, Clock.GetUtcNow(), Clock.GetUtcNow().AddHours(1), null, null, null, default), Ct);
        Assert.Equal(HttpStatusCode.Created, await PutAsync(await storage.Staging.SignedWriteUriAsync(upload, 0, Soon, Ct), bytes));

        await storage.Queues.SendAsync(QueueNames.Validations, upload, Ct);
        var published = new TaskCompletionSource<VersionRecord>(TaskCreationOptions.RunContinuationsAsynchronously);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Ct);
        var pump = storage.Queues.Pump(QueueNames.Validations, async (id, ct) =>
        {
            var local = PathOf("staged");
            var spooled = await storage.Staging.SpoolAsync(id, 0, bytes.Length, local, ct);
            Assert.Equal(SpoolOutcome.Ok, spooled.Outcome);
            var request = Request("alice/task", id, weights: bytes);
            published.SetResult(Assert.IsType<PublishOutcome.Published>(await storage.Commit.PublishAsync(request, ct)).Version);
        }, NullLogger.Instance).RunAsync(stop.Token);
        var version = await published.Task.WaitAsync(TimeSpan.FromMinutes(1), Ct);
        await stop.CancelAsync();
        await pump;

        Assert.Equal(version.Id, (await storage.Adapters.GetAsync(version.Adapter, Ct))!.Main!.Id);
        var address = await storage.Content.SignedReadUriAsync(version.Weights, "adapter_model.safetensors", TimeSpan.FromMinutes(5), Ct);
        Assert.Equal(bytes, await overTls.Http.GetByteArrayAsync(address, Ct));
        Assert.Contains("skoid=22222222-2222-2222-2222-222222222222", address.Query, StringComparison.Ordinal);
        Assert.Contains("spr=https&", address.Query, StringComparison.Ordinal);
        Assert.Equal(["Bearer"], overTls.Schemes);
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task An_address_is_for_one_blob_one_use_and_some_time(Signing way)
    {
        var storage = await NewAsync(way);
        var (first, second) = (UploadStore.NewId(), UploadStore.NewId());
        var write = await storage.Staging.SignedWriteUriAsync(first, 0, Soon, Ct);
        Assert.Equal(HttpStatusCode.Created, await PutAsync(write, Bytes(10)));
        Assert.Equal(HttpStatusCode.Created, await PutAsync(await storage.Staging.SignedWriteUriAsync(second, 0, Soon, Ct), Bytes(10)));

        Assert.Equal(HttpStatusCode.Forbidden, (await overTls.Http.GetAsync(write, Ct)).StatusCode);
        Assert.Equal(HttpStatusCode.Forbidden, (await overTls.Http.DeleteAsync(write, Ct)).StatusCode);
        Assert.Equal(HttpStatusCode.Forbidden, await PutAsync(new Uri(write.AbsoluteUri.Replace(first, second, StringComparison.Ordinal)), Bytes(10)));
        Assert.Equal(HttpStatusCode.Forbidden, await PutAsync(new Uri(write.AbsoluteUri.Replace("sp=cw", "sp=rcw", StringComparison.Ordinal)), Bytes(10)));
        Assert.Equal(HttpStatusCode.Forbidden, await PutAsync(await storage.Staging.SignedWriteUriAsync(first, 0, Clock.GetUtcNow().AddMinutes(-1), Ct), Bytes(10)));
        Assert.Equal(HttpStatusCode.Created, await PutAsync(write, Bytes(10)));
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task A_download_comes_under_its_name(Signing way)
    {
        var storage = await NewAsync(way);
        var content = Bytes(100);
        await storage.Content.PutAsync(Digest.Of(content), Write("content", content), Ct);
        var address = await storage.Content.SignedReadUriAsync(Digest.Of(content), "weights für Ä.bin", TimeSpan.FromMinutes(5), Ct);

        using var answer = await overTls.Http.GetAsync(address, Ct);

        Assert.Equal(content, await answer.Content.ReadAsByteArrayAsync(Ct));
        Assert.Equal("weights für Ä.bin", answer.Content.Headers.ContentDisposition?.FileNameStar);
        Assert.Equal(HttpStatusCode.Forbidden, await PutAsync(address, Bytes(10)));
    }

    [Fact]
    public async Task A_delegated_key_serves_until_an_address_would_outlive_it()
    {
        var storage = await NewAsync(Signing.DelegatedKey);
        var upload = UploadStore.NewId();
        var before = overTls.DelegatedKeys;

        foreach (var minutes in new[] { 5, 60, 300 })
            await storage.Staging.SignedWriteUriAsync(upload, 0, Clock.GetUtcNow().AddMinutes(minutes), Ct);
        Assert.Equal(before + 1, overTls.DelegatedKeys);

        // Six hours of a key are nearly over: an address for one hour needs another one.
        Clock.Advance(TimeSpan.FromHours(5.5));
        var late = await storage.Staging.SignedWriteUriAsync(upload, 0, Clock.GetUtcNow().AddHours(1), Ct);
        Assert.Equal(before + 2, overTls.DelegatedKeys);
        Assert.True(DateTimeOffset.Parse(Parameter(late, "ske"), System.Globalization.CultureInfo.InvariantCulture) >= DateTimeOffset.Parse(Parameter(late, "se"), System.Globalization.CultureInfo.InvariantCulture));
    }

    private DateTimeOffset Soon => Clock.GetUtcNow().AddMinutes(5);

    private static string Parameter(Uri address, string name) =>
        Uri.UnescapeDataString(address.Query.TrimStart('?').Split('&').Single(p => p.StartsWith(name + "=", StringComparison.Ordinal))[(name.Length + 1)..]);

    private async Task<MarketplaceStorage> NewAsync(Signing way)
    {
        if (way == Signing.AccountKey)
            return await accountKey.NewStorageAsync(Clock);
        var storage = new MarketplaceStorage(overTls.NewOptions(), Clock);
        await storage.CreateAllAsync(Ct);
        return storage;
    }

    private async Task<HttpStatusCode> PutAsync(Uri address, byte[] bytes)
    {
        using var request = new HttpRequestMessage(HttpMethod.Put, address) { Content = new ByteArrayContent(bytes) };
        request.Headers.Add("x-ms-blob-type", "BlockBlob");
        using var answer = await overTls.Http.SendAsync(request, Ct);
        return answer.StatusCode;
    }
}
