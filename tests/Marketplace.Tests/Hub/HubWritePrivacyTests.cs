using Marketplace.Core;
using Marketplace.Core.Api;
using Marketplace.Functions;
using Marketplace.Storage;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Hub;

/// <summary>To a stranger, what it may not see answers every function of the Hub's protocol that writes, or is asked before writing, as a name does that nobody has.</summary>
public sealed class HubWritePrivacyTests(HubWritePrivacyTests.Fixture fixture) : IClassFixture<HubWritePrivacyTests.Fixture>
{
    private static readonly string[] Hidden = ["secretone", "drafttwo0", "pending00", "emptyfour", "downfive0"];

    private readonly Stack stack = fixture.Stack;

    public sealed class Fixture(AzuriteFixture azurite) : StackFixture(azurite, new StackSettings())
    {
        internal IReadOnlyList<StackApi> Strangers { get; private set; } = [];

        internal StackApi Ann { get; private set; } = null!;

        public override async ValueTask InitializeAsync()
        {
            await base.InitializeAsync();
            Ann = await Stack.AccountAsync("ann");
            Strangers = [await Stack.AccountAsync("bob"), Stack.Anonymous];
            await Ann.PublishedAsync("ann/secretone", StackAdapters.Files(1), isPrivate: true);
            await Ann.AtAsync(HttpMethod.Post, "/api/models/ann/secretone/tag/main", new { tag = "stable" });
            await Ann.CreatedAsync("ann/drafttwo0");
            await Ann.CommittedAsync("ann/drafttwo0", new HubLines().File("x.txt", [1]));
            await Ann.CreatedAsync("ann/emptyfour");
            await Ann.CreatedAsync("ann/pending00");
            var record = (await Stack.Storage.Repositories.GetAsync(AdapterId.Parse("ann/pending00")))!;
            await Stack.Storage.Repositories.UpdateAsync(record with { Pending = new PendingCommit(new string('c', 40), UploadStore.NewId(), DateTimeOffset.UtcNow) });
            await Ann.PublishedAsync("ann/downfive0", StackAdapters.Files(2), isPrivate: true);
            await Stack.Admin.PostAsync<TakedownView>("/adapters/ann/downfive0/takedown", new TakedownRequest("other"), 200);
            await Ann.PublishedAsync("ann/publicsix", StackAdapters.Files(3));
            await Stack.Admin.PostAsync<TakedownView>("/adapters/ann/publicsix/takedown", new TakedownRequest("other"), 200);
        }
    }

    /// <summary>How each function is asked about a repository.</summary>
    private static Dictionary<string, Func<StackApi, string, Task<StackAnswer>>> Asked { get; } = new()
    {
        ["HubCreateRepository"] = (api, name) => api.CreateAsync($"ann/{name}"),
        ["HubDeleteRepository"] = (api, name) => api.AtAsync(HttpMethod.Delete, "/api/repos/delete", new { name, organization = "ann" }),
        ["HubMoveRepository"] = (api, name) => api.AtAsync(HttpMethod.Post, "/api/repos/move", new { fromRepo = $"ann/{name}", toRepo = "bob/mine" }),
        ["HubUpdateSettings"] = (api, name) => api.AtAsync(HttpMethod.Put, $"/api/models/ann/{name}/settings", new { visibility = "public" }),
        ["HubCheckAccess"] = (api, name) => api.AtAsync(HttpMethod.Get, $"/api/models/ann/{name}/auth-check"),
        ["HubCheckWriteAccess"] = (api, name) => api.AtAsync(HttpMethod.Get, $"/api/models/ann/{name}/auth-check/write"),
        ["HubPreupload"] = (api, name) => api.AtAsync(HttpMethod.Post, $"/api/models/ann/{name}/preupload/main", new { files = new[] { new { path = "x.txt", size = 1 } } }),
        ["HubLfsBatch"] = (api, name) => api.BatchAsync($"ann/{name}", (new string('a', 64), 10)),
        ["HubCommit"] = (api, name) => api.CommitAsync($"ann/{name}", new HubLines().File("x.txt", [1])),
        ["HubCreateTag"] = (api, name) => api.AtAsync(HttpMethod.Post, $"/api/models/ann/{name}/tag/main", new { tag = "mine" }),
        ["HubDeleteTag"] = (api, name) => api.AtAsync(HttpMethod.Delete, $"/api/models/ann/{name}/tag/stable"),
        ["HubCreateBranch"] = (api, name) => api.AtAsync(HttpMethod.Post, $"/api/models/ann/{name}/branch/dev", new { }),
        ["HubDeleteBranch"] = (api, name) => api.AtAsync(HttpMethod.Delete, $"/api/models/ann/{name}/branch/main"),
        ["HubXetToken"] = (api, name) => api.AtAsync(HttpMethod.Get, $"/api/models/ann/{name}/xet-write-token/main"),
    };

    public static TheoryData<string> Functions => [.. Asked.Keys];

    [Fact]
    public void Every_function_that_writes_is_asked() =>
        Assert.Empty(FunctionTable.Hub.Where(f => f.Writes).Select(f => f.Name).Except(Asked.Keys));

    [Theory]
    [MemberData(nameof(Functions))]
    public Task A_stranger_learns_nothing(string function) => stack.RunAsync(async () =>
    {
        foreach (var stranger in fixture.Strangers)
        {
            var nobodys = Plain(await Asked[function](stranger, "nothing00"), "nothing00");
            foreach (var hidden in Hidden)
                Assert.Equal(nobodys, Plain(await Asked[function](stranger, hidden), hidden));
        }
    });

    [Fact]
    public Task What_was_taken_down_is_disabled_to_who_may_know() => stack.RunAsync(async () =>
    {
        Assert.Equal("Access to this resource is disabled.", (await fixture.Ann.CommitAsync("ann/publicsix", new HubLines().File("x.txt", [1]))).Refusal(403));
        Assert.Equal("Access to this resource is disabled.", (await fixture.Ann.CreateAsync("ann/downfive0")).Refusal(403));
        (await fixture.Ann.BatchAsync("ann/publicsix", (new string('a', 64), 10))).Refusal(403);
    });

    // All names have the same length.
    private static string Plain(StackAnswer answer, string name) =>
        $"{answer.Status} {string.Join(';', answer.Headers.OrderBy(h => h.Key).Select(h => $"{h.Key}={h.Value}"))} {answer.Body}".Replace(name, "NAME", StringComparison.Ordinal);
}
