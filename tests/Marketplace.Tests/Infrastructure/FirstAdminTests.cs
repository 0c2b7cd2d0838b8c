using Marketplace.Core.Api;
using Marketplace.Storage;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Infrastructure;

/// <summary>A deployment without any key in its settings: its first admin comes with a token.</summary>
public sealed class FirstAdminTests(AzuriteFixture azurite)
{
    [Fact]
    public async Task The_first_admin_makes_the_first_key_with_a_token()
    {
        using var issuer = new TestIssuer();
        var id = Guid.NewGuid().ToString();
        var environment = new Dictionary<string, string>(issuer.Environment) { ["Marketplace__AdminIdentity"] = id.ToUpperInvariant() };
        await using var stack = await Stack.StartAsync(await azurite.ConnectionStringAsync(), new StackSettings { Environment = environment });
        await stack.RunAsync(async () =>
        {
            var admin = stack.Caller(issuer.Token(id, ["Marketplace.Admin"]));
            Assert.Equal(new WhoAmIView("admin", "admin", id), await admin.GetAsync<WhoAmIView>("/whoami"));
            var made = await admin.PostAsync<KeyView>("/keys", new CreateKeyRequest("first", "publish", "ann"), 201);
            Assert.Equal("ann", (await stack.Caller(made.Token).GetAsync<WhoAmIView>("/whoami")).Owner);

            // The setting gives an account, the tenant gives the role.
            (await stack.Caller(issuer.Token(id, ["Marketplace.Reader"])).SendAsync(HttpMethod.Post, "/keys", new CreateKeyRequest("no", "publish", "ann"))).Problem(403, "forbidden");
            var now = DateTimeOffset.UtcNow;
            var events = await stack.Storage.Audit.ListAsync(new AuditQuery { From = now.AddDays(-1), To = now.AddDays(1), Action = "bind-identity" }, TestContext.Current.CancellationToken);
            Assert.Equal((AuditLog.Service, "admin", id), events!.Items.Select(e => (e.Actor, e.Subject, e.Detail!)).Single());
        });
    }
}
