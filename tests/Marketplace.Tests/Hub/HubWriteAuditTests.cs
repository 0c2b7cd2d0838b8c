using Marketplace.Core.Api;
using Marketplace.Functions;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Hub;

/// <summary>Every function of the Hub's protocol that writes leaves an event; those that only refuse leave none.</summary>
public sealed class HubWriteAuditTests(HubWriteAuditTests.Fixture fixture) : IClassFixture<HubWriteAuditTests.Fixture>
{
    private readonly Stack stack = fixture.Stack;

    public sealed class Fixture(AzuriteFixture azurite) : StackFixture(azurite, new StackSettings())
    {
        internal StackApi Ann { get; private set; } = null!;

        public override async ValueTask InitializeAsync()
        {
            await base.InitializeAsync();
            Ann = await Stack.AccountAsync("ann");
            await Ann.PublishedAsync("ann/one", StackAdapters.Files(1));
            await Ann.CreatedAsync("ann/draft");
        }
    }

    private sealed record Left(string Action, string Subject);

    private static Dictionary<string, Func<StackApi, Task<Left?>>> Writes { get; } = new()
    {
        ["HubCreateRepository"] = api => DoneAsync(api.CreateAsync("ann/created"), new("hub-create-repository", "ann/created")),
        ["HubDeleteRepository"] = async api =>
        {
            await api.CreatedAsync("ann/deleted");
            return await DoneAsync(api.AtAsync(HttpMethod.Delete, "/api/repos/delete", new { name = "deleted", organization = "ann" }), new("delete", "ann/deleted"));
        },
        ["HubMoveRepository"] = api => RefusedAsync(api.AtAsync(HttpMethod.Post, "/api/repos/move", new { fromRepo = "ann/one", toRepo = "ann/two" })),
        ["HubUpdateSettings"] = api => DoneAsync(api.AtAsync(HttpMethod.Put, "/api/models/ann/one/settings", new { visibility = "public" }), new("hub-update-settings", "ann/one")),
        ["HubLfsBatch"] = api => DoneAsync(api.BatchAsync("ann/draft", (new string('a', 64), 10)), new("hub-lfs-batch", "ann/draft")),
        ["HubCommit"] = api => DoneAsync(api.CommitAsync("ann/draft", new HubLines().File("x.txt", [1])), new("hub-commit", "ann/draft")),
        ["HubCreateTag"] = api => DoneAsync(api.AtAsync(HttpMethod.Post, "/api/models/ann/one/tag/main", new { tag = "stable" }), new("hub-create-tag", "ann/one#stable")),
        ["HubDeleteTag"] = async api =>
        {
            await api.AtAsync(HttpMethod.Post, "/api/models/ann/one/tag/main", new { tag = "brief" });
            return await DoneAsync(api.AtAsync(HttpMethod.Delete, "/api/models/ann/one/tag/brief"), new("hub-delete-tag", "ann/one#brief"));
        },
        ["HubCreateBranch"] = api => RefusedAsync(api.AtAsync(HttpMethod.Post, "/api/models/ann/one/branch/dev", new { })),
        ["HubDeleteBranch"] = api => RefusedAsync(api.AtAsync(HttpMethod.Delete, "/api/models/ann/one/branch/main")),
    };

    public static TheoryData<string> Writers => [.. FunctionTable.Hub.Where(f => f.Writes).Select(f => f.Name)];

    [Theory]
    [MemberData(nameof(Writers))]
    public Task A_function_that_writes_leaves_an_event(string function) => stack.RunAsync(async () =>
    {
        Assert.True(Writes.TryGetValue(function, out var write), $"Nobody has thought about what {function} leaves in the audit.");
        if (await write(fixture.Ann) is not { } left)
        {
            Assert.Empty((await stack.Admin.GetAsync<ListResponse<AuditEventView>>($"/audit?action=hub-{function[3..].ToLowerInvariant()}")).Items);
            return;
        }

        var found = (await stack.Admin.EventuallyAsync<ListResponse<AuditEventView>>($"/audit?action={left.Action}&actor=ann&subject={Uri.EscapeDataString(left.Subject)}", list => list.Items.Count > 0)).Items[0];
        Assert.StartsWith("key:", found.Via, StringComparison.Ordinal);
    });

    [Fact]
    public Task A_commit_that_publishes_is_told_as_the_publication_it_is_and_one_that_changes_nothing_not_at_all() => stack.RunAsync(async () =>
    {
        var bob = await stack.AccountAsync("bob");
        var files = StackAdapters.Files(2);
        await bob.CreatedAsync("bob/told");
        var commit = await bob.CommittedAsync("bob/told", new HubLines().Files(files));
        await bob.CommittedAsync("bob/told", new HubLines().Files(files));
        var events = (await stack.Admin.EventuallyAsync<ListResponse<AuditEventView>>("/audit?actor=bob", list => list.Items.Count > 1)).Items;
        Assert.Equal([("publish", "bob/told@1", commit), ("hub-create-repository", "bob/told", null)], events.Select(e => (e.Action, e.Subject, e.Detail)));
        Assert.All(events, e => Assert.StartsWith("key:", e.Via, StringComparison.Ordinal));
    });

    private static async Task<Left?> DoneAsync(Task<StackAnswer> call, Left left)
    {
        var answer = await call;
        Assert.True(answer.Status == 200, $"{answer.Status}: {answer.Body}");
        return left;
    }

    private static async Task<Left?> RefusedAsync(Task<StackAnswer> call)
    {
        (await call).Refusal(400);
        return null;
    }
}
