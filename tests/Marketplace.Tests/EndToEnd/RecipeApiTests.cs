using System.Text;
using System.Text.Json;
using Marketplace.Core.Api;
using Marketplace.Core.Merges;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.EndToEnd;

/// <summary>Recipes over HTTP: refused with code and place, planned without computing, carried out, asked twice.</summary>
public sealed class RecipeApiTests(RecipeApiTests.World world) : IClassFixture<RecipeApiTests.World>
{
    public sealed class World(AzuriteFixture azurite) : IAsyncLifetime
    {
        internal Stack Stack { get; private set; } = null!;

        internal StackApi Owner { get; private set; } = null!;

        public async ValueTask InitializeAsync()
        {
            Stack = await Stack.StartAsync(await azurite.ConnectionStringAsync(), new StackSettings { Kernels = true });
            Owner = await Stack.AccountAsync("ann");
            foreach (var (name, seed) in new[] { ("one", 1), ("two", 2), ("three", 3) })
                await Owner.PublishedAsync($"ann/{name}", StackAdapters.Files(seed));
        }

        public async ValueTask DisposeAsync()
        {
            if (Stack is not null)
                await Stack.DisposeAsync();
            GC.SuppressFinalize(this);
        }
    }

    private readonly StackApi owner = world.Owner;

    [Theory]
    [InlineData("""{"method": "blend", "inputs": [{"adapter": "ann/one"}], "output": {"adapter": "ann/x"}}""", "method-unknown", "method")]
    [InlineData("""{"method": "linear", "inputs": [], "output": {"adapter": "ann/x"}}""", "no-inputs", "inputs")]
    [InlineData("""{"method": "linear", "inputs": [{"adapter": "ann/one"}], "parameters": {"lamda": 1}, "output": {"adapter": "ann/x"}}""", "parameter-unknown", "parameters.lamda")]
    [InlineData("""{"method": "linear", "inputs": [{"adapter": "ann/one", "weight": "much"}], "output": {"adapter": "ann/x"}}""", "weights-not-finite", "inputs[0].weight")]
    [InlineData("""{"method": "linear", "inputs": [{"recipe": {"method": "cat", "inputs": [{"adapter": "ann/absent"}]}}], "output": {"adapter": "ann/x"}}""", "invalid-value", "inputs[0].recipe.inputs[0].adapter")]
    [InlineData("""{"method": "linear", "inputs": [{"adapter": "ann/one"}]}""", "invalid-value", "output")]
    [InlineData("""{"method": "linear", "inputs": [{"adapter": "ann/one"}], "rank": 0, "output": {"adapter": "ann/x"}}""", "rank-invalid", "rank")]
    public async Task What_is_wrong_is_refused_with_code_and_place(string body, string code, string place)
    {
        var problem = (await owner.SendAsync(HttpMethod.Post, "/merges", new StringContent(body, Encoding.UTF8, "application/json"))).Problem(400, "invalid-request");
        Assert.Contains((code, place), problem.Issues!.Select(i => (i.Code, i.Path!)));
    }

    [Fact]
    public async Task A_nested_recipe_is_planned_carried_out_and_kept()
    {
        var recipe = new MergeRecipe(
            "task_arithmetic",
            [new("ann/one", Weight: RecipeValue.OverLayers(1, 0.5)), new(Recipe: new("linear", [RecipeInput.Of("ann/two"), RecipeInput.Of("ann/three@1", 3)]), Weight: -0.25)],
            new OutputRequest("ann/nested"), Rank: RecipeRank.Lossless, Notes: "two steps");
        var plan = await owner.PostAsync<MergePlanView>("/merges/plan", recipe, 200);
        Assert.Equal(["linear", "task_arithmetic"], plan.Steps.Select(s => s.Method));
        Assert.Equal(["ann/one@1", "step 1"], plan.Steps[1].Inputs);
        Assert.Equal((4, StackAdapters.BaseModel), (plan.Modules, plan.BaseModel));
        Assert.True(plan.Flops > 0 && plan.MemoryBytes > 0 && plan.ResultBytes > 0);

        var job = await owner.PostAsync<JobView>("/merges", recipe, 202);
        var ended = await owner.EndedAsync(job.JobId);
        Assert.True(ended.Status == "succeeded", $"{ended.Code}: {ended.Detail}");
        var version = await owner.GetAsync<VersionView>("/adapters/ann/nested/versions/main");
        Assert.Equal("two steps", version.Message);
        Assert.Equal(["ann/one", "ann/two", "ann/three"], version.Lineage!.Parents.Select(p => p.Version.Adapter));
        Assert.Equal([0.75, -0.25, -0.75], version.Lineage.Parents.Select(p => p.Weight));
        Assert.Equal(["input", "input of linear", "input of linear"], version.Lineage.Parents.Select(p => p.Role));

        // Defaults that are spelled out ask for the same.
        var wordy = recipe with { Seed = MergeRecipe.DefaultSeed, Parameters = new Dictionary<string, RecipeValue> { ["normalize"] = RecipeValue.Of(false), ["lambda"] = 1 } };
        Assert.Equal(job.JobId, (await owner.PostAsync<JobView>("/merges", wordy, 202)).JobId);
        Assert.Equal(plan.RecipeDigest, (await owner.PostAsync<MergePlanView>("/merges/plan", wordy, 200)).RecipeDigest);
    }

    [Fact]
    public async Task A_plan_needs_no_output_and_tells_what_can_t_be_merged()
    {
        var recipe = new MergeRecipe("linear", [new("ann/one"), new("ann/two", Weight: RecipeValue.OverLayers(1, -1))]);
        var problem = (await owner.SendAsync(HttpMethod.Post, "/merges/plan", recipe)).Problem(422, "not-mergeable");
        Assert.Equal("weights-invalid", Assert.Single(problem.Issues!).Code);
    }

    [Fact]
    public async Task The_catalogue_lists_every_method()
    {
        var methods = await world.Stack.Anonymous.GetAsync<ListResponse<MergeMethodView>>("/merge-methods");
        Assert.Equal(MergeMethods.All.Select(m => m.Name), methods.Items.Select(m => m.Name));
        Assert.Equal(1, methods.Items.First(m => m.Name == "linear").Parameters.First(p => p.Name == "lambda").Default!.Number);
    }

    [Fact]
    public async Task A_method_of_each_class_is_carried_out()
    {
        var jobs = new List<(string Method, JobView Job)>();
        foreach (var method in MergeMethods.All.GroupBy(m => m.Class).Select(g => g.First(m => m.MinInputs <= 2 && m.MaxInputs >= 2)))
        {
            var recipe = new MergeRecipe(method.Name, [new("ann/one"), new("ann/two")], new OutputRequest($"ann/by-{method.Name.Replace('_', '-')}"));
            jobs.Add((method.Name, await owner.PostAsync<JobView>("/merges", recipe, 202)));
        }

        foreach (var (method, job) in jobs)
        {
            var ended = await owner.EndedAsync(job.JobId);
            Assert.True(ended.Status == "succeeded", $"{method}: {ended.Code}: {ended.Detail}");
            Assert.Equal(method, (await owner.GetAsync<AdapterView>($"/adapters/ann/by-{method.Replace('_', '-')}")).DerivedBy);
            Assert.NotEqual(0, JsonSerializer.Deserialize<DerivedResult>(ended.Result!.Value, ApiJson.Options)!.Modules);
        }
    }
}
