using Marketplace.Core.Api;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.EndToEnd;

/// <summary>Subspaces for training, over HTTP.</summary>
public sealed class SubspaceTests(SubspaceTests.Fixture fixture) : IClassFixture<SubspaceTests.Fixture>
{
    private const string Route = "/base-models/subspaces";

    private readonly Stack stack = fixture.Stack;

    public sealed class Fixture(AzuriteFixture azurite) : StackFixture(azurite, new StackSettings());

    [Fact]
    public Task A_trainer_gets_for_each_module_what_makes_its_factor_A() => stack.RunAsync(async () =>
    {
        var ann = await stack.AccountAsync("ann");
        var bob = await stack.AccountAsync("bob");
        var request = new AllocateSubspacesRequest("ann/x", "org/base", 3, [new("q", 10), new("v", 16)]);
        var first = await ann.PostAsync<AllocateSubspacesResponse>(Route, request, 200);
        Assert.Equal(["q", "v"], first.Subspaces.Select(s => s.Module));
        Assert.All(first.Subspaces, s => Assert.Equal((3, s.In), (s.LoraA().Rows, s.LoraA().Columns)));
        Assert.Equal(first.Subspaces, (await ann.PostAsync<AllocateSubspacesResponse>(Route, request, 200)).Subspaces);
        var second = await bob.PostAsync<AllocateSubspacesResponse>(Route, request with { Adapter = "bob/x" }, 200);
        Assert.Empty(first.Subspaces[0].Columns.Intersect(second.Subspaces[0].Columns));
        (await ann.SendAsync(HttpMethod.Post, Route, request with { Rank = 4 })).Problem(409, "conflict");
    });

    [Fact]
    public Task What_can_not_be_allocated_is_refused_with_its_place() => stack.RunAsync(async () =>
    {
        var ann = await stack.AccountAsync("ann");
        var request = new AllocateSubspacesRequest("ann/x", "org/base", 3, [new("q", 10)]);
        (await stack.Anonymous.SendAsync(HttpMethod.Post, Route, request)).Problem(401, "unauthenticated");
        (await ann.SendAsync(HttpMethod.Post, Route, request with { Adapter = "bob/x" })).Problem(403, "forbidden");
        foreach (var (wrong, paths) in new (AllocateSubspacesRequest, string[])[]
        {
            (request with { Adapter = "x" }, ["adapter"]),
            (request with { BaseModel = "/home/ann/base" }, ["baseModel"]),
            (request with { Rank = 0, Modules = [] }, ["rank", "modules"]),
            (request with { Modules = [new("q", 10), new("q", 0), new(" ", 1)] }, ["modules[1].name", "modules[1].in", "modules[2].name"]),
        })
        {
            Assert.Equal(paths, (await ann.SendAsync(HttpMethod.Post, Route, wrong)).Problem(400, "invalid-request").Issues!.Select(i => i.Path));
        }
    });
}
