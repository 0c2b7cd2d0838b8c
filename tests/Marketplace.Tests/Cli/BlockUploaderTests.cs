using Marketplace.Cli.Publishing;
using Marketplace.Core;
using Marketplace.Core.Api;
using Marketplace.Storage;
using Marketplace.Tests.Support;
using Xunit;
using PublishFile = Marketplace.Cli.Publishing.PublishFile;

namespace Marketplace.Tests.Cli;

public sealed class BlockUploaderTests(AzuriteFixture azurite) : IDisposable
{
    // Two whole blocks and a short one.
    private const int Size = (2 * BlockUploader.BlockBytes) + 1234;

    private readonly TemporaryFolder folder = new();
    private long sent;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    private string JournalPath => Path.Combine(folder.Path, "test.journal");

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(BlockUploader.BlockBytes)]
    [InlineData(Size)]
    public async Task A_file_of_any_size_arrives_as_it_is(int size)
    {
        var (storage, file, target) = await Prepare(size);
        using var journal = UploadJournal.Open(JournalPath);
        journal.Start(Ticket(target));

        await new BlockUploader(journal, Count).Send(0, file, target, Stop);

        Assert.Equal(size, sent);
        await Arrived(storage, file);
    }

    [Fact]
    public async Task Blocks_that_an_earlier_run_sent_are_not_sent_again()
    {
        var (storage, file, target) = await Prepare(Size);
        using (var journal = UploadJournal.Open(JournalPath))
        {
            journal.Start(Ticket(target));
            using var interrupted = new CancellationTokenSource();
            var uploader = new BlockUploader(journal, n =>
            {
                Count(n);
                interrupted.Cancel();
            });
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => uploader.Send(0, file, target, interrupted.Token));
        }

        var before = sent;
        Assert.InRange(before, 1, Size);
        using (var journal = UploadJournal.Open(JournalPath))
        {
            Assert.Equal(target, Assert.Single(journal.Ticket!.Files));
            await new BlockUploader(journal, Count).Send(0, file, target, Stop);
        }

        Assert.Equal(Size, sent);
        await Arrived(storage, file);
    }

    [Fact]
    public async Task A_file_whose_blocks_storage_has_lost_is_sent_again()
    {
        var (storage, file, target) = await Prepare(Size);
        using var journal = UploadJournal.Open(JournalPath);
        journal.Start(Ticket(target));
        journal.Add(0, 0);
        journal.Add(0, 1);

        await new BlockUploader(journal, Count).Send(0, file, target, Stop);

        await Arrived(storage, file);
    }

    [Fact]
    public async Task A_finished_file_is_not_touched()
    {
        var (_, file, target) = await Prepare(Size);
        using var journal = UploadJournal.Open(JournalPath);
        journal.Start(Ticket(target));
        journal.Add(0, null);

        await new BlockUploader(journal, Count).Send(0, file, target, Stop);

        Assert.Equal(0, sent);
    }

    [Fact]
    public void A_torn_last_line_of_the_journal_counts_for_nothing()
    {
        using (var journal = UploadJournal.Open(JournalPath))
        {
            journal.Start(Ticket(new UploadTarget("a", "http://127.0.0.1/")));
            journal.Add(0, 1);
        }

        File.AppendAllText(JournalPath, "0:2");
        using (var journal = UploadJournal.Open(JournalPath))
        {
            Assert.True(journal.Has(0, 1));
            Assert.False(journal.Has(0, 2));
            journal.Add(0, 3);
        }

        using var again = UploadJournal.Open(JournalPath);
        Assert.Equal((true, false, true), (again.Has(0, 1), again.Has(0, 2), again.Has(0, 3)));
    }

    [Fact]
    public void A_journal_is_for_one_process_and_its_owner()
    {
        using var journal = UploadJournal.Open(JournalPath);

        Assert.Throws<Marketplace.Cli.CliException>(() => UploadJournal.Open(JournalPath));
        if (!OperatingSystem.IsWindows())
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(JournalPath));
    }

    public void Dispose() => folder.Dispose();

    private void Count(long bytes) => Interlocked.Add(ref sent, bytes);

    private static UploadTicket Ticket(UploadTarget target) => new("upload", "ada/test", DateTimeOffset.UnixEpoch, [target]);

    private async Task<(MarketplaceStorage Storage, PublishFile File, UploadTarget Target)> Prepare(int size)
    {
        var storage = await azurite.NewStorageAsync();
        var bytes = new byte[size];
        new Random(size).NextBytes(bytes);
        var path = Path.Combine(folder.Path, "file.bin");
        await File.WriteAllBytesAsync(path, bytes, Stop);
        var url = await storage.Staging.SignedWriteUriAsync("upload", 0, DateTimeOffset.UtcNow.AddMinutes(10), Stop);
        return (storage, new PublishFile("file.bin", path, size) { Digest = Digest.Of(bytes) }, new UploadTarget("file.bin", url.ToString()));
    }

    private async Task Arrived(MarketplaceStorage storage, PublishFile file)
    {
        var spooled = await storage.Staging.SpoolAsync("upload", 0, file.Size, Path.Combine(folder.Path, "spooled"), Stop);
        Assert.Equal((SpoolOutcome.Ok, file.Digest), (spooled.Outcome, spooled.Digest));
    }
}
