using Marketplace.Core;
using Marketplace.Core.Api;
using Marketplace.Core.Formats;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Routers;

/// <summary>A library's diverse subset over HTTP.</summary>
public sealed class DiverseApiTests(DiverseApiTests.World world) : IClassFixture<DiverseApiTests.World>
{
    private readonly Stack stack = world.Stack;

    public sealed class World(AzuriteFixture azurite) : StackFixture(azurite, new StackSettings { Environment = new Dictionary<string, string> { ["Marketplace__MaxDiverseLibrary"] = "9" } })
    {
        internal StackApi Owner { get; private set; } = null!;

        public override async ValueTask InitializeAsync()
        {
            await base.InitializeAsync();
            Owner = await Stack.AccountAsync("ann");
            foreach (var (name, seed) in new[] { ("a", 1), ("a-copy", 1), ("b", 2), ("c", 3) })
                await Owner.PublishedAsync($"ann/{name}", StackAdapters.Files(seed));
            await Owner.PublishedAsync("ann/hidden", StackAdapters.Files(4), isPrivate: true);
            await Owner.PublishedAsync("ann/zero", Zero());
            for (var i = 0; i < 10; i++)
                await Owner.PublishedAsync($"ann/crowd-{i}", StackAdapters.Files(20 + i, "org/crowded"));
        }

        private static Dictionary<string, byte[]> Zero()
        {
            var files = StackAdapters.Files(5);
            using var file = SafetensorsFile.Read(files["adapter_model.safetensors"]);
            using var stream = new MemoryStream();
            SafetensorsWriter.Write(stream, file.Tensors.Select(t => TensorSource.FromDoubles(
                t.Name, t.Type, t.Shape, t.Name.Contains("lora_B", StringComparison.Ordinal) ? () => new double[t.ElementCount] : () => file.ReadDouble(t))));
            return new(files) { ["adapter_model.safetensors"] = stream.ToArray() };
        }
    }

    [Theory]
    [InlineData("facilityLocation")]
    [InlineData("logDeterminant")]
    public Task Originals_come_before_copies_and_zeros_are_left_out(string objective) => stack.RunAsync(async () =>
    {
        var view = await stack.Anonymous.GetAsync<DiverseView>($"/libraries/diverse?baseModel={StackAdapters.BaseModel}&count=9&objective={objective}");
        Assert.Equal((objective, "public", 4), (view.Objective, view.Scope, view.Members));
        Assert.Equal(4, view.Picks.Count);
        Assert.Contains(view.Picks[3].Version.Adapter, new[] { "ann/a", "ann/a-copy" });
        Assert.True(view.Picks[3].NearestCosine > 0.999);
        Assert.Equal("ann/zero", Assert.Single(view.Excluded).Version.Adapter);
        Assert.Equal(view.Value, view.Picks.Sum(p => p.Gain), 1e-9);
        Assert.Equal(objective == "facilityLocation" ? view.Value / 4 : null, view.Coverage);
        var two = await stack.Anonymous.GetAsync<DiverseView>($"/libraries/diverse?baseModel={StackAdapters.BaseModel}&count=2&objective={objective}");
        Assert.Equal(view.Picks.Take(2), two.Picks);
    });

    [Fact]
    public Task Private_members_are_looked_at_for_their_owner_only() => stack.RunAsync(async () =>
    {
        var mine = await world.Owner.GetAsync<DiverseView>($"/libraries/diverse?baseModel={StackAdapters.BaseModel}&count=9&scope=mine");
        Assert.Contains("ann/hidden", mine.Picks.Select(p => p.Version.Adapter));
        Assert.Equal(("ann", 5), (mine.Scope, mine.Members));
        var eve = await stack.AccountAsync("eve");
        foreach (var (caller, scope) in new[] { (eve, "mine"), (eve, "public"), (world.Owner, "public"), (stack.Admin, "public") })
            Assert.Equal(4, (await caller.GetAsync<DiverseView>($"/libraries/diverse?baseModel={StackAdapters.BaseModel}&scope={scope}")).Members);
    });

    [Fact]
    public Task What_can_t_be_asked_is_refused() => stack.RunAsync(async () =>
    {
        foreach (var (query, place) in new[] { ("", "baseModel"), ("baseModel=a/b&count=0", "count"), ("baseModel=a/b&count=501", "count"), ("baseModel=a/b&objective=best", "objective"), ("baseModel=a/b&scope=all", "scope"), ("baseModel=a/b&derived=maybe", "derived") })
        {
            var problem = (await stack.Anonymous.SendAsync(HttpMethod.Get, $"/libraries/diverse?{query}")).Problem(400, "invalid-request");
            Assert.Equal(place, Assert.Single(problem.Issues!).Path);
        }

        (await stack.Anonymous.SendAsync(HttpMethod.Get, "/libraries/diverse?baseModel=no/such")).Problem(404, "not-found");
        (await stack.Anonymous.SendAsync(HttpMethod.Get, "/libraries/diverse?baseModel=a/b&scope=mine")).Problem(401, "unauthenticated");
        (await stack.Anonymous.SendAsync(HttpMethod.Get, "/libraries/diverse?baseModel=org/crowded")).Problem(422, "library-too-large");
    });
}
