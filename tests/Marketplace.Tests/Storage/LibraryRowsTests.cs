using Marketplace.Core;
using Marketplace.Storage;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Storage;

/// <summary>Libraries as searches look at them: from memory, with what was written since.</summary>
public sealed class LibraryRowsTests(AzuriteFixture azurite) : StorageTest(azurite)
{
    private static readonly Caller Ann = new("ann", KeyScope.Publish);

    [Fact]
    public async Task What_was_just_written_is_seen_at_once_by_those_who_may()
    {
        await PutAsync("ann/first", 1);
        Assert.Equal(["ann/first@1"], await LookAsync(Storage, Caller.Anonymous));
        await PutAsync("ann/second", 1, isPrivate: true);
        await PutAsync("ann/first", 2);
        foreach (var storage in new[] { Storage, SecondProcess() })
        {
            Assert.Equal(["ann/first@2"], await LookAsync(storage, Caller.Anonymous));
            Assert.Equal(["ann/first@2"], await LookAsync(storage, new Caller("eve", KeyScope.Publish)));
            Assert.Equal(["ann/first@2", "ann/second@1"], await LookAsync(storage, Ann));
            Assert.Equal(["ann/first@2", "ann/second@1"], await LookAsync(storage, new Caller("root", KeyScope.Admin)));
        }
    }

    [Fact]
    public async Task Many_writes_between_looks_are_all_seen()
    {
        for (var i = 0; i < 30; i++)
        {
            await PutAsync($"ann/a{i}", 1);
            Assert.Equal(i + 1, (await LookAsync(Storage, Caller.Anonymous)).Count);
        }
    }

    [Fact]
    public async Task A_member_that_left_is_not_confirmed_and_forgotten_in_time()
    {
        var version = await PublishAsync(Request("ann/stays", "1"));
        await PutAsync("ann/never-was", 1);
        var rows = await Storage.Libraries.ScanMembersAsync("org/base", Ann, Ct);
        Assert.Equal(2, rows.Count);
        Assert.Equal(["ann/stays"], (await ConfirmedAsync(rows)).Select(m => m.Adapter.ToString()));
        Assert.Equal(version.Weights, (await ConfirmedAsync(rows))[0].Weights);

        await Storage.Libraries.RemoveMemberAsync("org/base", Id("ann/never-was"), Ct);
        Assert.Equal(2, (await LookAsync(Storage, Ann)).Count);
        Clock.Advance(TimeSpan.FromMinutes(6));
        Assert.Equal(["ann/stays@1"], await LookAsync(Storage, Ann));

        var hidden = (await PublishAsync(Request("ann/secret", "2", isPrivate: true))).Adapter;
        var open = (await Storage.Libraries.ScanMembersAsync("org/base", Ann, Ct)).Single(m => m.Adapter == hidden);
        Assert.NotNull(await Storage.Libraries.ConfirmAsync(open, Ann, Ct));
        Assert.Null(await Storage.Libraries.ConfirmAsync(open with { Private = false }, Caller.Anonymous, Ct));
    }

    private async Task<List<LibraryMember>> ConfirmedAsync(IReadOnlyList<LibraryMember> rows)
    {
        var confirmed = new List<LibraryMember>();
        foreach (var row in rows)
        {
            if (await Storage.Libraries.ConfirmAsync(row, Ann, Ct) is { } member)
                confirmed.Add(member);
        }

        return confirmed;
    }

    private static async Task<List<string>> LookAsync(MarketplaceStorage storage, Caller caller) =>
        [.. (await storage.Libraries.ScanMembersAsync("Org/Base", caller, Ct)).Select(m => $"{m.Adapter}@{m.Version.Number}").Order(StringComparer.Ordinal)];

    private Task PutAsync(string adapter, int version, bool isPrivate = false) => Storage.Libraries.PutMemberAsync(
        new LibraryMember("org/base", Id(adapter), isPrivate, new VersionPointer(version, new string('a', 40)), Digest.Of("w"u8), Digest.Of("c"u8)), Ct);
}
