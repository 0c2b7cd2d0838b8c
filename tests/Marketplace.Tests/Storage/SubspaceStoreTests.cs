using Marketplace.Core.Merges;
using Marketplace.Core.Methods;
using Marketplace.Storage;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Storage;

public sealed class SubspaceStoreTests(AzuriteFixture azurite) : StorageTest(azurite)
{
    [Fact]
    public async Task Adapters_get_disjoint_vectors_of_one_basis_until_there_are_none()
    {
        var one = await AllocatedAsync("ann/one", 48, 20);
        var two = await AllocatedAsync("bob/two", 48, 20);
        Assert.Equal((one.Basis, one.Seed), (two.Basis, two.Seed));
        Assert.InRange(Crosstalk.Of(one.LoraA(), two.LoraA()), 0, 1e-12);
        Assert.Equal(8, Assert.IsType<AllocateOutcome.Exhausted>(await AllocateAsync("bob/three", 48, 9)).Free);
        Assert.Equal(8, await Storage.Subspaces.FreeAsync("ORG/base", "q", 48, Ct));
        Assert.Equal(8, (await AllocatedAsync("bob/three", 48, 8)).Columns.Length);
    }

    [Fact]
    public async Task An_adapter_that_asks_again_has_what_it_had()
    {
        var one = await AllocatedAsync("ann/one", 16, 10);
        Assert.Equal(one, await AllocatedAsync("Ann/One", 16, 10));
        Assert.Equal(10, Assert.IsType<AllocateOutcome.OtherRank>(await AllocateAsync("ann/one", 16, 4)).Rank);
        Assert.Equal(6, await Storage.Subspaces.FreeAsync("org/base", "q", 16, Ct));
    }

    [Fact]
    public async Task Modules_sizes_and_base_models_have_bases_of_their_own()
    {
        await AllocatedAsync("ann/one", 4, 4);
        foreach (var (model, module, size) in new[] { ("org/base", "k", 4), ("org/base", "q", 8), ("org/other", "q", 4) })
            Assert.IsType<AllocateOutcome.Allocated>(await Storage.Subspaces.AllocateAsync(model, Id("ann/two"), module, size, 4, Ct));
    }

    [Fact]
    public async Task Processes_that_allocate_at_once_share_nothing()
    {
        MarketplaceStorage[] processes = [Storage, SecondProcess()];
        var outcomes = await Task.WhenAll(Enumerable.Range(0, 12).Select(i =>
            processes[i % 2].Subspaces.AllocateAsync("org/base", Id($"ann/a{i}"), "q", 40, 4, Ct)));
        var columns = outcomes.OfType<AllocateOutcome.Allocated>().SelectMany(o => o.Subspace.Columns).ToList();
        Assert.Equal(Enumerable.Range(0, 40), columns.Order());
        Assert.Equal(2, outcomes.OfType<AllocateOutcome.Exhausted>().Count());
    }

    private Task<AllocateOutcome> AllocateAsync(string adapter, int size, int rank) =>
        Storage.Subspaces.AllocateAsync("org/base", Id(adapter), "q", size, rank, Ct);

    private async Task<Subspace> AllocatedAsync(string adapter, int size, int rank) =>
        Assert.IsType<AllocateOutcome.Allocated>(await AllocateAsync(adapter, size, rank)).Subspace;
}
