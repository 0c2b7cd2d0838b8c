using System.Net;
using Marketplace.Core;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Storage;

public sealed class ContentStoreTests(AzuriteFixture azurite) : StorageTest(azurite)
{
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(8 * 1024 * 1024)]
    [InlineData((16 * 1024 * 1024) + 3)]
    public async Task Bytes_come_back_as_they_were(int size)
    {
        var content = Bytes(size);
        var digest = Digest.Of(content);

        await Storage.Content.PutAsync(digest, Write("in", content), Ct);
        await Storage.Content.DownloadAsync(digest, PathOf("out"), Ct);

        Assert.Equal(digest, Digest.Of(await File.ReadAllBytesAsync(PathOf("out"), Ct)));
        Assert.Equal(size, await Storage.Content.SizeAsync(digest, Ct));
    }

    [Fact]
    public async Task Many_writers_of_the_same_bytes_all_succeed()
    {
        var content = Bytes(9 * 1024 * 1024);
        var digest = Digest.Of(content);
        var path = Write("in", content);

        await Task.WhenAll(Enumerable.Range(0, 5).Select(_ => SecondProcess().Content.PutAsync(digest, path, Ct)));

        await Storage.Content.DownloadAsync(digest, PathOf("out"), Ct);
        Assert.Equal(digest, Digest.Of(await File.ReadAllBytesAsync(PathOf("out"), Ct)));
    }

    [Fact]
    public async Task A_liar_among_the_writers_of_a_digest_spoils_nothing()
    {
        var content = Bytes(9 * 1024 * 1024);
        var digest = Digest.Of(content);
        var (truth, lie) = (Write("truth", content), Write("lie", Bytes(content.Length)));

        await Task.WhenAll(
            LieAsync(), LieAsync(), LieAsync(), Storage.Content.PutAsync(digest, truth, Ct), SecondProcess().Content.PutAsync(digest, truth, Ct));

        await Storage.Content.DownloadAsync(digest, PathOf("out"), Ct);
        Assert.Equal(digest, Digest.Of(await File.ReadAllBytesAsync(PathOf("out"), Ct)));

        // A liar who comes after the truth has nothing to send, and is not even noticed.
        async Task LieAsync()
        {
            var lying = await Record.ExceptionAsync(() => SecondProcess().Content.PutAsync(digest, lie, Ct));
            Assert.True(lying is null or InvalidDataException, lying?.ToString());
        }
    }

    [Fact]
    public async Task A_file_with_another_digest_is_not_stored()
    {
        var digest = Digest.Of(Bytes(10));

        await Assert.ThrowsAsync<InvalidDataException>(() => Storage.Content.PutAsync(digest, Write("in", Bytes(10)), Ct));

        Assert.False(await Storage.Content.ExistsAsync(digest, Ct));
        Assert.Null(await Storage.Content.SizeAsync(digest, Ct));
    }

    [Fact]
    public async Task Missing_bytes_are_missing_for_every_reader()
    {
        var digest = Digest.Of(Bytes(10));

        await Assert.ThrowsAsync<FileNotFoundException>(() => Storage.Content.DownloadAsync(digest, PathOf("out"), Ct));
        await Assert.ThrowsAsync<FileNotFoundException>(() => Storage.Content.OpenReadAsync(digest, Ct));
        Assert.False(await Storage.Content.TouchAsync(digest, Ct));
        Assert.Empty(Directory.GetFiles(PathOf("")));
    }

    [Fact]
    public async Task A_stream_can_be_read_from_any_place()
    {
        var content = Bytes(100_000);
        var digest = Digest.Of(content);
        await Storage.Content.PutAsync(digest, Write("in", content), Ct);

        await using var stream = await Storage.Content.OpenReadAsync(digest, Ct);
        stream.Seek(70_000, SeekOrigin.Begin);
        var part = new byte[1000];
        await stream.ReadExactlyAsync(part, Ct);

        Assert.Equal(content[70_000..71_000], part);
    }

    [Fact]
    public async Task A_signed_address_reads_one_blob_and_does_nothing_else()
    {
        var (content, other) = (Bytes(1000), Bytes(10));
        await Storage.Content.PutAsync(Digest.Of(content), Write("in", content), Ct);
        await Storage.Content.PutAsync(Digest.Of(other), Write("in2", other), Ct);
        using var http = new HttpClient();

        var address = await Storage.Content.SignedReadUriAsync(Digest.Of(content), "größe \"1\".bin", TimeSpan.FromMinutes(5), Ct);

        using var read = await http.GetAsync(address, Ct);
        Assert.Equal(content, await read.Content.ReadAsByteArrayAsync(Ct));
        Assert.Equal("attachment; filename=\"gr__e__1_.bin\"; filename*=UTF-8''gr%C3%B6%C3%9Fe%20%221%22.bin", string.Join("", read.Content.Headers.GetValues("Content-Disposition")));
        Assert.Equal(HttpStatusCode.Forbidden, (await http.DeleteAsync(address, Ct)).StatusCode);
        var otherAddress = new Uri(address.AbsoluteUri.Replace(Digest.Of(content).Hex, Digest.Of(other).Hex, StringComparison.Ordinal));
        Assert.Equal(HttpStatusCode.Forbidden, (await http.GetAsync(otherAddress, Ct)).StatusCode);
        using var put = new HttpRequestMessage(HttpMethod.Put, address) { Content = new ByteArrayContent(other) };
        put.Headers.Add("x-ms-blob-type", "BlockBlob");
        Assert.Equal(HttpStatusCode.Forbidden, (await http.SendAsync(put, Ct)).StatusCode);
    }

    [Fact]
    public async Task A_signed_address_expires()
    {
        var content = Bytes(10);
        await Storage.Content.PutAsync(Digest.Of(content), Write("in", content), Ct);
        using var http = new HttpClient();

        var address = await Storage.Content.SignedReadUriAsync(Digest.Of(content), "a", TimeSpan.FromMinutes(-1), Ct);

        Assert.Equal(HttpStatusCode.Forbidden, (await http.GetAsync(address, Ct)).StatusCode);
    }
}
