using Marketplace.Core.Api;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Access;

/// <summary>Tokens of a tenant and the accounts they act as. In one class with the matrix, so that nobody else needs the issuer while it is down.</summary>
public sealed partial class AuthorisationTests
{
    private const string Publisher = "Marketplace.Publisher";

    [Fact]
    public Task A_new_key_of_the_issuer_is_accepted_at_once_and_the_old_one_still() => stack.RunAsync(async () =>
    {
        var id = NewId();
        var before = issuer.Token(id, [Publisher]);
        Assert.Equal(id, (await WhoAsync(before)).Identity);
        issuer.Roll();
        Assert.Equal(id, (await WhoAsync(issuer.Token(id, [Publisher]))).Identity);
        Assert.Equal(id, (await WhoAsync(before)).Identity);
        // Known keys ask the issuer nothing.
        var reads = issuer.Reads;
        await WhoAsync(issuer.Token(id, [Publisher]));
        Assert.Equal(reads, issuer.Reads);
    });

    [Fact]
    public Task While_the_issuer_is_down_known_keys_work_new_ones_wait_and_API_keys_do_not_notice() => stack.RunAsync(async () =>
    {
        var known = issuer.Token(NewId(), [Publisher]);
        await WhoAsync(known);
        issuer.Roll();
        var fresh = issuer.Token(NewId(), [Publisher]);
        issuer.Reachable = false;
        try
        {
            Assert.Equal("publish", (await WhoAsync(known)).Scope);
            (await stack.Caller(fresh).SendAsync(HttpMethod.Get, "/whoami")).Problem(503, "identity-unavailable");
            Assert.Equal("admin", (await stack.Admin.GetAsync<WhoAmIView>("/whoami")).Scope);
        }
        finally
        {
            issuer.Reachable = true;
        }

        Assert.Equal("publish", (await WhoAsync(fresh)).Scope);
    });

    [Fact]
    public Task An_identity_acts_as_the_account_it_is_bound_to_until_it_is_taken_from_it() => stack.RunAsync(async () =>
    {
        var id = NewId();
        var person = stack.Caller(issuer.Token(id, [Publisher]));
        var refused = (await person.SendAsync(HttpMethod.Get, "/jobs")).Problem(403, "no-account");
        Assert.Contains(id, refused.Detail, StringComparison.Ordinal);

        var bound = (await stack.Admin.SendAsync(HttpMethod.Put, $"/accounts/Team/identities/{id.ToUpperInvariant()}")).Read<IdentityView>();
        Assert.Equal(("Team", id, TestIssuer.TenantId, "admin"), (bound.Owner, bound.ObjectId, bound.TenantId, bound.BoundBy));
        Assert.Equal(new WhoAmIView("Team", "publish", id), await person.GetAsync<WhoAmIView>("/whoami"));
        // Asking again changes nothing, and one identity is never two accounts.
        Assert.Equal(bound, (await stack.Admin.SendAsync(HttpMethod.Put, $"/accounts/team/identities/{id}")).Read<IdentityView>());
        (await stack.Admin.SendAsync(HttpMethod.Put, $"/accounts/others/identities/{id}")).Problem(409, "conflict");
        (await stack.Admin.SendAsync(HttpMethod.Put, "/accounts/team/identities/me")).Problem(400, "invalid-request");
        Assert.Equal([id], (await stack.Admin.GetAsync<ListResponse<IdentityView>>("/accounts/TEAM/identities")).Items.Select(i => i.ObjectId));

        // A lost key: whoever is bound to the account makes a new one, and takes the old one back.
        var lost = await stack.AccountAsync("team");
        var old = Assert.Single((await person.GetAsync<ListResponse<KeyView>>("/keys")).Items);
        var made = await person.PostAsync<KeyView>("/keys", new CreateKeyRequest("in its place"), 201);
        Assert.Equal("Team", made.Owner);
        Assert.Equal(204, (await person.SendAsync(HttpMethod.Delete, $"/keys/{old.Id}")).Status);
        (await lost.SendAsync(HttpMethod.Get, "/jobs")).Problem(401, "unauthenticated");
        (await person.SendAsync(HttpMethod.Post, "/keys", new CreateKeyRequest("wider", "admin"))).Problem(403, "forbidden");

        (await stack.Admin.SendAsync(HttpMethod.Delete, $"/accounts/others/identities/{id}")).Problem(404, "not-found");
        Assert.Equal(204, (await stack.Admin.SendAsync(HttpMethod.Delete, $"/accounts/team/identities/{id}")).Status);
        (await person.SendAsync(HttpMethod.Get, "/jobs")).Problem(403, "no-account");
        Assert.Equal("Team", (await stack.Caller(made.Token).GetAsync<WhoAmIView>("/whoami")).Owner);
    });

    [Fact]
    public Task An_admin_lists_and_revokes_the_keys_of_others_and_sees_when_they_were_used() => stack.RunAsync(async () =>
    {
        var (lister, user) = (await stack.AccountAsync("keeper"), await stack.AccountAsync("keeper"));
        await user.GetAsync<WhoAmIView>("/whoami");
        var today = DateOnly.FromDateTime(DateTime.UtcNow);
        var keys = (await stack.Admin.EventuallyAsync<ListResponse<KeyView>>("/keys?owner=keeper", l => l.Items.Any(k => k.LastUsedOn is not null))).Items;
        Assert.Equal(2, keys.Count);
        var used = Assert.Single(keys, k => k.LastUsedOn is not null);
        Assert.InRange(used.LastUsedOn!.Value, today, today.AddDays(1));

        var stranger = await stack.AccountAsync("mallory");
        (await stranger.SendAsync(HttpMethod.Get, "/keys?owner=keeper")).Problem(403, "forbidden");
        (await stranger.SendAsync(HttpMethod.Delete, $"/keys/{used.Id}?owner=keeper")).Problem(403, "forbidden");
        (await stranger.SendAsync(HttpMethod.Delete, $"/keys/{used.Id}")).Problem(404, "not-found");
        Assert.Equal(204, (await stack.Admin.SendAsync(HttpMethod.Delete, $"/keys/{used.Id}?owner=keeper")).Status);
        (await user.SendAsync(HttpMethod.Get, "/whoami")).Problem(401, "unauthenticated");
        Assert.Equal("keeper", (await lister.GetAsync<WhoAmIView>("/whoami")).Owner);
    });

    [Fact]
    public Task A_refused_token_says_why_and_is_in_no_log() => stack.RunAsync(async () =>
    {
        var expired = issuer.Token(NewId(), [Publisher], from: TimeSpan.FromHours(-2), until: TimeSpan.FromHours(-1));
        Assert.Contains("expired", (await stack.Caller(expired).SendAsync(HttpMethod.Get, "/jobs")).Problem(401, "unauthenticated").Detail, StringComparison.Ordinal);
        var foreign = issuer.Token(NewId(), [Publisher], audience: NewId());
        Assert.Contains("audience", (await stack.Caller(foreign).SendAsync(HttpMethod.Get, "/jobs")).Problem(401, "unauthenticated").Detail, StringComparison.Ordinal);
        // Longer than any key, and of the form of neither.
        (await stack.Caller(new string('x', 5000)).SendAsync(HttpMethod.Get, "/jobs")).Problem(401, "unauthenticated");
        (await stack.Caller($"a.b.{new string('x', 5000)}").SendAsync(HttpMethod.Get, "/jobs")).Problem(401, "unauthenticated");
        foreach (var token in new[] { expired, foreign })
            Assert.All(token.Split('.')[1..], part => Assert.DoesNotContain(part, stack.Functions.Output, StringComparison.Ordinal));
    });

    private Task<WhoAmIView> WhoAsync(string token) => stack.Caller(token).GetAsync<WhoAmIView>("/whoami");

    private static string NewId() => Guid.NewGuid().ToString("D");
}
