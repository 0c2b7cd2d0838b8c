using System.Net;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Specialized;
using Marketplace.Core;
using Marketplace.Storage;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Storage;

public sealed class StagingStoreTests(AzuriteFixture azurite) : StorageTest(azurite)
{
    private static readonly HttpClient Http = new();

    private readonly string upload = UploadStore.NewId();

    [Fact]
    public async Task A_staged_file_is_spooled_with_its_digest()
    {
        var content = Bytes(5000);
        await StageAsync(0, content);

        var spooled = await Storage.Staging.SpoolAsync(upload, 0, content.Length, PathOf("out"), Ct);

        Assert.Equal(new SpoolResult(SpoolOutcome.Ok, Digest.Of(content), content.Length), spooled);
        Assert.Equal(content, await File.ReadAllBytesAsync(PathOf("out"), Ct));
    }

    [Fact]
    public async Task A_file_that_was_not_uploaded_is_missing() =>
        Assert.Equal(SpoolOutcome.Missing, (await Storage.Staging.SpoolAsync(upload, 0, 10, PathOf("out"), Ct)).Outcome);

    [Fact]
    public async Task A_file_of_another_size_is_refused()
    {
        await StageAsync(0, Bytes(11));

        Assert.Equal(SpoolOutcome.SizeMismatch, (await Storage.Staging.SpoolAsync(upload, 0, 10, PathOf("out"), Ct)).Outcome);
    }

    [Fact]
    public async Task Blocks_are_written_through_a_signed_address()
    {
        var content = Bytes(3000);
        var blob = new BlockBlobClient(await AddressAsync(0));
        await blob.StageBlockAsync("MDAwMA==", new MemoryStream(content), cancellationToken: Ct);
        await blob.CommitBlockListAsync(["MDAwMA=="], cancellationToken: Ct);

        Assert.Equal(Digest.Of(content), (await Storage.Staging.SpoolAsync(upload, 0, content.Length, PathOf("out"), Ct)).Digest);
    }

    [Fact]
    public async Task A_signed_address_writes_one_blob_and_does_nothing_else()
    {
        await StageAsync(0, Bytes(10));
        await StageAsync(1, Bytes(10));
        var address = await AddressAsync(0);

        Assert.Equal(HttpStatusCode.Forbidden, (await Http.GetAsync(address, Ct)).StatusCode);
        Assert.Equal(HttpStatusCode.Forbidden, (await Http.DeleteAsync(address, Ct)).StatusCode);
        Assert.Equal(HttpStatusCode.Forbidden, await PutAsync(new Uri(address.AbsoluteUri.Replace("/0000?", "/0001?", StringComparison.Ordinal)), Bytes(10)));
        var container = new UriBuilder(address) { Path = address.AbsolutePath[..address.AbsolutePath.IndexOf($"/{upload}", StringComparison.Ordinal)] };
        container.Query = address.Query[1..] + "&restype=container&comp=list";
        Assert.Equal(HttpStatusCode.Forbidden, (await Http.GetAsync(container.Uri, Ct)).StatusCode);
    }

    [Fact]
    public async Task A_signed_address_expires()
    {
        var address = await Storage.Staging.SignedWriteUriAsync(upload, 0, DateTimeOffset.UtcNow.AddMinutes(-1), Ct);

        Assert.Equal(HttpStatusCode.Forbidden, await PutAsync(address, Bytes(10)));
    }

    [Fact]
    public async Task Bytes_overwritten_after_spooling_are_not_published()
    {
        var content = Bytes(1000);
        await StageAsync(0, content);
        var spooled = await Storage.Staging.SpoolAsync(upload, 0, content.Length, PathOf("weights"), Ct);

        await StageAsync(0, Bytes(1000));
        var config = FileOf("adapter_config.json", Bytes(20));
        var request = Request("alice/task", upload) with
        {
            Files = [new PublishFile(new ManifestFile("adapter_model.safetensors", spooled.Digest, 1000, GitBlobHash.Of(content)), PathOf("weights")), config],
            WeightsDigest = spooled.Digest,
        };
        var version = await PublishAsync(request);

        await Storage.Content.DownloadAsync(version.Weights, PathOf("published"), Ct);
        Assert.Equal(content, await File.ReadAllBytesAsync(PathOf("published"), Ct));
    }

    [Fact]
    public async Task Overwriting_while_spooling_never_yields_a_digest_of_other_bytes()
    {
        var address = await AddressAsync(0);
        await PutAsync(address, Bytes(2_000_000));
        using var enough = CancellationTokenSource.CreateLinkedTokenSource(Ct);
        var overwriting = Task.Run(async () =>
        {
            while (!enough.IsCancellationRequested)
                await PutAsync(address, Bytes(2_000_000));
        }, Ct);

        var outcomes = new HashSet<SpoolOutcome>();
        for (var i = 0; i < 20; i++)
        {
            var spooled = await Storage.Staging.SpoolAsync(upload, 0, 2_000_000, PathOf("out"), Ct);
            outcomes.Add(spooled.Outcome);
            if (spooled.Outcome == SpoolOutcome.Ok)
                Assert.Equal(Digest.Of(await File.ReadAllBytesAsync(PathOf("out"), Ct)), spooled.Digest);
        }
        await enough.CancelAsync();
        await overwriting;
        Assert.Subset(new HashSet<SpoolOutcome> { SpoolOutcome.Ok, SpoolOutcome.Changed }, outcomes);
    }

    [Fact]
    public async Task Deleting_an_upload_leaves_others()
    {
        await StageAsync(0, Bytes(10));
        await StageAsync(1, Bytes(10));
        var other = UploadStore.NewId();
        await PutAsync(await Storage.Staging.SignedWriteUriAsync(other, 0, DateTimeOffset.UtcNow.AddMinutes(5), Ct), Bytes(10));

        Assert.Equal(2, await Storage.Staging.DeleteUploadAsync(upload, Ct));

        var left = new List<StagedFile>();
        await foreach (var file in Storage.Staging.ListAsync(Ct))
            left.Add(file);
        Assert.Equal(other, Assert.Single(left).UploadId);
    }

    private Task<Uri> AddressAsync(int index) => Storage.Staging.SignedWriteUriAsync(upload, index, DateTimeOffset.UtcNow.AddMinutes(5), Ct);

    private async Task StageAsync(int index, byte[] content) => Assert.Equal(HttpStatusCode.Created, await PutAsync(await AddressAsync(index), content));

    private static async Task<HttpStatusCode> PutAsync(Uri address, byte[] content)
    {
        using var put = new HttpRequestMessage(HttpMethod.Put, address) { Content = new ByteArrayContent(content) };
        put.Headers.Add("x-ms-blob-type", "BlockBlob");
        using var response = await Http.SendAsync(put, Ct);
        return response.StatusCode;
    }
}
