using Marketplace.Core;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Hub;

/// <summary>What a process that knows nothing tells of commits that another one made.</summary>
public sealed class HubRestartTests(HubRestartTests.Fixture fixture) : IClassFixture<HubRestartTests.Fixture>
{
    private readonly Stack stack = fixture.Stack;

    public sealed class Fixture(AzuriteFixture azurite) : StackFixture(azurite, new StackSettings());

    [Fact]
    public Task A_variant_that_was_lost_comes_back_as_the_same_commit() => stack.RunAsync(async () =>
    {
        var files = new[] { RepositoryPath.Config, RepositoryPath.Weights }.ToDictionary(n => n, n => File.ReadAllBytes(Path.Combine(Fixtures.Adapter("llama/patterns"), n)));
        var ann = await stack.AccountAsync("ann");
        await ann.PublishedAsync("ann/lost", files);
        foreach (var form in new[] { "rank1", "serving" })
        {
            var commit = (await stack.Anonymous.JsonAsync($"/api/models/ann/lost/revision/main-{form}")).Text("sha");
            var weights = await WeightsAsync(commit);
            await stack.Storage.Derived.DeleteAllAsync(Digest.Of(files[RepositoryPath.Weights]), TestContext.Current.CancellationToken);
            await stack.Functions.KillAsync();
            await stack.StartFunctionsAsync();
            Assert.Equal(weights, await WeightsAsync(commit));
        }
    });

    private async Task<byte[]> WeightsAsync(string commit)
    {
        using var http = new HttpClient { BaseAddress = stack.Address };
        return await http.GetByteArrayAsync($"/ann/lost/resolve/{commit}/{RepositoryPath.Weights}", TestContext.Current.CancellationToken);
    }
}
