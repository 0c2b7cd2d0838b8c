using System.Text.Json;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Cli;

/// <summary>The commands on accounts and others' keys, with keys and with tokens.</summary>
public sealed class AccountsCommandTests(AccountsCommandTests.Fixture fixture) : IClassFixture<AccountsCommandTests.Fixture>, IDisposable
{
    private static readonly TestIssuer Issuer = new();

    private readonly Stack stack = fixture.Stack;
    private readonly CliProcess cli = new();

    public sealed class Fixture(AzuriteFixture azurite) : StackFixture(azurite, new StackSettings { Environment = Issuer.Environment });

    [Fact]
    public Task A_token_is_as_good_as_a_key_once_it_has_an_account() => stack.RunAsync(async () =>
    {
        var id = Guid.NewGuid().ToString();
        var token = Issuer.Token(id, ["Marketplace.Publisher"]);
        var nobody = await RunAsync(token, 0, "whoami");
        Assert.Equal((id, "publish"), (nobody.GetProperty("identity").GetString(), nobody.GetProperty("scope").GetString()));
        var refused = await RunAsync(token, 4, "job", "list");
        Assert.Equal("no-account", refused.GetProperty("code").GetString());

        Assert.Equal("team", (await RunAsync(stack.Admin.Key!, 0, "accounts", "bind", "team", id)).GetProperty("owner").GetString());
        Assert.Equal(id, Assert.Single((await RunAsync(stack.Admin.Key!, 0, "accounts", "identities", "team")).GetProperty("items").EnumerateArray()).GetProperty("objectId").GetString());
        Assert.Equal("team", (await RunAsync(token, 0, "keys", "create", "robot")).GetProperty("owner").GetString());
        var usage = await RunAsync(token, 0, "accounts", "show");
        Assert.Equal(("team", 1), (usage.GetProperty("owner").GetString(), usage.GetProperty("usage").GetProperty("keys").GetInt32()));
        await RunAsync(stack.Admin.Key!, 0, "accounts", "unbind", "team", id);
        await RunAsync(token, 4, "accounts", "show", "team");
    });

    [Fact]
    public Task An_admin_sets_quotas_and_takes_back_the_keys_of_others() => stack.RunAsync(async () =>
    {
        var admin = stack.Admin.Key!;
        var made = await RunAsync(admin, 0, "keys", "create", "spare", "--owner", "bob");
        var quota = await RunAsync(admin, 0, "accounts", "quota", "bob", "--keys", "1", "--bytes", "5");
        Assert.Equal((1, 5), (quota.GetProperty("quota").GetProperty("keys").GetInt32(), quota.GetProperty("set").GetProperty("bytes").GetInt64()));
        Assert.Equal("quota-exceeded", (await RunAsync(admin, 4, "keys", "create", "more", "--owner", "bob")).GetProperty("code").GetString());
        Assert.Equal("forbidden", (await RunAsync(made.GetProperty("token").GetString()!, 4, "keys", "list", "--owner", "alice")).GetProperty("code").GetString());
        var id = made.GetProperty("id").GetString()!;
        await RunAsync(admin, 0, "keys", "revoke", id, "--owner", "bob");
        var listed = Assert.Single((await RunAsync(admin, 0, "keys", "list", "--owner", "bob")).GetProperty("items").EnumerateArray());
        Assert.True(listed.GetProperty("revoked").GetBoolean());
    });

    public void Dispose() => cli.Dispose();

    private async Task<JsonElement> RunAsync(string key, int exitCode, params string[] arguments)
    {
        var run = await cli.Run([.. arguments, "--json", "--url", stack.Address.AbsoluteUri, "--key", key]);
        Assert.True(run.ExitCode == exitCode, $"{string.Join(' ', arguments)}: {run}");
        return run.Json;
    }
}
