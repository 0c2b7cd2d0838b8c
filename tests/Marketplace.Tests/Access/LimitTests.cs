using System.Net;
using System.Text;
using Marketplace.Core.Api;
using Marketplace.Functions.Http;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Access;

/// <summary>How much an account may send, and how much it may have.</summary>
public sealed class LimitTests(LimitTests.Fixture fixture) : IClassFixture<LimitTests.Fixture>
{
    private readonly Stack stack = fixture.Stack;

    // A bucket of two needs half a minute for the next request, so that a slow machine changes nothing.
    public sealed class Fixture(AzuriteFixture azurite) : StackFixture(azurite, new StackSettings
    {
        Environment = new Dictionary<string, string>
        {
            ["Marketplace__Limits__ExpensivePerMinute"] = "2",
            ["Marketplace__Limits__FailuresPerMinute"] = "2",
            ["Marketplace__Limits__AdminFactor"] = "2",
            ["Marketplace__Limits__TrustedProxies"] = "1",
        },
    });

    [Fact]
    public Task An_account_that_asks_too_much_waits_and_others_do_not() => stack.RunAsync(async () =>
    {
        var (busy, again, calm) = (await stack.AccountAsync("busy"), await stack.AccountAsync("BUSY"), await stack.AccountAsync("calm"));
        Assert.Equal(400, (await PlanAsync(busy)).Status);
        Assert.Equal(400, (await PlanAsync(again)).Status);
        foreach (var caller in new[] { busy, again })
        {
            var refused = await PlanAsync(caller);
            refused.Problem(429, "too-many-requests");
            Assert.InRange(int.Parse(refused.Headers["Retry-After"]), 1, 30);
        }

        // Each cost has a limit of its own.
        await busy.GetAsync<WhoAmIView>("/whoami");
        Assert.Equal(400, (await busy.SendAsync(HttpMethod.Post, "/merges", new { })).Status);
        Assert.Equal(400, (await PlanAsync(calm)).Status);
        for (var request = 0; request < 4; request++)
            Assert.Equal(400, (await PlanAsync(stack.Admin)).Status);
        (await PlanAsync(stack.Admin)).Problem(429, "too-many-requests");
    });

    [Fact]
    public Task Who_has_no_account_is_counted_by_the_address_that_the_trusted_proxy_saw() => stack.RunAsync(async () =>
    {
        foreach (var claimed in new[] { "", "198.51.100.1, " })
            Assert.Equal(400, (await CompareAsync($"{claimed}203.0.113.7")).Status);
        (await CompareAsync("198.51.100.2, 203.0.113.7:4711")).Problem(429, "too-many-requests");
        Assert.Equal(400, (await CompareAsync("203.0.113.7, 203.0.113.8")).Status);
        // A truncated download is computed, a plain one is not.
        const string File = "/adapters/a/b/versions/main/files/adapter_config.json";
        foreach (var status in new[] { 404, 404, 429 })
            Assert.Equal(status, (await stack.Anonymous.SendAsync(HttpMethod.Get, File + "?rank=4", null, ("X-Forwarded-For", "203.0.113.9"))).Status);
        Assert.Equal(404, (await stack.Anonymous.SendAsync(HttpMethod.Get, File, null, ("X-Forwarded-For", "203.0.113.9"))).Status);
    });

    [Fact]
    public Task Keys_are_not_guessed_at_speed() => stack.RunAsync(async () =>
    {
        (string, string) from = ("X-Forwarded-For", "203.0.113.50");
        var wrong = stack.Caller("hf_" + new string('w', 37));
        var right = await stack.AccountAsync("guessed");
        for (var guess = 0; guess < 2; guess++)
            (await wrong.SendAsync(HttpMethod.Get, "/whoami", null, from)).Problem(401, "unauthenticated");
        // A part of the next attempt is back before long, and is none.
        await Task.Delay(TimeSpan.FromMilliseconds(300));
        foreach (var caller in new[] { wrong, right })
            Assert.InRange(int.Parse((await caller.SendAsync(HttpMethod.Get, "/whoami", null, from)).Headers["Retry-After"]), 1, 30);
        Assert.Equal(200, (await right.SendAsync(HttpMethod.Get, "/whoami", null, ("X-Forwarded-For", "203.0.113.51"))).Status);
        // Whoever shows no key has not guessed.
        Assert.Equal(200, (await stack.Anonymous.SendAsync(HttpMethod.Get, "/whoami", null, from)).Status);
    });

    [Theory]
    [InlineData("10.0.0.1", null, 0, "a|10.0.0.1")]
    [InlineData("10.0.0.1", "203.0.113.1", 0, "a|10.0.0.1")]
    [InlineData("10.0.0.1", "203.0.113.1", 1, "a|203.0.113.1")]
    [InlineData("10.0.0.1", "9.9.9.9, 203.0.113.1, 10.0.0.2", 2, "a|203.0.113.1")]
    [InlineData("10.0.0.1", "203.0.113.1", 2, "a|10.0.0.1")]
    [InlineData("10.0.0.1", "unknown", 1, "a|10.0.0.1")]
    [InlineData("::ffff:10.0.0.1", null, 0, "a|10.0.0.1")]
    [InlineData("::1", "[2001:db8:1:2:3:4:5:6]:443", 1, "a|20010db800010002")]
    [InlineData("::1", "2001:db8:1:2::9", 1, "a|20010db800010002")]
    public void An_address_is_the_outermost_that_can_be_trusted(string connection, string? forwarded, int proxies, string expected) =>
        Assert.Equal(expected, RateLimits.Address(IPAddress.Parse(connection), forwarded, proxies));

    [Fact]
    public Task An_account_publishes_as_much_as_it_may_and_not_more() => stack.RunAsync(async () =>
    {
        var owner = await stack.AccountAsync("small");
        var files = StackAdapters.Files(1);
        var size = files.Values.Sum(f => (long)f.Length);
        await owner.PublishedAsync("small/one", files);
        var account = await owner.GetAsync<AccountView>("/accounts/small");
        Assert.Equal((size, 1, 0, 1, 0, 0L), (account.Usage.Bytes, account.Usage.Adapters, account.Usage.Uploads, account.Usage.Keys, account.Usage.Jobs, account.Usage.EvaluationSetBytes));

        // Publishing what is there already makes no version and costs nothing.
        await owner.PublishedAsync("small/one", files);
        Assert.Equal(account.Usage, (await owner.GetAsync<AccountView>("/accounts/small")).Usage);

        await QuotaAsync("small", new(Adapters: 1));
        var refused = (await BeginAsync(owner, "small/two", 10)).Problem(403, "quota-exceeded");
        Assert.Contains("'small' may have 1 adapters; it has 1, and this adds 1.", refused.Detail, StringComparison.Ordinal);
        await owner.PublishedAsync("small/one", StackAdapters.Files(2));
        Assert.Equal(2 * size, (await owner.GetAsync<AccountView>("/accounts/small")).Usage.Bytes);

        await QuotaAsync("small", new(Bytes: (3 * size) - 1));
        (await BeginAsync(owner, "small/one", size)).Problem(403, "quota-exceeded");
        await QuotaAsync("small", new());
        (await owner.SendAsync(HttpMethod.Put, "/accounts/small/quota", new SetQuotaRequest(Bytes: 1))).Problem(403, "forbidden");
        (await stack.Admin.SendAsync(HttpMethod.Put, "/accounts/small/quota", new SetQuotaRequest(Keys: -1))).Problem(400, "invalid-request");
    });

    [Fact]
    public Task What_no_longer_fits_when_it_is_published_is_not_published() => stack.RunAsync(async () =>
    {
        var owner = await stack.AccountAsync("tight");
        await owner.PublishedAsync("tight/one", StackAdapters.Files(3));
        var ticket = await owner.StageAsync("tight/two", StackAdapters.Files(4));
        await QuotaAsync("tight", new(Bytes: 100));
        await owner.PostAsync<UploadStatus>($"/uploads/{ticket.UploadId}/complete", null, 202);
        var decided = await owner.DecidedAsync(ticket.UploadId);
        Assert.Equal(("failed", "quota-exceeded"), (decided.State, decided.Code));

        // Results of jobs count like uploads.
        var job = await owner.PostAsync<JobView>("/subtractions", new SubtractionRequest("tight/one", [new("tight/one")], new OutputRequest("tight/less"), Beta: 0.5), 202);
        var ended = await owner.EndedAsync(job.JobId);
        Assert.Equal(("failed", "quota-exceeded"), (ended.Status, ended.Code));
        (await owner.SendAsync(HttpMethod.Get, "/adapters/tight/less")).Problem(404, "not-found");
        Assert.Equal((1, 0), ((await owner.GetAsync<AccountView>("/accounts/tight")).Usage.Adapters, (await owner.GetAsync<AccountView>("/accounts/tight")).Usage.Uploads));

        await QuotaAsync("tight", new());
        Assert.Equal("succeeded", (await owner.EndedAsync((await owner.PostAsync<JobView>("/subtractions", new SubtractionRequest("tight/one", [new("tight/one")], new OutputRequest("tight/less"), Beta: 0.5), 202)).JobId)).Status);
    });

    [Fact]
    public Task Uploads_keys_jobs_and_sets_have_their_quotas() => stack.RunAsync(async () =>
    {
        var owner = await stack.AccountAsync("many");
        await QuotaAsync("many", new(Uploads: 1, Keys: 2, Jobs: 0, EvaluationSetBytes: 400));

        var first = (await BeginAsync(owner, "many/a", 10)).Read<UploadTicket>();
        (await BeginAsync(owner, "many/b", 10)).Problem(403, "quota-exceeded");
        Assert.Equal(1, (await owner.GetAsync<AccountView>("/accounts/many")).Usage.Uploads);
        Assert.Equal(204, (await owner.SendAsync(HttpMethod.Delete, $"/uploads/{first.UploadId}")).Status);
        Assert.Equal(201, (await BeginAsync(owner, "many/b", 10)).Status);

        var key = await owner.PostAsync<KeyView>("/keys", new CreateKeyRequest("second"), 201);
        (await owner.SendAsync(HttpMethod.Post, "/keys", new CreateKeyRequest("third"))).Problem(403, "quota-exceeded");
        (await stack.Admin.SendAsync(HttpMethod.Post, "/keys", new CreateKeyRequest("third", Owner: "many"))).Problem(403, "quota-exceeded");
        Assert.Equal(204, (await owner.SendAsync(HttpMethod.Delete, $"/keys/{key.Id}")).Status);
        await owner.PostAsync<KeyView>("/keys", new CreateKeyRequest("third"), 201);

        await owner.SendAsync(HttpMethod.Delete, $"/uploads/{first.UploadId}");
        var maker = await stack.AccountAsync("maker");
        await maker.PublishedAsync("maker/open", StackAdapters.Files(5));
        (await owner.SendAsync(HttpMethod.Post, "/subtractions", new SubtractionRequest("maker/open", [new("maker/open")], new OutputRequest("many/x")))).Problem(429, "too-many-requests");

        // The limit of expensive requests is two, so that no third set may be tried.
        Assert.Equal(201, (await SetAsync(owner, "many/set", 1)).Status);
        (await SetAsync(owner, "many/large", 40)).Problem(403, "quota-exceeded");
        Assert.InRange((await owner.GetAsync<AccountView>("/accounts/many")).Usage.EvaluationSetBytes, 1, 400);
        Assert.Equal(204, (await owner.SendAsync(HttpMethod.Delete, "/evaluation-sets/many/set")).Status);
        Assert.Equal(0, (await owner.GetAsync<AccountView>("/accounts/many")).Usage.EvaluationSetBytes);
    });

    private static Task<StackAnswer> PlanAsync(StackApi caller) => caller.SendAsync(HttpMethod.Post, "/merges/plan", new { });

    private Task<StackAnswer> CompareAsync(string forwarded) => stack.Anonymous.SendAsync(HttpMethod.Post, "/compatibility", new { }, ("X-Forwarded-For", forwarded));

    private static Task<StackAnswer> BeginAsync(StackApi caller, string adapter, long bytes) =>
        caller.SendAsync(HttpMethod.Post, "/uploads", new BeginUploadRequest(adapter, [new UploadFileRequest("adapter_config.json", bytes)]));

    private async Task QuotaAsync(string owner, SetQuotaRequest request)
    {
        var answer = await stack.Admin.SendAsync(HttpMethod.Put, $"/accounts/{owner}/quota", request);
        Assert.Equal((200, request), (answer.Status, answer.Read<AccountView>().Set));
    }

    private static Task<StackAnswer> SetAsync(StackApi caller, string set, int items)
    {
        var lines = new StringBuilder("{\"evaluationSet\":1,\"kind\":\"multipleChoice\"}\n");
        for (var item = 0; item < items; item++)
            lines.Append($"{{\"prompt\":\"Question {item}\",\"choices\":[\"yes\",\"no\"],\"answer\":0}}\n");
        return caller.SendAsync(HttpMethod.Post, $"/evaluation-sets?set={set}", new StringContent(lines.ToString(), Encoding.UTF8, "application/jsonl"));
    }
}
