using System.Text.Json;
using Marketplace.Core.Api;
using Marketplace.Tests.EndToEnd;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Routers;

/// <summary>What is too large for routers, in a stack whose limits are small.</summary>
public sealed class RouterLimitTests(RouterLimitTests.World world) : IClassFixture<RouterLimitTests.World>
{
    private const string Q = "model.layers.0.self_attn.q_proj";

    private readonly Stack stack = world.Stack;

    public sealed class World(AzuriteFixture azurite) : StackFixture(azurite, new StackSettings
    {
        Environment = new Dictionary<string, string>
        {
            // Two adapters of four modules with inputs of size 8 have 256 bytes of prototypes.
            ["Marketplace__MaxRouterBytes"] = "256",
            ["Marketplace__MaxRoutedWork"] = "1000",
            ["Marketplace__MaxRoutedCoefficients"] = "20",
        },
    })
    {
        internal StackApi Owner { get; private set; } = null!;

        public override async ValueTask InitializeAsync()
        {
            await base.InitializeAsync();
            Owner = await Stack.AccountAsync("ann");
            foreach (var seed in new[] { 1, 2, 3 })
                await Owner.PublishedAsync($"ann/small-{seed}", StackAdapters.Files(seed));
            var dora = new[] { "adapter_config.json", "adapter_model.safetensors" }.ToDictionary(n => n, n => File.ReadAllBytes(Path.Combine(Fixtures.Adapter("llama/dora"), n)));
            await Owner.PublishedAsync("ann/dora", dora);
        }
    }

    [Theory]
    [InlineData("[router-too-large]", "ann/small-1", "ann/small-2", "ann/small-3")]
    [InlineData("[dora-not-mergeable] ann/dora@1:", "ann/dora")]
    public Task A_router_that_can_t_be_made_is_a_failed_job_that_says_why(string reason, params string[] adapters) => stack.RunAsync(async () =>
    {
        var job = await world.Owner.EndedAsync((await world.Owner.PostAsync<JobView>("/routers", new RouterRequest(adapters), 202)).JobId);
        Assert.Equal(("failed", "not-routable"), (job.Status, job.Code));
        Assert.Contains(reason, job.Detail);
    });

    [Fact]
    public Task Tokens_that_are_too_much_are_refused() => stack.RunAsync(async () =>
    {
        var job = await PrivacyWorld.EndedAsync(world.Owner, "/routers", new RouterRequest(["ann/small-1", "ann/small-2"]));
        var id = JsonSerializer.Deserialize<RouterResult>(job.Result!.Value, ApiJson.Options)!.RouterId;
        foreach (var (tokens, query, code) in new[] { (10, "", null), (11, "", "answer-too-large"), (11, "?topK=1", null), (21, "?average=true", null), (70, "?average=true", "too-much-work") })
        {
            var body = new RouteRequest(new Dictionary<string, IReadOnlyList<IReadOnlyList<double>>> { [Q] = [.. Enumerable.Repeat(new double[] { 1, 2, 3, 4, 5, 6, 7, 8 }, tokens)] });
            var answer = await world.Owner.SendAsync(HttpMethod.Post, $"/routers/{id}/route{query}", body);
            if (code is null)
                Assert.Equal(200, answer.Status);
            else
                Assert.Equal(code, Assert.Single(answer.Problem(400, "invalid-request").Issues!).Code);
        }
    });
}
