using Marketplace.Core;
using Marketplace.Storage;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Storage;

public sealed class SweepTests(AzuriteFixture azurite) : StorageTest(azurite)
{
    [Fact]
    public async Task Published_bytes_and_their_derived_data_stay()
    {
        var request = Request("alice/task", "u1");
        await PublishAsync(request);

        var swept = await SweepLaterAsync();

        Assert.Equal(new SweepResult(0, 0, 0, 0, 0), swept);
        Assert.True(await Storage.Content.ExistsAsync(request.WeightsDigest, Ct));
        Assert.NotNull(await Storage.Derived.ReadAsync(request.WeightsDigest, "1", "sketch", Ct));
    }

    [Fact]
    public async Task Bytes_that_no_version_uses_go_after_the_grace_period_and_not_before()
    {
        var digest = await PutAsync(Bytes(100));
        await Storage.Derived.PutAsync(digest, "1", "sketch", Bytes(10), Ct);
        // Left by a publish that never reached its version row.
        await Storage.ContentIndex.AddAsync(new ContentUse(digest, Id("alice/task"), 1, "alice", false), Ct);

        Assert.Equal(0, (await SweepAsync(TimeSpan.Zero)).ContentBlobs);
        Assert.True(await Storage.Content.ExistsAsync(digest, Ct));

        Assert.Equal(1, (await SweepLaterAsync()).ContentBlobs);
        Assert.False(await Storage.Content.ExistsAsync(digest, Ct));
        Assert.Null(await Storage.Derived.ReadAsync(digest, "1", "sketch", Ct));
    }

    [Fact]
    public async Task States_of_libraries_go_when_no_job_can_want_them_and_stay_when_asked_for_again()
    {
        var state = Bytes(50);
        var digest = await Storage.Libraries.PutStateAsync(state, Ct);
        Assert.Equal(0, (await SweepAsync(TimeSpan.Zero)).LibraryStates);
        Assert.NotNull(await Storage.Libraries.ReadStateAsync(digest, Ct));

        await Task.Delay(TimeSpan.FromSeconds(1.5), Ct); // blobs tell the second of their last change
        var stored = DateTimeOffset.UtcNow;
        await Storage.Libraries.PutStateAsync(state, Ct);
        Assert.Equal(0, (await Storage.Sweep.SweepAsync(stored - TimeSpan.FromSeconds(1) + Storage.Options.SweepGrace, Ct)).LibraryStates);
        Assert.Equal(1, (await SweepLaterAsync()).LibraryStates);
        Assert.Null(await Storage.Libraries.ReadStateAsync(digest, Ct));
    }

    [Fact]
    public async Task An_index_row_whose_number_another_upload_took_keeps_nothing()
    {
        var digest = await PutAsync(Bytes(100));
        await Storage.ContentIndex.AddAsync(new ContentUse(digest, Id("alice/task"), 1, "alice", false), Ct);
        await PublishAsync(Request("alice/task", "u1"));

        Assert.Equal(1, (await SweepLaterAsync()).ContentBlobs);
    }

    [Fact]
    public async Task Bytes_that_a_publisher_touched_since_they_were_listed_stay()
    {
        var content = Bytes(100);
        var digest = await PutAsync(content);
        var listed = await ListAsync();

        await Storage.Content.PutAsync(digest, Write("again", content), Ct);

        Assert.False(await Storage.Content.DeleteAsync(Assert.Single(listed), Ct));
        Assert.True(await Storage.Content.ExistsAsync(digest, Ct));
        Assert.True(await Storage.Content.DeleteAsync(Assert.Single(await ListAsync()), Ct));
    }

    [Fact]
    public async Task Publishers_that_race_with_sweeps_lose_no_bytes()
    {
        var contents = Enumerable.Range(0, 8).Select(_ => Bytes(100)).ToArray();
        foreach (var content in contents)
            await PutAsync(content);
        // Times of blobs have whole seconds: what is written until now is old, what is touched after the pause is not.
        var old = DateTimeOffset.UtcNow.AddSeconds(1);
        await Task.Delay(TimeSpan.FromSeconds(2), Ct);
        using var enough = new CancellationTokenSource();
        var sweeping = Task.Run(async () =>
        {
            while (!enough.IsCancellationRequested)
                await Storage.Sweep.SweepAsync(old + Storage.Options.SweepGrace, Ct);
        }, Ct);

        var versions = new List<VersionRecord>();
        foreach (var (content, i) in contents.Select((c, i) => (c, i)))
            versions.Add(await PublishAsync(Request("alice/task", $"u{i}", weights: content) with { Derived = [] }));
        await enough.CancelAsync();
        await sweeping;

        foreach (var file in versions.SelectMany(v => v.Files))
            Assert.True(await Storage.Content.ExistsAsync(file.Digest, Ct));
    }

    [Fact]
    public async Task An_open_upload_expires_and_its_files_go()
    {
        var upload = await UploadAsync(UploadState.Open);

        Assert.Equal(new SweepResult(0, 0, 0, 0, 0), await SweepAsync(TimeSpan.Zero));
        var swept = await SweepAsync(TimeSpan.FromHours(2));

        Assert.Equal((1, 1), (swept.ExpiredUploads, swept.StagedFiles));
        Assert.Equal(UploadState.Expired, (await Storage.Uploads.GetAsync(upload, Ct))!.State);
    }

    [Theory]
    [InlineData(UploadState.Published)]
    [InlineData(UploadState.Rejected)]
    [InlineData(UploadState.Cancelled)]
    [InlineData(UploadState.Failed)]
    public async Task Files_of_an_upload_that_is_over_go_even_when_they_are_written_afterwards(UploadState state)
    {
        var upload = await UploadAsync(state);
        Assert.Equal(1, (await SweepAsync(TimeSpan.Zero)).StagedFiles);

        await StageAsync(upload);

        Assert.Equal(1, (await SweepAsync(TimeSpan.Zero)).StagedFiles);
        Assert.Equal(0, (await SweepAsync(TimeSpan.Zero)).StagedFiles);
    }

    [Fact]
    public async Task Files_of_an_upload_that_can_be_validated_again_stay_for_the_grace_period()
    {
        var upload = await UploadAsync(UploadState.Queued);
        await Storage.Uploads.UpdateAsync(
            (await Storage.Uploads.GetAsync(upload, Ct))! with { State = UploadState.Failed, FailureCode = UploadRecord.Poisoned }, Ct);

        Assert.Equal(0, (await SweepAsync(TimeSpan.Zero)).StagedFiles);
        Assert.Equal(1, (await SweepAsync(TimeSpan.FromDays(3))).StagedFiles);
    }

    [Fact]
    public async Task Files_of_an_upload_in_validation_stay_and_its_validation_is_asked_for_again()
    {
        var upload = await UploadAsync(UploadState.Queued);

        Assert.Equal(0, (await SweepAsync(TimeSpan.Zero)).RemindedUploads);
        var swept = await SweepAsync(TimeSpan.FromDays(3));

        Assert.Equal((0, 1, 0), (swept.ExpiredUploads, swept.RemindedUploads, swept.StagedFiles));
        Assert.Equal(upload, (await Storage.Queues.Client(QueueNames.Validations).ReceiveMessageAsync(cancellationToken: Ct)).Value.MessageText);
    }

    [Fact]
    public async Task Files_without_an_upload_go_after_the_grace_period()
    {
        await StageAsync(UploadStore.NewId());

        Assert.Equal(0, (await SweepAsync(TimeSpan.Zero)).StagedFiles);
        Assert.Equal(1, (await SweepLaterAsync()).StagedFiles);
    }

    private Task<SweepResult> SweepAsync(TimeSpan later) => Storage.Sweep.SweepAsync(DateTimeOffset.UtcNow + later, Ct);

    private Task<SweepResult> SweepLaterAsync() => SweepAsync(Storage.Options.SweepGrace + TimeSpan.FromMinutes(1));

    private async Task<Digest> PutAsync(byte[] content)
    {
        await Storage.Content.PutAsync(Digest.Of(content), Write(Guid.NewGuid().ToString(), content), Ct);
        return Digest.Of(content);
    }

    private async Task<List<StoredContent>> ListAsync()
    {
        var found = new List<StoredContent>();
        await foreach (var content in Storage.Content.ListOldAsync(DateTimeOffset.UtcNow.AddDays(1), Ct))
            found.Add(content);
        return found;
    }

    private async Task<string> UploadAsync(UploadState state)
    {
        var (id, now) = (UploadStore.NewId(), Clock.GetUtcNow());
        await Storage.Uploads.AddAsync(
            new UploadRecord(id, Id("alice/task"), "alice", false, state, [], null, null, now, now.AddHours(1), null, null, null, default), Ct);
        await StageAsync(id);
        return id;
    }

    private async Task StageAsync(string upload)
    {
        using var http = new HttpClient();
        using var put = new HttpRequestMessage(HttpMethod.Put, await Storage.Staging.SignedWriteUriAsync(upload, 0, DateTimeOffset.UtcNow.AddHours(1), Ct))
        {
            Content = new ByteArrayContent(Bytes(10)),
        };
        put.Headers.Add("x-ms-blob-type", "BlockBlob");
        (await http.SendAsync(put, Ct)).EnsureSuccessStatusCode();
    }
}
