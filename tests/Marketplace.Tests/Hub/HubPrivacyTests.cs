using System.Text;
using System.Text.Json;
using Azure;
using Marketplace.Core;
using Marketplace.Core.Api;
using Marketplace.Storage;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Hub;

/// <summary>What the reading routes of the Hub's protocol tell to whom: strangers get of what is hidden what they get of a name that nobody has.</summary>
public sealed class HubPrivacyTests(HubPrivacyTests.Fixture fixture) : IClassFixture<HubPrivacyTests.Fixture>
{
    // Equally long, since lengths of answers count.
    private const string Absent = "ann/absent-thing";
    private const string Secret = "ann/secret-thing";
    private const string Draft = "ann/drafts-thing";
    private const string Pending = "ann/queued-thing";
    private const string Down = "ann/downed-thing";
    private const string Public = "ann/public-thing";

    private readonly Stack stack = fixture.Stack;

    public sealed class Fixture(AzuriteFixture azurite) : StackFixture(azurite, new StackSettings())
    {
        internal StackApi Ann { get; private set; } = null!;

        internal StackApi Eve { get; private set; } = null!;

        internal VersionReference Hidden { get; private set; } = null!;

        internal VersionReference Seen { get; private set; } = null!;

        internal RepositoryDraft Begun { get; private set; } = null!;

        public override async ValueTask InitializeAsync()
        {
            await base.InitializeAsync();
            (Ann, Eve) = (await Stack.AccountAsync("ann"), await Stack.AccountAsync("eve"));
            Hidden = await Ann.PublishedAsync(Secret, StackAdapters.Files(1), isPrivate: true);
            Seen = await Ann.PublishedAsync(Public, StackAdapters.Files(2));
            await Ann.PublishedAsync(Down, StackAdapters.Files(3), isPrivate: true);
            await Stack.Admin.PostAsync<TakedownView>($"/adapters/{Down}/takedown", new TakedownRequest("legal", "A court said so."), 200);

            var now = DateTimeOffset.UtcNow;
            Begun = await DraftAsync(null, now);
            await Stack.Storage.Repositories.AddAsync(new(AdapterId.Parse(Draft), false, now, Begun, null, default));
            await Stack.Storage.Repositories.AddAsync(new(AdapterId.Parse(Pending), false, now, null, new(new string('a', 40), new string('b', 32), now), default));
            await Stack.Storage.Repositories.AddAsync(new(AdapterId.Parse(Public), false, now, await DraftAsync(Seen.Id, now), null, default));
        }

        private async Task<RepositoryDraft> DraftAsync(string? upon, DateTimeOffset now)
        {
            var bytes = Encoding.UTF8.GetBytes($"# Draft upon {upon}\n");
            await Stack.Storage.Content.PutAsync(Digest.Of(bytes), bytes);
            var manifest = VersionManifest.Create([new("README.md", Digest.Of(bytes), bytes.Length, GitBlobHash.Of(bytes))], upon);
            return new(manifest.Id, upon, manifest.Files, "First words", now);
        }
    }

    [Fact]
    public Task Strangers_get_of_what_is_hidden_what_they_get_of_nothing() => stack.RunAsync(async () =>
    {
        foreach (var caller in new[] { stack.Anonymous, fixture.Eve })
        {
            foreach (var hidden in new[] { Secret, Draft, Pending, Down })
            {
                foreach (var (method, route) in Routes(hidden))
                {
                    var (secret, absent) = (await AskAsync(caller, method, route), await AskAsync(caller, method, route.Replace(hidden, Absent, StringComparison.Ordinal)));
                    Assert.Equal(404, secret.Status);
                    Assert.Equal(absent.Status, secret.Status);
                    Assert.Equal(absent.Body.Replace(Absent, hidden, StringComparison.Ordinal), secret.Body);
                    Assert.Equal(
                        absent.Headers.Select(h => $"{h.Key}: {h.Value.Replace(Absent, hidden, StringComparison.Ordinal)}").Order(StringComparer.Ordinal),
                        secret.Headers.Select(h => $"{h.Key}: {h.Value}").Order(StringComparer.Ordinal));
                }
            }

            Assert.Equal([Public], await caller.PagesAsync("/api/models?author=ann", m => m.Text("id")));
            Assert.Empty(await caller.PagesAsync("/api/models?search=secret&sort=createdAt", m => m.Text("id")));
        }
    });

    [Fact]
    public Task The_owner_sees_what_is_private_and_what_is_no_version_yet() => stack.RunAsync(async () =>
    {
        foreach (var caller in new[] { fixture.Ann, stack.Admin })
        {
            Assert.True((await caller.JsonAsync($"/api/models/{Secret}")).GetProperty("private").GetBoolean());
            foreach (var revision in new[] { "main", fixture.Begun.Commit })
            {
                var info = await caller.JsonAsync($"/api/models/{Draft}/revision/{revision}");
                Assert.Equal((fixture.Begun.Commit, "README.md"), (info.Text("sha"), Assert.Single(info.GetProperty("siblings").EnumerateArray()).Text("rfilename")));
                Assert.Equal("# Draft upon \n", (await caller.AtAsync(HttpMethod.Get, $"/{Draft}/resolve/{revision}/README.md")).Body);
                Assert.Equal(["README.md"], (await caller.JsonAsync($"/api/models/{Draft}/tree/{revision}?expand=true")).EnumerateArray().Select(e => e.Text("path")));
            }

            Assert.Equal("First words", (await caller.JsonAsync($"/api/models/{Draft}/commits/main")).EnumerateArray().Single().Text("title"));
            Assert.Equal(VersionManifest.Create([], null).Id, (await caller.JsonAsync($"/api/models/{Pending}")).Text("sha"));
            Assert.Equal([Public, Secret], await caller.PagesAsync("/api/models?author=ann", m => m.Text("id")));
        }
    });

    [Fact]
    public Task A_draft_upon_a_version_is_main_for_who_may_write_and_nothing_for_others() => stack.RunAsync(async () =>
    {
        var draft = (await fixture.Ann.JsonAsync($"/api/models/{Public}")).Text("sha");
        Assert.NotEqual(fixture.Seen.Id, draft);
        Assert.Equal([draft, fixture.Seen.Id], (await fixture.Ann.JsonAsync($"/api/models/{Public}/commits/main")).EnumerateArray().Select(c => c.Text("id")));
        foreach (var caller in new[] { stack.Anonymous, fixture.Eve })
        {
            Assert.Equal(fixture.Seen.Id, (await caller.JsonAsync($"/api/models/{Public}")).Text("sha"));
            var (hidden, absent) = (await caller.AtAsync(HttpMethod.Get, $"/api/models/{Public}/revision/{draft}"), await caller.AtAsync(HttpMethod.Get, $"/api/models/{Public}/revision/{new string('0', 40)}"));
            Assert.Equal((404, "RevisionNotFound"), (hidden.Status, hidden.Headers["X-Error-Code"]));
            Assert.Equal(absent.Body.Replace(new string('0', 40), draft, StringComparison.Ordinal), hidden.Body);
            Assert.Equal([fixture.Seen.Id], (await caller.JsonAsync($"/api/models/{Public}/commits/main")).EnumerateArray().Select(c => c.Text("id")));
            Assert.Equal(fixture.Seen.Id, (await caller.JsonAsync($"/api/models/{Public}/refs")).GetProperty("branches")[0].Text("targetCommit"));
        }
    });

    [Fact]
    public Task What_was_taken_down_is_disabled_with_the_next_request() => stack.RunAsync(async () =>
    {
        var version = await fixture.Eve.PublishedAsync("eve/withdrawn", StackAdapters.Files(9));
        foreach (var (method, route) in Routes("eve/withdrawn"))
            Assert.InRange((await AskAsync(stack.Anonymous, method, route.Replace(fixture.Hidden.Id, version.Id, StringComparison.Ordinal))).Status, 200, 302);
        await stack.Admin.PostAsync<TakedownView>("/adapters/eve/withdrawn/takedown", new TakedownRequest("legal", "A court said so."), 200);
        foreach (var caller in new[] { stack.Anonymous, fixture.Eve, stack.Admin })
        {
            foreach (var (method, route) in Routes("eve/withdrawn"))
            {
                var answer = await AskAsync(caller, method, route.Replace(fixture.Hidden.Id, version.Id, StringComparison.Ordinal));
                Assert.Equal((403, "Access to this resource is disabled."), (answer.Status, answer.Headers["X-Error-Message"]));
            }

            Assert.Empty(await caller.PagesAsync("/api/models?author=eve", m => m.Text("id")));
        }

        Assert.Equal(403, (await fixture.Ann.AtAsync(HttpMethod.Get, $"/api/models/{Down}")).Status);
        Assert.Equal(200, (await stack.Admin.SendAsync(HttpMethod.Delete, "/adapters/eve/withdrawn/takedown")).Status);
        Assert.Equal(version.Id, (await stack.Anonymous.JsonAsync("/api/models/eve/withdrawn")).Text("sha"));
    });

    [Fact]
    public Task A_key_that_was_revoked_is_refused_with_the_next_request() => stack.RunAsync(async () =>
    {
        var made = await fixture.Ann.PostAsync<KeyView>("/keys", new CreateKeyRequest("brief", "read", null), 201);
        var brief = stack.Caller(made.Token);
        Assert.Equal(200, (await brief.AtAsync(HttpMethod.Get, $"/api/models/{Secret}")).Status);
        await fixture.Ann.SendAsync(HttpMethod.Delete, $"/keys/{made.Id}");
        var refused = await brief.AtAsync(HttpMethod.Get, $"/api/models/{Secret}");
        Assert.Equal((401, false), (refused.Status, refused.Headers.ContainsKey("X-Error-Code")));
    });

    private IEnumerable<(HttpMethod Method, string Route)> Routes(string id) =>
    [
        (HttpMethod.Get, $"/api/models/{id}"),
        (HttpMethod.Get, $"/api/models/{id}/revision/main"),
        (HttpMethod.Get, $"/api/models/{id}/revision/{fixture.Hidden.Id}"),
        (HttpMethod.Get, $"/api/models/{id}/revision/main-rank1"),
        (HttpMethod.Get, $"/api/models/{id}/revision/main-serving"),
        (HttpMethod.Get, $"/api/models/{id}/tree/main"),
        (HttpMethod.Get, $"/api/models/{id}/refs"),
        (HttpMethod.Get, $"/api/models/{id}/commits/main"),
        (HttpMethod.Post, $"/api/models/{id}/paths-info/main"),
        (HttpMethod.Get, $"/{id}/resolve/main/adapter_config.json"),
        (HttpMethod.Head, $"/{id}/resolve/main/adapter_config.json"),
        (HttpMethod.Get, $"/{id}/raw/{fixture.Hidden.Id}/adapter_model.safetensors"),
    ];

    private static Task<StackAnswer> AskAsync(StackApi caller, HttpMethod method, string route) =>
        caller.AtAsync(method, route, method == HttpMethod.Post ? new { paths = new[] { "adapter_config.json" } } : null);
}
