using System.Text.Json;
using Marketplace.Core;
using Marketplace.Core.Algebra;
using Marketplace.Core.Api;
using Marketplace.Core.Formats;
using Marketplace.Core.Merges;
using Marketplace.Storage;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.EndToEnd;

/// <summary>General knowledge subtracted over HTTP: in each mode, from many targets, with the collection that comes of it.</summary>
public sealed class SubtractionBatchTests(SubtractionBatchTests.Fixture fixture) : IClassFixture<SubtractionBatchTests.Fixture>
{
    private static readonly WeightedAdapter[] General = [new("ann/log", 1), new("ann/prose", 3)];

    private readonly Stack stack = fixture.Stack;

    public sealed class Fixture(AzuriteFixture azurite) : StackFixture(azurite, new StackSettings())
    {
        public override async ValueTask InitializeAsync()
        {
            await base.InitializeAsync();
            var owner = await Stack.AccountAsync("ann");
            foreach (var folder in Directory.GetDirectories(Path.Combine(Fixtures.Repository, "samples", "library")))
                await owner.PublishedAsync($"ann/{Path.GetFileName(folder)}", Files(folder));
        }
    }

    [Fact]
    public Task A_batch_over_the_library_gives_the_residuals_that_core_computes_and_their_collection() => stack.RunAsync(async () =>
    {
        var owner = await stack.AccountAsync("ann");
        var baseModel = (await owner.GetAsync<AdapterView>("/adapters/ann/log")).BaseModel!;
        foreach (var (mode, method) in new[] { ("exact", LinearMethods.GenKnowSub), ("project", GenKnowSubMethods.Project), ("factorwise", GenKnowSubMethods.Factorwise) })
        {
            var request = new SubtractionBatchRequest(General, new($"ann/{mode}-residuals", $"{{name}}-{mode}"), Library: new(baseModel), Mode: mode, Beta: 0.8);
            var job = await PrivacyWorld.EndedAsync(owner, "/subtractions/batch", request);
            Assert.Equal("subtractionBatch", job.Kind);
            var result = Result(job);
            string[] tasks = ["addmod", "copy", "last", "reverse", "sort", "upper"];
            Assert.Equal(tasks.Select(t => $"ann/{t}@1"), result.Members.Select(m => m.Label));
            Assert.Equal(tasks.Select(t => $"ann/{t}-{mode}"), result.Members.Select(m => m.Version.Adapter));
            Assert.Empty(result.Refused);

            var all = new List<GeneralKnowledge>();
            foreach (var (task, member) in tasks.Zip(result.Members))
            {
                using var residual = await OpenAsync(owner, member.Version);
                var expected = Reference(task, MergeRecipe.Over(method, 1, 1, 3).With("beta", 0.8));
                foreach (var module in expected)
                    Assert.InRange(Deltas.Distance(module.Delta, residual.Delta(module.Module.Name)!), 0, 1e-5 * (1e-3 + Deltas.Norm(module.Delta)));
                var general = GeneralKnowledge.Total([.. expected.Select(m => m.Report.General!)]);
                all.Add(general);
                var report = await owner.GetAsync<MergeReportView>($"/adapters/{member.Version.Adapter}/versions/main/merge-report");
                AssertSame(general, report.General!);
                Assert.All(report.Modules.Zip(expected), m => AssertSame(m.Second.Report.General!, m.First.General!));
                Assert.Equal(general.Share, member.General!.Value, 1e-5);
                Assert.Equal(general.EnergyRemoved, member.EnergyRemoved!.Value, 1e-5);

                var lineage = (await owner.GetAsync<VersionView>($"/adapters/{member.Version.Adapter}/versions/main")).Lineage!;
                Assert.Equal([("ann/" + task, "target", 1), ("ann/log", "general", 1), ("ann/prose", "general", 3)], lineage.Parents.Select(p => (p.Version.Adapter, p.Role, p.Weight)));
            }

            AssertSame(GeneralKnowledge.Total(all), result.General!);
            var collection = await stack.Anonymous.GetAsync<CollectionView>($"/collections/ann/{mode}-residuals");
            Assert.Equal((baseModel, "genknowsub", false), (collection.BaseModel, collection.MadeBy, collection.Private));
            Assert.Equal(result.Members.Select(m => m.Version), collection.Members!.Select(m => m.Version));
            Assert.Equal(tasks.Select(t => $"{t}-{mode}"), collection.Members!.Select(m => m.Label));
            Assert.Null(collection.JobId);
            Assert.NotNull(collection.Request);
            Assert.Equal(job.JobId, (await owner.GetAsync<CollectionView>($"/collections/ann/{mode}-residuals")).JobId);
        }

        // What is stored has not changed.
        Assert.Single((await owner.GetAsync<ListResponse<VersionView>>("/adapters/ann/sort/versions")).Items);
        // Derived adapters are targets only when asked for.
        var again = new SubtractionBatchRequest(General, new("ann/second", "{name}-second"), Library: new(baseModel));
        Assert.Equal(6, Result(await PrivacyWorld.EndedAsync(owner, "/subtractions/batch", again)).Members.Count);
        var derived = again with { Output = new("ann/third", "{name}-third"), Library = new(baseModel, Derived: true), Mode = "project" };
        Assert.True(Result(await PrivacyWorld.EndedAsync(owner, "/subtractions/batch", derived)).Members.Count >= 18);
    });

    [Fact]
    public Task One_subtraction_takes_the_same_modes() => stack.RunAsync(async () =>
    {
        var owner = await stack.AccountAsync("ann");
        foreach (var side in new[] { "input", "output", "both" })
        {
            var job = await PrivacyWorld.EndedAsync(owner, "/subtractions", new SubtractionRequest("ann/sort", General, new($"ann/sort-{side}"), Mode: "project", Side: side));
            using var residual = await OpenAsync(owner, JsonSerializer.Deserialize<DerivedResult>(job.Result!.Value, ApiJson.Options)!.Version);
            foreach (var module in Reference("sort", MergeRecipe.Over(GenKnowSubMethods.Project, 1, 1, 3).With("side", RecipeValue.Of(side))))
                Assert.InRange(Deltas.Distance(module.Delta, residual.Delta(module.Module.Name)!), 0, 1e-5 * (1e-3 + Deltas.Norm(module.Delta)));
        }

        var request = new SubtractionRequest("ann/sort", General, new("ann/x"));
        foreach (var (wrong, place) in new[]
        {
            (request with { Mode = "gentle" }, "mode"), (request with { Side = "input" }, "side"), (request with { Mode = "project", Side = "left" }, "side"),
            (request with { Mode = "project", Beta = 2 }, "beta"), (request with { General = [] }, "general"), (request with { General = [new("ann/absent")] }, "general[0]"),
        })
        {
            Assert.Equal([place], (await owner.SendAsync(HttpMethod.Post, "/subtractions", wrong)).Problem(400, "invalid-request").Issues!.Select(i => i.Path));
        }
    });

    [Fact]
    public Task What_can_not_be_subtracted_from_is_listed_and_stops_nothing() => stack.RunAsync(async () =>
    {
        var owner = await stack.AccountAsync("ben");
        await owner.PublishedAsync("ben/general", StackAdapters.Files(1));
        await owner.PublishedAsync("ben/plain", StackAdapters.Files(2));
        await owner.PublishedAsync("ben/wider", Wider(3));
        var job = await PrivacyWorld.EndedAsync(owner, "/subtractions/batch", new SubtractionBatchRequest(
            [new("ben/general")], new("ben/rest"), ["ben/plain", "ben/wider"]));
        var result = Result(job);
        Assert.Equal(["ben/plain-residual"], result.Members.Select(m => m.Version.Adapter));
        var refused = Assert.Single(result.Refused);
        Assert.Equal(("ben/wider@1", "not-mergeable"), (refused.Label, refused.Code));
        Assert.Contains("module-shape-mismatch", refused.Reason, StringComparison.Ordinal);
        (await owner.SendAsync(HttpMethod.Get, "/adapters/ben/wider-residual")).Problem(404, "not-found");

        // DoRA's change of the weights is no product of factors, and the functions hold no base weights to fold it into one.
        foreach (var name in new[] { "plain", "rslora", "dora" })
            await owner.PublishedAsync($"ben/{name}-llama", Files(Fixtures.Adapter(Path.Combine("llama", name))));
        var llama = Result(await PrivacyWorld.EndedAsync(owner, "/subtractions/batch", new SubtractionBatchRequest(
            [new("ben/plain-llama")], new("ben/llama"), ["ben/dora-llama", "ben/rslora-llama"], Mode: "project")));
        Assert.Equal(["ben/rslora-llama@1"], llama.Members.Select(m => m.Label));
        Assert.Contains("dora-not-mergeable", Assert.Single(llama.Refused).Reason, StringComparison.Ordinal);

        // If nothing is left, the job has failed, and there is no collection.
        var none = await owner.PostAsync<JobView>("/subtractions/batch", new SubtractionBatchRequest([new("ben/general")], new("ben/none"), ["ben/wider"]), 202);
        none = await owner.EndedAsync(none.JobId);
        Assert.Equal(("failed", "not-mergeable"), (none.Status, none.Code));
        (await owner.SendAsync(HttpMethod.Get, "/collections/ben/none")).Problem(404, "not-found");
    });

    [Fact]
    public Task Asking_again_for_a_library_that_grew_computes_only_what_is_new() => stack.RunAsync(async () =>
    {
        const string Base = "org/growing";
        var owner = await stack.AccountAsync("cat");
        foreach (var seed in new[] { 1, 2, 3 })
            await owner.PublishedAsync($"cat/a{seed}", StackAdapters.Files(seed, Base));
        var request = new SubtractionBatchRequest([new("cat/a1")], new("cat/rest"), Library: new(Base));
        var first = await PrivacyWorld.EndedAsync(owner, "/subtractions/batch", request);
        await owner.PublishedAsync("cat/a4", StackAdapters.Files(4, Base));
        var second = await PrivacyWorld.EndedAsync(owner, "/subtractions/batch", request);
        Assert.NotEqual(first.JobId, second.JobId);
        Assert.Equal([("cat/a2-residual", 1), ("cat/a3-residual", 1), ("cat/a4-residual", 1)], Result(second).Members.Select(m => (m.Version.Adapter, m.Version.Number)));
        Assert.Equal(Result(first).Members, Result(second).Members.Take(2));
        Assert.Equal(3, (await owner.GetAsync<CollectionView>("/collections/cat/rest")).Members!.Count);

        // Another β is another request: residuals get a second version, and the collection names those.
        var third = Result(await PrivacyWorld.EndedAsync(owner, "/subtractions/batch", request with { Beta = 0.5 }));
        Assert.All(third.Members, m => Assert.Equal(2, m.Version.Number));
        Assert.All((await owner.GetAsync<CollectionView>("/collections/cat/rest")).Members!, m => Assert.Equal(2, m.Version.Number));
    });

    [Fact]
    public Task A_collection_is_forgotten_by_its_owner_and_its_versions_stay() => stack.RunAsync(async () =>
    {
        var (owner, other) = (await stack.AccountAsync("dan"), await stack.AccountAsync("eve"));
        await owner.PublishedAsync("dan/general", StackAdapters.Files(1));
        await owner.PublishedAsync("dan/task", StackAdapters.Files(2));
        await PrivacyWorld.EndedAsync(owner, "/subtractions/batch", new SubtractionBatchRequest([new("dan/general")], new("dan/rest"), ["dan/task"]));
        Assert.Equal(["dan/rest"], (await other.GetAsync<ListResponse<CollectionView>>("/collections?owner=DAN")).Items.Select(c => c.Id));
        Assert.Equal(["dan/rest"], (await owner.GetAsync<ListResponse<CollectionView>>("/collections")).Items.Select(c => c.Id));
        (await stack.Anonymous.SendAsync(HttpMethod.Get, "/collections")).Problem(400, "invalid-request");
        (await other.SendAsync(HttpMethod.Delete, "/collections/dan/rest")).Problem(403, "forbidden");
        await stack.Storage.Sweep.SweepAsync(DateTimeOffset.UtcNow + TimeSpan.FromDays(3));
        Assert.Single((await owner.GetAsync<CollectionView>("/collections/dan/rest")).Members!);

        Assert.Equal(204, (await owner.SendAsync(HttpMethod.Delete, "/collections/dan/rest")).Status);
        (await owner.SendAsync(HttpMethod.Delete, "/collections/dan/rest")).Problem(404, "not-found");
        Assert.Empty((await owner.GetAsync<ListResponse<CollectionView>>("/collections")).Items);
        Assert.Equal(1, (await owner.GetAsync<AdapterView>("/adapters/dan/task-residual")).Main!.Number);
        Assert.Equal(1, (await stack.Storage.Sweep.SweepAsync(DateTimeOffset.UtcNow + TimeSpan.FromDays(3))).CollectionBodies);
    });

    [Fact]
    public Task Names_that_can_not_be_are_refused_before_anything_is_computed() => stack.RunAsync(async () =>
    {
        var (owner, other) = (await stack.AccountAsync("fay"), await stack.AccountAsync("gus"));
        await owner.PublishedAsync("fay/general", StackAdapters.Files(1));
        await owner.PublishedAsync("fay/task", StackAdapters.Files(2));
        await owner.PublishedAsync("fay/mine-task", StackAdapters.Files(3));
        await other.PublishedAsync("gus/task", StackAdapters.Files(4));
        var request = new SubtractionBatchRequest([new("fay/general")], new("fay/rest"), ["fay/task", "gus/task"]);
        await RefusedAsync(request, "output.pattern");
        await RefusedAsync(request with { Output = new("fay/rest", "{owner}-{nme}") }, "output.pattern");
        await RefusedAsync(request with { Output = new("fay/rest", "-{owner}") }, "output.pattern");
        await RefusedAsync(request with { Output = new("fay/rest", "{name}"), Targets = ["fay/task"] }, "output.pattern");
        await RefusedAsync(request with { Output = new("rest") }, "output.collection");
        await RefusedAsync(request with { Library = new(StackAdapters.BaseModel) }, "targets");
        await RefusedAsync(request with { Targets = null }, "targets");
        await RefusedAsync(request with { Targets = ["fay/general"] }, "targets");
        await RefusedAsync(request with { Targets = ["fay/task", "fay/absent"] }, "targets[1]");
        await RefusedAsync(request with { Targets = [] }, "targets");
        await RefusedAsync(request with { Targets = null, Library = new(StackAdapters.BaseModel, "theirs") }, "library.scope");
        await RefusedAsync(request with { Mode = "project", Side = "up" }, "side");
        await RefusedAsync(request with { Rank = 0 }, "rank");
        (await owner.SendAsync(HttpMethod.Post, "/subtractions/batch", request with { Output = new("gus/rest") })).Problem(403, "forbidden");
        (await owner.SendAsync(HttpMethod.Post, "/subtractions/batch", request with { Targets = null, Library = new("org/nobody") })).Problem(404, "not-found");
        (await owner.SendAsync(HttpMethod.Post, "/subtractions/batch", request with { Targets = null, Cluster = new(new string('0', 32), "c0") })).Problem(404, "not-found");
        var trained = (await owner.SendAsync(HttpMethod.Post, "/subtractions/batch", request with { Output = new("fay/rest", "mine-{name}"), Targets = ["gus/task"] })).Problem(409, "conflict");
        Assert.Contains("fay/mine-task", trained.Detail, StringComparison.Ordinal);
        await owner.PublishedAsync("fay/elsewhere", StackAdapters.Files(5, "org/elsewhere"));
        (await owner.SendAsync(HttpMethod.Post, "/subtractions/batch", request with { Targets = ["fay/elsewhere"] })).Problem(422, "base-mismatch");
        (await owner.SendAsync(HttpMethod.Post, "/subtractions/batch", request with { Targets = null, Library = new("org/elsewhere") })).Problem(422, "base-mismatch");
        Assert.Empty((await owner.GetAsync<ListResponse<JobView>>("/jobs")).Items);

        var good = request with { Output = new("fay/rest", "{owner}-{name}-rest") };
        Assert.Equal(["fay/fay-task-rest", "fay/gus-task-rest"], Result(await PrivacyWorld.EndedAsync(owner, "/subtractions/batch", good)).Members.Select(m => m.Version.Adapter));

        async Task RefusedAsync(SubtractionBatchRequest wrong, string place) => Assert.Equal(
            [place], (await owner.SendAsync(HttpMethod.Post, "/subtractions/batch", wrong)).Problem(400, "invalid-request").Issues!.Select(i => i.Path));
    });

    [Fact]
    public Task A_collection_shows_others_neither_private_targets_nor_private_members() => stack.RunAsync(async () =>
    {
        const string Base = "org/half-private";
        var (owner, other) = (await stack.AccountAsync("hal"), await stack.AccountAsync("ida"));
        await owner.PublishedAsync("hal/general", StackAdapters.Files(1, Base));
        await owner.PublishedAsync("hal/shown", StackAdapters.Files(2, Base));
        await owner.PublishedAsync("hal/quiet", StackAdapters.Files(3, Base), isPrivate: true);
        var everybody = await PrivacyWorld.EndedAsync(owner, "/subtractions/batch", new SubtractionBatchRequest([new("hal/general")], new("hal/public"), Library: new(Base)));
        Assert.Equal(["hal/shown@1"], Result(everybody).Members.Select(m => m.Label));

        // Residuals of everything, for everybody: what they came from stays hidden where it is private.
        var own = new SubtractionBatchRequest([new("hal/general")], new("hal/mixed", "{name}-open"), Library: new(Base, "mine"));
        var mixed = Result(await PrivacyWorld.EndedAsync(owner, "/subtractions/batch", own));
        Assert.Equal(["hal/quiet@1", "hal/shown@1"], mixed.Members.Select(m => m.Label));
        foreach (var caller in new[] { other, stack.Anonymous })
        {
            var seen = await caller.SendAsync(HttpMethod.Get, "/collections/hal/mixed");
            Assert.Equal(["quiet-open", "shown-open"], seen.Read<CollectionView>().Members!.Select(m => m.Label));
            Assert.Null(seen.Read<CollectionView>().Request);
            Assert.DoesNotContain("hal/quiet@", seen.Body, StringComparison.Ordinal);
            var report = await caller.GetAsync<MergeReportView>("/adapters/hal/quiet-open/versions/main/merge-report");
            Assert.Null(report.General);
            Assert.All(report.Modules, m => Assert.Null(m.General));
        }

        Assert.NotNull((await owner.GetAsync<CollectionView>("/collections/hal/mixed")).Request);
        await PrivacyWorld.EndedAsync(owner, "/subtractions/batch", own with { Output = new("hal/secret", "{name}-secret", Private: true) });
        foreach (var caller in new[] { other, stack.Anonymous })
        {
            (await caller.SendAsync(HttpMethod.Get, "/collections/hal/secret")).Problem(404, "not-found");
            Assert.DoesNotContain((await caller.GetAsync<ListResponse<CollectionView>>("/collections?owner=hal")).Items, c => c.Id == "hal/secret");
            (await caller.SendAsync(HttpMethod.Get, "/adapters/hal/shown-secret")).Problem(404, "not-found");
        }

        // A library as others see it does not hold what is unlisted.
        await owner.SendAsync(HttpMethod.Patch, "/adapters/hal/shown", new UpdateAdapterRequest(false));
        (await other.SendAsync(HttpMethod.Post, "/subtractions/batch", new SubtractionBatchRequest([new("hal/general")], new("ida/rest"), Library: new(Base)))).Problem(400, "invalid-request");
    });

    private static CollectionResult Result(JobView job) => JsonSerializer.Deserialize<CollectionResult>(job.Result!.Value, ApiJson.Options)!;

    private static void AssertSame(GeneralKnowledge expected, GeneralKnowledge actual)
    {
        foreach (var value in new Func<GeneralKnowledge, double>[] { g => g.Target, g => g.Mean, g => g.Removed, g => g.Residual, g => g.EnergyRemoved, g => g.Cosine, g => g.Share, g => g.InputShare, g => g.OutputShare })
            Assert.Equal(value(expected), value(actual), 1e-9 * (1 + Math.Abs(value(expected))));
    }

    private static List<MergedModule> Reference(string task, MergeRecipe recipe)
    {
        Adapter[] inputs = [.. new[] { task, "log", "prose" }.Select(n => AdapterReader.Open(Path.Combine(Fixtures.Repository, "samples", "library", n)))];
        try
        {
            Assert.True(MergePlan.TryCreate(recipe, inputs, out var plan, out var problems), string.Join('\n', problems));
            return [.. Merging.Run(plan, inputs)];
        }
        finally
        {
            Array.ForEach(inputs, a => a.Dispose());
        }
    }

    private static async Task<Adapter> OpenAsync(StackApi caller, VersionReference version)
    {
        using var folder = new TemporaryFolder();
        foreach (var name in new[] { RepositoryPath.Config, RepositoryPath.Weights })
            await File.WriteAllBytesAsync(Path.Combine(folder.Path, name), await caller.DownloadAsync(version, name));
        // A mapped file is still readable after its name is gone.
        return AdapterReader.Open(folder.Path);
    }

    private static Dictionary<string, byte[]> Files(string folder) => new[] { RepositoryPath.Config, RepositoryPath.Weights }
        .ToDictionary(n => n, n => File.ReadAllBytes(Path.Combine(folder, n)));

    // The same modules at another width.
    private static Dictionary<string, byte[]> Wider(int seed)
    {
        var random = new Random(seed);
        var tensors = new List<TensorSource>();
        foreach (var module in new[] { "layers.0.self_attn.q_proj", "layers.0.self_attn.v_proj" })
        {
            foreach (var (factor, rows, columns) in new[] { ("lora_A", 2, 12), ("lora_B", 12, 2) })
            {
                var values = Enumerable.Range(0, rows * columns).Select(_ => random.NextDouble() - 0.5).ToArray();
                tensors.Add(TensorSource.FromDoubles($"base_model.model.model.{module}.{factor}.weight", TensorType.F32, [rows, columns], () => values));
            }
        }

        using var stream = new MemoryStream();
        SafetensorsWriter.Write(stream, tensors, SafetensorsWriter.PyTorch);
        return new() { [RepositoryPath.Config] = StackAdapters.Config(StackAdapters.BaseModel), [RepositoryPath.Weights] = stream.ToArray() };
    }
}
