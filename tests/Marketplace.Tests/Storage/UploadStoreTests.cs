using Marketplace.Core;
using Marketplace.Storage;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Storage;

public sealed class UploadStoreTests(AzuriteFixture azurite) : StorageTest(azurite)
{
    [Fact]
    public async Task An_upload_comes_back_as_it_was()
    {
        var upload = New();
        Assert.Equal(AddResult.Added, await Storage.Uploads.AddAsync(upload, Ct));
        Assert.Equal(AddResult.AlreadyExists, await Storage.Uploads.AddAsync(upload, Ct));

        var read = (await Storage.Uploads.GetAsync(upload.Id, Ct))!;

        Assert.Equal(upload.Files.AsEnumerable(), read.Files);
        Assert.Equal(upload with { Files = default, ETag = default }, read with { Files = default, ETag = default });
    }

    [Fact]
    public async Task Completing_an_upload_twice_at_once_succeeds_once()
    {
        var upload = New();
        await Storage.Uploads.AddAsync(upload, Ct);
        var read = (await Storage.Uploads.GetAsync(upload.Id, Ct))!;

        var results = await Task.WhenAll(Enumerable.Range(0, 5).Select(_ => SecondProcess().Uploads.UpdateAsync(read with { State = UploadState.Queued }, Ct)));

        Assert.Equal(1, results.Count(r => r == UpdateResult.Updated));
        Assert.Equal(4, results.Count(r => r == UpdateResult.Conflict));
    }

    [Fact]
    public async Task Overdue_uploads_are_found_by_their_state()
    {
        var (open, queued) = (New(), New() with { State = UploadState.Queued });
        await Storage.Uploads.AddAsync(open, Ct);
        await Storage.Uploads.AddAsync(queued, Ct);

        Assert.Empty(await ExpiredAsync());
        Clock.Advance(TimeSpan.FromHours(2));
        Assert.Equal([open.Id], await ExpiredAsync());

        async Task<List<string>> ExpiredAsync()
        {
            var ids = new List<string>();
            await foreach (var upload in Storage.Uploads.ListOverdueAsync(UploadState.Open, Clock.GetUtcNow(), Ct))
                ids.Add(upload.Id);
            return ids;
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("../x")]
    [InlineData("0123456789ABCDEF0123456789ABCDEF")]
    public async Task Anything_else_is_no_upload(string id) => Assert.Null(await Storage.Uploads.GetAsync(id, Ct));

    private UploadRecord New() => new(
        UploadStore.NewId(), Id("alice/task"), "alice", true, UploadState.Open,
        [new UploadFileSpec("adapter_config.json", 10, Digest.Of([1])), new UploadFileSpec("a/ä.bin", 20, null)], new string('a', 40), "why",
        Clock.GetUtcNow(), Clock.GetUtcNow().AddHours(1), new VersionPointer(3, "x"), "code", "text", default);
}
