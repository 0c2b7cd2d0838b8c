using Marketplace.Storage;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Storage;

public sealed class AuditLogTests(AzuriteFixture azurite) : StorageTest(azurite)
{
    private static readonly DateTimeOffset Noon = new(2030, 3, 10, 12, 0, 0, TimeSpan.Zero);

    [Fact]
    public async Task Pages_of_any_size_give_each_event_once_newest_first()
    {
        // Three days with a gap; events of a day share partitions as it comes.
        DateTimeOffset[] times = [.. Enumerable.Range(0, 23).Select(i => Noon.AddDays(-(i / 9) * 2).AddMinutes(-i))];
        foreach (var (time, i) in times.Select((t, i) => (t, i)))
            await Storage.Audit.WriteAsync(new(time, i % 2 == 0 ? "Alice" : "bob", i % 3 == 0 ? "publish" : "set-tag", $"alice/{i}", null), ct: Ct);

        foreach (var limit in new[] { 1, 4, 9, 23, 50 })
            Assert.Equal(Enumerable.Range(0, 23).Select(i => $"alice/{i}"), await AllAsync(new() { From = Noon.AddDays(-30), To = Noon.AddTicks(1), Limit = limit }));
        Assert.Equal(Enumerable.Range(0, 23).Where(i => i % 6 == 0).Select(i => $"alice/{i}"), await AllAsync(new() { From = Noon.AddDays(-30), To = Noon.AddDays(1), Actor = "alice", Action = "publish", Limit = 2 }));
        Assert.Equal(["alice/7"], await AllAsync(new() { From = Noon.AddDays(-30), To = Noon.AddDays(1), Subject = "ALICE/7" }));
    }

    [Fact]
    public async Task From_is_included_and_to_is_not()
    {
        foreach (var minutes in new[] { 0, 1, 2 })
            await Storage.Audit.WriteAsync(new(Noon.AddMinutes(minutes), "alice", "publish", $"alice/{minutes}", null), ct: Ct);

        Assert.Equal(["alice/1", "alice/0"], await AllAsync(new() { From = Noon, To = Noon.AddMinutes(2) }));
        Assert.Empty(await AllAsync(new() { From = Noon.AddMinutes(3), To = Noon.AddMinutes(2) }));
    }

    [Fact]
    public async Task A_long_time_without_events_is_passed_in_several_pages()
    {
        await Storage.Audit.WriteAsync(new(Noon.AddDays(-80), "alice", "publish", "alice/old", null), ct: Ct);
        var query = new AuditQuery { From = Noon.AddDays(-100), To = Noon };

        var first = (await Storage.Audit.ListAsync(query, Ct))!;
        Assert.Empty(first.Items);
        Assert.NotNull(first.Continuation);
        Assert.Equal(["alice/old"], await AllAsync(query));
        Assert.Null(await Storage.Audit.ListAsync(query with { After = "made-up" }, Ct));
    }

    [Fact]
    public async Task Events_go_when_their_time_is_over()
    {
        var now = Clock.GetUtcNow();
        for (var i = 0; i < 120; i++)
            await Storage.Audit.WriteAsync(new(now.AddDays(-401 - (i % 2)), "alice", "publish", $"alice/{i}", null), ct: Ct);
        await Storage.Audit.WriteAsync(new(now.AddDays(-399), "alice", "publish", "alice/kept", null), ct: Ct);

        Assert.Equal(120, (await Storage.Sweep.SweepAsync(now, Ct)).AuditEvents);
        Assert.Equal(["alice/kept"], await AllAsync(new() { From = now.AddDays(-410), To = now }));
        Assert.Equal(0, (await Storage.Sweep.SweepAsync(now, Ct)).AuditEvents);
    }

    private async Task<List<string>> AllAsync(AuditQuery query)
    {
        var found = new List<string>();
        while (true)
        {
            var page = (await Storage.Audit.ListAsync(query, Ct))!;
            found.AddRange(page.Items.Select(e => e.Subject));
            if (page.Continuation is not { } continuation)
                return found;
            query = query with { After = continuation };
        }
    }
}
