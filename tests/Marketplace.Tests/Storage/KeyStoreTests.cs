using Azure.Data.Tables;
using Marketplace.Storage;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Storage;

public sealed class KeyStoreTests(AzuriteFixture azurite) : StorageTest(azurite)
{
    [Fact]
    public async Task A_new_key_authenticates_with_owner_and_scope()
    {
        var (token, key) = await Storage.Keys.CreateAsync("Alice", "laptop", KeyScope.Publish, null, Ct);

        Assert.Matches("^hf_[0-9A-Za-z]{37}$", token);
        Assert.Equal(key, await SecondProcess().Keys.AuthenticateAsync(token, Ct));
        Assert.Equal(("Alice", KeyScope.Publish), (key.Owner, key.Scope));
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("hf_0000000000000000000000000000000000000")]
    public async Task An_unknown_token_is_nobody(string? token) => Assert.Null(await Storage.Keys.AuthenticateAsync(token, Ct));

    [Fact]
    public async Task A_revoked_key_is_nobody_at_once_and_stays_listed()
    {
        var (token, key) = await Storage.Keys.CreateAsync("alice", "laptop", KeyScope.Read, null, Ct);
        var other = SecondProcess();
        Assert.NotNull(await other.Keys.AuthenticateAsync(token, Ct));

        Assert.True(await Storage.Keys.RevokeAsync("ALICE", key.Id, Ct));

        Assert.Null(await other.Keys.AuthenticateAsync(token, Ct));
        Assert.True(Assert.Single(await Storage.Keys.ListAsync("Alice", Ct)).Revoked);
    }

    [Fact]
    public async Task Nobody_revokes_a_key_of_another_account()
    {
        var (token, key) = await Storage.Keys.CreateAsync("alice", "laptop", KeyScope.Read, null, Ct);

        Assert.False(await Storage.Keys.RevokeAsync("mallory", key.Id, Ct));

        Assert.NotNull(await Storage.Keys.AuthenticateAsync(token, Ct));
    }

    [Fact]
    public async Task An_expired_key_is_nobody()
    {
        var (token, _) = await Storage.Keys.CreateAsync("alice", "ci", KeyScope.Read, Clock.GetUtcNow().AddHours(1), Ct);
        Assert.NotNull(await Storage.Keys.AuthenticateAsync(token, Ct));

        Clock.Advance(TimeSpan.FromHours(2));

        Assert.Null(await Storage.Keys.AuthenticateAsync(token, Ct));
    }

    [Fact]
    public async Task The_operators_key_is_made_once_and_stays_revoked()
    {
        var first = await Storage.Keys.EnsureAsync("hf_operator", "root", KeyScope.Admin, Ct);
        var second = await SecondProcess().Keys.EnsureAsync("hf_operator", "root", KeyScope.Admin, Ct);
        Assert.Equal(first, second);
        Assert.Equal(KeyScope.Admin, (await Storage.Keys.AuthenticateAsync("hf_operator", Ct))!.Scope);

        await Storage.Keys.RevokeAsync("root", first.Id, Ct);
        Assert.True((await Storage.Keys.EnsureAsync("hf_operator", "root", KeyScope.Admin, Ct)).Revoked);
        Assert.Null(await Storage.Keys.AuthenticateAsync("hf_operator", Ct));
    }

    [Fact]
    public async Task No_row_of_any_table_holds_a_token()
    {
        var (token, _) = await Storage.Keys.CreateAsync("alice", "laptop", KeyScope.Read, null, Ct);
        await Storage.Keys.EnsureAsync("hf_operator", "root", KeyScope.Admin, Ct);

        var service = new TableServiceClient(Storage.Options.ConnectionString);
        var rows = 0;
        await foreach (var table in service.QueryAsync(cancellationToken: Ct))
        {
            if (!table.Name.StartsWith(Storage.Options.Namespace, StringComparison.Ordinal))
                continue;
            await foreach (var row in service.GetTableClient(table.Name).QueryAsync<TableEntity>(cancellationToken: Ct))
            {
                rows++;
                Assert.DoesNotContain(row, p => p.Value?.ToString() is { } text && (text.Contains(token[3..], StringComparison.Ordinal) || text.Contains("hf_operator", StringComparison.Ordinal)));
            }
        }
        Assert.Equal(4, rows);
    }
}
