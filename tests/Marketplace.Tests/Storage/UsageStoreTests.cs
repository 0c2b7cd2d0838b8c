using Marketplace.Core;
using Marketplace.Storage;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Storage;

/// <summary>Charges count once, whoever repeats them, and nobody takes room that is gone.</summary>
public sealed class UsageStoreTests(AzuriteFixture azurite) : StorageTest(azurite)
{
    private const long Size = 1100;

    [Fact]
    public async Task A_version_is_charged_once_however_often_it_is_published()
    {
        var request = Request("alice/task", "u1");
        await PublishAsync(request);
        await PublishAsync(request);
        Assert.Equal(new Usage(Size, 1, 0), await UsedAsync("ALICE"));

        await PublishAsync(Request("alice/task", "u2"));
        await PublishAsync(Request("alice/other", "u3"));
        Assert.Equal(new Usage(3 * Size, 2, 0), await UsedAsync("alice"));
        Assert.Equal(new Usage(0, 0, 0), await UsedAsync("bob"));
    }

    [Fact]
    public async Task Of_publishers_at_once_as_many_succeed_as_there_is_room_for()
    {
        await Storage.Usage.SetQuotaAsync("alice", new QuotaOverrides(Bytes: (3 * Size) + 10), Ct);
        var outcomes = await Task.WhenAll(Enumerable.Range(0, 6).Select(i => SecondProcess().Commit.PublishAsync(Request($"alice/task-{i % 2}", $"u{i}"), Ct)));

        Assert.Equal(3, outcomes.Count(o => o is PublishOutcome.Published));
        var excess = outcomes.OfType<PublishOutcome.QuotaExceeded>().First().Excess;
        Assert.Equal(("alice", (3 * Size) + 10, 3 * Size, Size), (excess.Owner, excess.Limit, excess.Used, excess.Asked));
        Assert.Equal(3 * Size, (await UsedAsync("alice")).Bytes);
    }

    [Fact]
    public async Task A_recount_charges_what_was_published_and_gives_back_what_never_was()
    {
        var (kept, charged) = (await PublishAsync(Request("alice/task", "u1")), await PublishAsync(Request("bob/task", "u2")));
        // A process that dies after its charge, and one whose account was never charged.
        Assert.Null(await Storage.Usage.ChargeAsync(kept with { Adapter = Id("alice/lost"), UploadId = "u3" }, Ct));
        await Storage.Versions.AddAsync(charged with { Number = 2, UploadId = "u4" }, Ct);
        Assert.Equal((new Usage(2 * Size, 2, 0), new Usage(Size, 1, 0)), (await UsedAsync("alice"), await UsedAsync("bob")));

        // It may still be on its way to its version.
        Assert.Equal((2, 1), await Storage.Recount.RunAsync(Clock.GetUtcNow(), Ct));
        Assert.Equal((new Usage(2 * Size, 2, 0), new Usage(2 * Size, 1, 0)), (await UsedAsync("alice"), await UsedAsync("bob")));

        Clock.Advance(Storage.Options.SweepGrace + TimeSpan.FromMinutes(1));
        Assert.Equal((2, 2), await Storage.Recount.RunAsync(Clock.GetUtcNow(), Ct));
        Assert.Equal((2, 0), await Storage.Recount.RunAsync(Clock.GetUtcNow(), Ct));
        Assert.Equal((new Usage(Size, 1, 0), new Usage(2 * Size, 1, 0)), (await UsedAsync("alice"), await UsedAsync("bob")));
    }

    [Fact]
    public async Task An_adapter_that_is_down_counts_until_its_bytes_were_given_up()
    {
        await PublishAsync(Request("alice/task", "u1"));
        await PublishAsync(Request("alice/kept", "u2"));
        async Task MarkAsync(DateTimeOffset? purgedAt) => await Storage.Adapters.UpdateAsync(
            (await Storage.Adapters.GetAsync(Id("alice/task"), Ct))! with { Takedown = new TakedownMark([], Spread: true, PurgedAt: purgedAt) }, Ct);

        await MarkAsync(null);
        Clock.Advance(Storage.Options.SweepGrace + TimeSpan.FromMinutes(1));
        await Storage.Recount.RunAsync(Clock.GetUtcNow(), Ct);
        Assert.Equal(new Usage(2 * Size, 2, 0), await UsedAsync("alice"));

        await MarkAsync(Clock.GetUtcNow());
        await Storage.Recount.RunAsync(Clock.GetUtcNow(), Ct);
        Assert.Equal(new Usage(Size, 1, 0), await UsedAsync("alice"));
    }

    [Fact]
    public async Task A_deleted_set_gives_its_bytes_back_and_no_other_does()
    {
        foreach (var (set, content) in new[] { ("alice/set", 1), ("alice/set", 2), ("alice/set-2", 3), ("alice/set", 1) })
            Assert.Null(await Storage.Usage.ChargeSetAsync(Id(set), Digest.Of([(byte)content]), 100, Ct));
        Assert.Equal(new Usage(0, 0, 300), await UsedAsync("alice"));

        await Storage.Usage.ReleaseSetAsync(Id("Alice/Set"), Ct);
        Assert.Equal(new Usage(0, 0, 100), await UsedAsync("alice"));
    }

    [Fact]
    public async Task What_an_admin_sets_holds_in_place_of_what_holds_for_all()
    {
        Assert.Equal(Storage.Options.Quotas, await Storage.Usage.QuotasAsync("alice", Ct));
        await Storage.Usage.SetQuotaAsync("alice", new QuotaOverrides(Adapters: 7, Jobs: 3), Ct);
        Assert.Equal(Storage.Options.Quotas with { Adapters = 7, Jobs = 3 }, await SecondProcess().Usage.QuotasAsync("ALICE", Ct));
        await Storage.Usage.SetQuotaAsync("alice", new QuotaOverrides(), Ct);
        Assert.Equal(Storage.Options.Quotas, await Storage.Usage.QuotasAsync("alice", Ct));
    }

    [Fact]
    public async Task Uploads_count_until_they_are_over_and_what_a_crash_left_is_tidied()
    {
        UploadRecord New(UploadKind kind = UploadKind.Adapter) => new(
            UploadStore.NewId(), Id("alice/task"), "alice", true, UploadState.Open, [new UploadFileSpec("a", 40, null), new UploadFileSpec("b", 2, null)], null, null,
            Clock.GetUtcNow(), Clock.GetUtcNow().AddHours(1), null, null, null, default, kind);

        var upload = New();
        await Storage.Uploads.AddAsync(upload, Ct);
        await Storage.Uploads.AddAsync(New(UploadKind.BaseModel), Ct);
        Assert.Equal((1, 42L), await PendingAsync("Alice"));
        foreach (var (state, pending) in new[] { (UploadState.Queued, (1, 42L)), (UploadState.Published, (0, 0L)) })
        {
            await Storage.Uploads.UpdateAsync((await Storage.Uploads.GetAsync(upload.Id, Ct))! with { State = state }, Ct);
            Assert.Equal(pending, await PendingAsync("alice"));
        }

        // As if the process had died between the two rows: the owner's row of an upload that is over.
        await Storage.Uploads.AddAsync(upload, Ct);
        Assert.Equal((1, 42L), await PendingAsync("alice"));
        await Storage.Uploads.AddAsync(New(), Ct);
        await Storage.Uploads.TidyAsync("alice", Clock.GetUtcNow().AddMinutes(-5), Ct);
        Assert.Equal((1, 42L), await PendingAsync("alice"));
    }

    private async Task<Usage> UsedAsync(string owner) => (await SecondProcess().Usage.GetAsync(owner, Ct)).Published;

    private async Task<(int, long)> PendingAsync(string owner) => await Storage.Usage.GetAsync(owner, Ct) is var account ? (account.Uploads, account.UploadBytes) : default;
}
