using System.Text.Json.Nodes;
using Marketplace.Core.Api;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Hub;

/// <summary>A repository that was created private is private however its first version comes.</summary>
public sealed class HubFirstVersionTests(HubFirstVersionTests.Fixture fixture) : IClassFixture<HubFirstVersionTests.Fixture>
{
    private readonly Stack stack = fixture.Stack;

    public sealed class Fixture(AzuriteFixture azurite) : StackFixture(azurite, new StackSettings());

    [Fact]
    public Task An_upload_of_the_api_keeps_the_privacy_that_the_repository_was_created_with() => stack.RunAsync(async () =>
    {
        var owner = await stack.AccountAsync("ann");
        var stranger = await stack.AccountAsync("bob");
        foreach (var (name, isPrivate) in new[] { ("hidden", true), ("open", false) })
        {
            var body = new JsonObject { ["name"] = name, ["organization"] = "ann", ["private"] = isPrivate };
            Assert.Equal(200, (await owner.AtAsync(HttpMethod.Post, "/api/repos/create", body)).Status);
            await owner.PublishedAsync($"ann/{name}", StackAdapters.Files(1));
            Assert.Equal(isPrivate, (await owner.GetAsync<AdapterView>($"/adapters/ann/{name}")).Private);
            Assert.Equal(isPrivate ? 404 : 200, (await stranger.AtAsync(HttpMethod.Get, $"/api/models/ann/{name}")).Status);
        }
    });

    [Fact]
    public Task A_public_result_does_not_go_where_something_private_was_begun() => stack.RunAsync(async () =>
    {
        var owner = await stack.AccountAsync("ann");
        await owner.PublishedAsync("ann/input", StackAdapters.Files(2));
        Assert.Equal(200, (await owner.AtAsync(HttpMethod.Post, "/api/repos/create", new JsonObject { ["name"] = "result", ["visibility"] = "private" })).Status);
        JsonObject Recipe(bool isPrivate) => new()
        {
            ["method"] = "linear",
            ["inputs"] = new JsonArray(new JsonObject { ["adapter"] = "ann/input" }),
            ["output"] = new JsonObject { ["adapter"] = "ann/result", ["private"] = isPrivate },
        };
        (await owner.SendAsync(HttpMethod.Post, "/merges", Recipe(false))).Problem(409, "conflict");
        Assert.Equal(202, (await owner.SendAsync(HttpMethod.Post, "/merges", Recipe(true))).Status);
    });

    [Fact]
    public Task Nor_do_the_public_results_of_a_batch() => stack.RunAsync(async () =>
    {
        var owner = await stack.AccountAsync("ann");
        await owner.PublishedAsync("ann/target", StackAdapters.Files(3));
        await owner.PublishedAsync("ann/general", StackAdapters.Files(4));
        Assert.Equal(200, (await owner.AtAsync(HttpMethod.Post, "/api/repos/create", new JsonObject { ["name"] = "target-clean", ["private"] = true })).Status);
        SubtractionBatchRequest Batch(bool isPrivate) => new([new("ann/general", 1)], new("ann/clean", "{name}-clean", isPrivate), Targets: ["ann/target"]);
        Assert.Contains("ann/target-clean", (await owner.SendAsync(HttpMethod.Post, "/subtractions/batch", Batch(false))).Problem(409, "conflict").Detail, StringComparison.Ordinal);
        var job = await owner.EndedAsync((await owner.PostAsync<JobView>("/subtractions/batch", Batch(true), 202)).JobId);
        Assert.Equal("succeeded", job.Status);
        Assert.True((await owner.GetAsync<AdapterView>("/adapters/ann/target-clean")).Private);
    });
}
