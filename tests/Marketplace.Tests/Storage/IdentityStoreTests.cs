using Marketplace.Storage;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Storage;

/// <summary>Identities and the accounts they act as; the operator's key and the days of keys.</summary>
public sealed class IdentityStoreTests(AzuriteFixture azurite) : StorageTest(azurite)
{
    private static readonly Identity Ada = new("6b1f2f0e-5a53-4f3c-9d4b-0f5f7b0f3a11", "0a1b2c3d-0000-0000-0000-000000000001");

    [Fact]
    public async Task Of_two_accounts_that_want_an_identity_at_once_one_gets_it()
    {
        var bound = await Task.WhenAll(new[] { "alice", "bob", "alice", "bob" }.Select(owner => SecondProcess().Identities.BindAsync(Ada, owner, "admin", Ct)));
        Assert.Single(bound.Select(b => b.Owner).Distinct());
        Assert.Equal(bound[0], await Storage.Identities.FindAsync(Ada with { ObjectId = Ada.ObjectId.ToUpperInvariant() }, Ct));
        Assert.Null(await Storage.Identities.FindAsync(Ada with { TenantId = "6b1f2f0e-5a53-4f3c-9d4b-0f5f7b0f3a12" }, Ct));
    }

    [Fact]
    public async Task An_account_may_have_many_identities_and_only_its_own_are_taken_from_it()
    {
        var others = Enumerable.Range(2, 3).Select(i => Ada with { ObjectId = $"{i:x8}-0000-0000-0000-000000000000" }).ToList();
        foreach (var identity in others)
            await Storage.Identities.BindAsync(identity, "Alice", "admin", Ct);
        await Storage.Identities.BindAsync(Ada, "bob", "admin", Ct);

        Assert.False(await Storage.Identities.UnbindAsync(Ada, "alice", Ct));
        Assert.True(await Storage.Identities.UnbindAsync(others[0], "ALICE", Ct));
        Assert.False(await Storage.Identities.UnbindAsync(others[0], "alice", Ct));
        Assert.Equal(others[1..], (await Storage.Identities.ListAsync("alice", Ct)).Select(b => b.Identity).OrderBy(i => i.ObjectId));
        Assert.Equal("alice", (await Storage.Identities.BindAsync(others[0], "alice", "admin", Ct)).Owner);
    }

    [Fact]
    public async Task The_operators_new_key_ends_the_one_before_and_no_other()
    {
        await Storage.Keys.EnsureAsync("hf_first", "admin", KeyScope.Admin, Ct);
        var (named, _) = await Storage.Keys.CreateAsync("admin", "bootstrap", KeyScope.Admin, null, Ct);
        Clock.Advance(TimeSpan.FromSeconds(1));
        await SecondProcess().Keys.EnsureAsync("hf_second", "admin", KeyScope.Admin, Ct);

        Assert.Null(await Storage.Keys.AuthenticateAsync("hf_first", Ct));
        Assert.NotNull(await Storage.Keys.AuthenticateAsync("hf_second", Ct));
        Assert.NotNull(await Storage.Keys.AuthenticateAsync(named, Ct));

        // An instance that still has the old setting starts late.
        Assert.True((await Storage.Keys.EnsureAsync("hf_first", "admin", KeyScope.Admin, Ct)).Revoked);
        Assert.NotNull(await Storage.Keys.AuthenticateAsync("hf_second", Ct));
    }

    [Fact]
    public async Task The_day_of_a_keys_use_is_listed_and_brings_no_revoked_key_back()
    {
        var (token, key) = await Storage.Keys.CreateAsync("alice", "laptop", KeyScope.Read, null, Ct);
        Assert.Null(Assert.Single(await Storage.Keys.ListAsync("alice", Ct)).LastUsedOn);
        var day = new DateOnly(2026, 3, 1);
        await Storage.Keys.NoteUseAsync(key, day, Ct);
        await Storage.Keys.NoteUseAsync(key, day.AddDays(-1), Ct);
        Assert.Equal(day, Assert.Single(await Storage.Keys.ListAsync("alice", Ct)).LastUsedOn);

        await Storage.Keys.RevokeAsync("alice", key.Id, Ct);
        await Storage.Keys.NoteUseAsync(key, day.AddDays(1), Ct);
        Assert.True(Assert.Single(await Storage.Keys.ListAsync("alice", Ct)).Revoked);
        Assert.Null(await Storage.Keys.AuthenticateAsync(token, Ct));
    }
}
