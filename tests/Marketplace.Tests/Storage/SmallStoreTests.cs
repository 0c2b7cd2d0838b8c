using Marketplace.Core;
using Marketplace.Storage;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Storage;

public sealed class SmallStoreTests(AzuriteFixture azurite) : StorageTest(azurite)
{
    [Fact]
    public async Task A_report_is_replaced_by_the_next_validation()
    {
        Assert.Null(await Storage.Reports.ReadAsync("u1", Ct));
        await Storage.Reports.PutAsync("u1", "{}", Ct);
        await Storage.Reports.PutAsync("u1", "{\"issues\":[\"ä\"]}", Ct);

        Assert.Equal("{\"issues\":[\"ä\"]}", await Storage.Reports.ReadAsync("u1", Ct));
    }

    [Fact]
    public async Task Derived_data_is_kept_apart_by_weights_analysis_and_name()
    {
        var (one, two) = (Digest.Of([1]), Digest.Of([2]));
        await Storage.Derived.PutAsync(one, "1", "sketch", new byte[] { 1 }, Ct);
        await Storage.Derived.PutAsync(one, "2", "sketch", new byte[] { 2 }, Ct);
        await Storage.Derived.PutAsync(one, "1", "sketch", new byte[] { 3 }, Ct);

        Assert.Equal([3], (await Storage.Derived.ReadAsync(one, "1", "sketch", Ct))!.ToArray());
        Assert.Equal([2], (await Storage.Derived.ReadAsync(one, "2", "sketch", Ct))!.ToArray());
        Assert.Null(await Storage.Derived.ReadAsync(one, "1", "prototypes", Ct));
        Assert.Null(await Storage.Derived.ReadAsync(two, "1", "sketch", Ct));
    }

    [Fact]
    public async Task Events_of_a_day_are_read_in_order()
    {
        var day = new DateTimeOffset(2030, 1, 2, 0, 0, 0, TimeSpan.Zero);
        for (var i = 0; i < 20; i++)
            await Storage.Audit.WriteAsync(new AuditEvent(day.AddHours(1).AddSeconds(i), "alice", "publish", $"alice/a{i}", i == 0 ? new string('x', 40_000) : null), ct: Ct);
        await Storage.Audit.WriteAsync(new AuditEvent(day.AddDays(1), "alice", "publish", "alice/tomorrow", null), ct: Ct);

        var events = await Storage.Audit.ListAsync(new DateOnly(2030, 1, 2), Ct);

        Assert.Equal(Enumerable.Range(0, 20).Select(i => $"alice/a{i}"), events.Select(e => e.Subject));
        Assert.Equal(40_000, events[0].Detail!.Length);
    }

    [Fact]
    public async Task An_event_with_a_key_is_written_once()
    {
        var audit = new AuditEvent(DateTimeOffset.UtcNow, "alice", "publish", "alice/a", null);

        await Storage.Audit.WriteAsync(audit, "key", Ct);
        await Storage.Audit.WriteAsync(audit, "key", Ct);

        Assert.Single(await Storage.Audit.ListAsync(DateOnly.FromDateTime(audit.At.UtcDateTime), Ct));
    }

    [Fact]
    public async Task Uses_of_bytes_are_found_by_digest()
    {
        var weights = Bytes(50);
        var mine = await PublishAsync(Request("alice/one", "u1", weights: weights));
        await PublishAsync(Request("bob/two", "u2", isPrivate: true, weights: weights));

        var uses = new List<ContentUse>();
        await foreach (var use in Storage.ContentIndex.ListAsync(mine.Weights, Ct))
            uses.Add(use);

        Assert.Equal(
            [new(mine.Weights, Id("alice/one"), 1, "alice", false), new(mine.Weights, Id("bob/two"), 1, "bob", true)],
            uses.OrderBy(u => u.Owner, StringComparer.Ordinal));
    }
}
