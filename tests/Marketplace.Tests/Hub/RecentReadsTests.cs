using Marketplace.Core;
using Marketplace.Core.Api;
using Marketplace.Storage;
using Marketplace.Tests.Storage;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Hub;

/// <summary>What may be a second old, and what never is: whatever this process has written.</summary>
public sealed class RecentReadsTests(AzuriteFixture azurite) : StorageTest(azurite)
{
    private static readonly Key At = new("p", "r");

    private readonly Timestamps clock = new();

    [Fact]
    public async Task A_read_is_good_for_a_second_from_its_beginning()
    {
        var (recent, reads) = (new RecentReads<string>(clock), 0);
        Task<string?> Ask() => recent.GetAsync(At, () => Task.FromResult<string?>($"{++reads}"), keepAbsence: true, Ct);
        Assert.Equal("1", await Ask());
        clock.Advance(RecentReads<string>.Lifetime - TimeSpan.FromTicks(1));
        Assert.Equal("1", await Ask());
        clock.Advance(TimeSpan.FromTicks(1));
        Assert.Equal("2", await Ask());

        // A read that takes long is as old as its beginning.
        clock.Advance(RecentReads<string>.Lifetime);
        var slow = new TaskCompletionSource<string?>();
        var waiting = recent.GetAsync(At, () => slow.Task, keepAbsence: true, Ct);
        clock.Advance(RecentReads<string>.Lifetime);
        slow.SetResult("slow");
        Assert.Equal(("slow", "3"), (await waiting, await Ask()));
    }

    [Fact]
    public async Task Who_asks_at_the_same_time_shares_a_read_and_who_gives_up_ends_it_for_nobody_else()
    {
        var (recent, reads, answer) = (new RecentReads<string>(clock), 0, new TaskCompletionSource<string?>());
        using var impatient = new CancellationTokenSource();
        Task<string?> Ask(CancellationToken ct) => recent.GetAsync(At, () => Interlocked.Increment(ref reads) > 0 ? answer.Task : null!, keepAbsence: true, ct);
        var gone = Ask(impatient.Token);
        var others = Enumerable.Range(0, 8).Select(_ => Ask(Ct)).ToList();
        await impatient.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => gone);
        others.Add(Ask(Ct));
        answer.SetResult("one");
        Assert.All(await Task.WhenAll(others), a => Assert.Equal("one", a));
        Assert.Equal(1, reads);
    }

    [Fact]
    public async Task After_a_write_nobody_gets_what_was_read_before_it_even_if_that_came_back_later()
    {
        var (recent, before) = (new RecentReads<string>(clock), new TaskCompletionSource<string?>());
        var early = recent.GetAsync(At, () => before.Task, keepAbsence: true, Ct);
        recent.Forget(At);
        Assert.Equal("after", await recent.GetAsync(At, () => Task.FromResult<string?>("after"), keepAbsence: true, Ct));
        before.SetResult("before");
        Assert.Equal("before", await early);
        Assert.Equal("after", await recent.GetAsync(At, () => Task.FromResult<string?>("never"), keepAbsence: true, Ct));
    }

    [Fact]
    public async Task Failures_are_kept_for_nobody_and_absence_only_where_it_may_be()
    {
        var recent = new RecentReads<string>(clock);
        await Assert.ThrowsAsync<IOException>(() => recent.GetAsync(At, () => Task.FromException<string?>(new IOException()), keepAbsence: true, Ct));
        Assert.Null(await recent.GetAsync(At, () => Task.FromResult<string?>(null), keepAbsence: false, Ct));
        Assert.Null(await recent.GetAsync(At, () => Task.FromResult<string?>(null), keepAbsence: true, Ct));
        Assert.Null(await recent.GetAsync(At, () => Task.FromResult<string?>("late"), keepAbsence: true, Ct));
    }

    [Fact]
    public async Task Every_write_of_an_adapter_a_key_a_collection_and_a_registration_shows_at_once()
    {
        var (id, now) = (Id("alice/one"), DateTimeOffset.UtcNow);
        Assert.Null(await Storage.Adapters.RecentAsync(id, Ct));
        await Storage.Adapters.CreateAsync(new AdapterRecord(id, false, true, "org/base", "org/base", null, now, now, null, default), Ct);
        Assert.NotNull(await Storage.Adapters.RecentAsync(Id("ALICE/One"), Ct));
        await Storage.Catalogue.SetVisibilityAsync(id, isPrivate: true, ct: Ct);
        Assert.True((await Storage.Adapters.RecentAsync(id, Ct))!.Private);
        await Storage.Takedowns.TakeDownAsync(id, new TakedownOrder(TakedownReason.Legal, "A court said so.", DescendantPolicy.Keep, false, "admin"), Ct);
        Assert.NotNull((await Storage.Adapters.RecentAsync(id, Ct))!.Takedown);
        await Storage.Takedowns.RestoreAsync(id, "admin", Ct);
        Assert.Null((await Storage.Adapters.RecentAsync(id, Ct))!.Takedown);

        var (token, key) = await Storage.Keys.CreateAsync("alice", "laptop", KeyScope.Read, null, Ct);
        Assert.Equal(key.Id, (await Storage.Keys.AuthenticateRecentAsync(token, Ct))!.Id);
        await Storage.Keys.RevokeAsync("alice", key.Id, Ct);
        Assert.Null(await Storage.Keys.AuthenticateRecentAsync(token, Ct));
        Assert.Null(await Storage.Keys.AuthenticateRecentAsync("hf_unknown", Ct));

        var (set, alice) = (Id("alice/set"), new Caller("alice", KeyScope.Read));
        Assert.Null(await Storage.Collections.RecentAsync(set, alice, Ct));
        await Storage.Collections.PutAsync(new(set, true, "org/base", "library-build", now, "01", "{}", [new("c0", id, new(1, new string('0', 40)))]), Ct);
        Assert.Single((await Storage.Collections.RecentAsync(set, alice, Ct))!.Members);
        Assert.Null(await Storage.Collections.RecentAsync(set, Caller.Anonymous, Ct));
        await Storage.Collections.DeleteAsync(set, Ct);
        Assert.Null(await Storage.Collections.RecentAsync(set, alice, Ct));

        Assert.Empty(await Storage.Registrations.RecentAsync("org/base", Ct));
        await Storage.Registrations.AddAsync(new("org/base", 1, Digest.Of("x"u8), "llama", [], "admin", now, null, "u1"), Ct);
        Assert.Single(await Storage.Registrations.RecentAsync("Org/Base", Ct));
    }

    [Fact]
    public async Task What_another_process_writes_is_noticed_after_a_second()
    {
        var (other, id, now) = (new MarketplaceStorage(Storage.Options, clock), Id("alice/one"), DateTimeOffset.UtcNow);
        await Storage.Adapters.CreateAsync(new AdapterRecord(id, false, true, "org/base", "org/base", null, now, now, null, default), Ct);
        var (token, key) = await Storage.Keys.CreateAsync("alice", "laptop", KeyScope.Read, null, Ct);
        Assert.Null((await other.Adapters.RecentAsync(id, Ct))!.Takedown);
        Assert.NotNull(await other.Keys.AuthenticateRecentAsync(token, Ct));
        await Storage.Takedowns.TakeDownAsync(id, new TakedownOrder(TakedownReason.Legal, null, DescendantPolicy.Keep, false, "admin"), Ct);
        await Storage.Keys.RevokeAsync("alice", key.Id, Ct);
        Assert.Null((await other.Adapters.RecentAsync(id, Ct))!.Takedown);
        Assert.NotNull((await other.Adapters.GetAsync(id, Ct))!.Takedown);
        clock.Advance(TimeSpan.FromSeconds(1));
        Assert.NotNull((await other.Adapters.RecentAsync(id, Ct))!.Takedown);
        Assert.Null(await other.Keys.AuthenticateRecentAsync(token, Ct));
    }

    [Fact]
    public async Task A_key_that_expires_ends_with_its_time_and_not_later()
    {
        var ends = new ManualClock();
        var storage = new MarketplaceStorage(Storage.Options, ends);
        var (token, _) = await storage.Keys.CreateAsync("alice", "short", KeyScope.Read, ends.GetUtcNow() + TimeSpan.FromMinutes(1), Ct);
        Assert.NotNull(await storage.Keys.AuthenticateRecentAsync(token, Ct));
        ends.Advance(TimeSpan.FromMinutes(1));
        Assert.Null(await storage.Keys.AuthenticateRecentAsync(token, Ct));
    }

    private sealed class Timestamps : TimeProvider
    {
        private long now;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => now;

        public void Advance(TimeSpan by) => now += by.Ticks;
    }
}
