using System.Text.Json;
using Marketplace.Core;
using Marketplace.Core.Algebra;
using Marketplace.Core.Api;
using Marketplace.Core.Formats;
using Marketplace.Core.Merges;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.EndToEnd;

/// <summary>Libraries of one merged adapter for each cluster, over HTTP, by the kernels.</summary>
public sealed class LibraryBuildTests(LibraryBuildTests.Fixture fixture) : IClassFixture<LibraryBuildTests.Fixture>
{
    private readonly Stack stack = fixture.Stack;

    public sealed class Fixture(AzuriteFixture azurite) : StackFixture(azurite, new StackSettings { Kernels = true });

    [Fact]
    public Task Each_cluster_becomes_what_core_merges_its_members_into() => stack.RunAsync(async () =>
    {
        var builder = await LibraryAsync("bob");
        var snapshot = await ClusteredAsync(builder, "org/bob", 3);
        var request = new BuildLibraryRequest("ties", new("bob/by-ties"), new Dictionary<string, RecipeValue> { ["density"] = 0.6 }, Rank: 3, Weights: "typical");
        var job = await PrivacyWorld.EndedAsync(builder, $"/clusterings/{snapshot.Id}/build", request);
        Assert.Equal("libraryBuild", job.Kind);
        var result = Result(job);
        Assert.Equal(snapshot.Clusters.Select(c => c.Name), result.Members.Select(m => m.Label));
        Assert.Equal(snapshot.Clusters.Select(c => $"bob/by-ties-{c.Name}"), result.Members.Select(m => m.Version.Adapter));
        Assert.Null(result.General);
        foreach (var (cluster, made) in snapshot.Clusters.Zip(result.Members))
        {
            var inputs = new List<Adapter>();
            foreach (var member in cluster.Members)
                inputs.Add(await OpenAsync(builder, member.Version));
            double[] weights = [.. cluster.Members.Select(m => Math.Max(0, m.MedoidCosine))];
            var recipe = MergeRecipe.Over("ties", weights).With("density", 0.6) with { Rank = 3 };
            Assert.True(MergePlan.TryCreate(recipe, inputs, out var plan, out var problems), string.Join('\n', problems));
            using var merged = await OpenAsync(builder, made.Version);
            foreach (var module in Merging.Run(plan, inputs))
                Assert.InRange(Deltas.Distance(module.Delta, merged.Delta(module.Module.Name)!), 0, 1e-4 * (1e-3 + Deltas.Norm(module.Delta)));

            var version = await stack.Anonymous.GetAsync<VersionView>($"/adapters/{made.Version.Adapter}/versions/1");
            Assert.Equal(cluster.Members.Select(m => m.Version), version.Lineage!.Parents.Select(p => p.Version));
            Assert.Equal(weights, version.Lineage.Parents.Select(p => p.Weight));
            Assert.Contains("libtorch", version.Lineage.Kernel, StringComparison.Ordinal);
            Assert.NotEmpty((await stack.Anonymous.GetAsync<MergeReportView>($"/adapters/{made.Version.Adapter}/versions/1/merge-report")).Modules);
        }

        var collection = await stack.Anonymous.GetAsync<CollectionView>("/collections/bob/by-ties");
        Assert.Equal("library-build", collection.MadeBy);
        Assert.Equal(result.Members.Select(m => (m.Label, m.Version)), collection.Members!.Select(m => (m.Label, m.Version)));
        Assert.Equal(snapshot.Id, collection.Request!.Value.GetProperty("snapshot").GetString());

        // Asking twice is asking once.
        var again = await builder.PostAsync<JobView>($"/clusterings/{snapshot.Id}/build", request, 202);
        Assert.Equal((job.JobId, "succeeded"), (again.JobId, again.Status));
    });

    [Fact]
    public Task Every_adapter_in_a_cluster_of_its_own_is_the_merge_of_one() => stack.RunAsync(async () =>
    {
        var builder = await LibraryAsync("cleo");
        var snapshot = await ClusteredAsync(builder, "org/cleo", 7);
        // slerp takes two; one alone is taken as it is.
        var result = Result(await PrivacyWorld.EndedAsync(builder, $"/clusterings/{snapshot.Id}/build", new BuildLibraryRequest("slerp", new("cleo/alone", "{cluster}.of.{collection}"))));
        Assert.Equal(7, result.Members.Count);
        Assert.Empty(result.Refused);
        foreach (var (cluster, made) in snapshot.Clusters.Zip(result.Members))
        {
            Assert.Equal($"cleo/{cluster.Name}.of.alone", made.Version.Adapter);
            using var member = await OpenAsync(builder, cluster.Members.Single().Version);
            using var merged = await OpenAsync(builder, made.Version);
            Assert.All(member.Modules, m => Assert.InRange(Deltas.Distance(member.Delta(m.Name)!, merged.Delta(m.Name)!), 0, 1e-5));
            Assert.Equal("linear", (await builder.GetAsync<VersionView>($"/adapters/{made.Version.Adapter}/versions/1")).Lineage!.Method);
        }
    });

    [Fact]
    public Task Clusters_that_a_method_can_not_take_are_listed_and_others_built() => stack.RunAsync(async () =>
    {
        var builder = await LibraryAsync("dora");
        var one = await ClusteredAsync(builder, "org/dora", 1);
        var build = $"/clusterings/{one.Id}/build";
        var refused = (await builder.SendAsync(HttpMethod.Post, build, new BuildLibraryRequest("slerp", new("dora/one")))).Problem(409, "conflict");
        Assert.Contains("7 members", refused.Detail, StringComparison.Ordinal);
        var nearest = Result(await PrivacyWorld.EndedAsync(builder, build, new BuildLibraryRequest("slerp", new("dora/one"), MaxMembers: 2)));
        var lineage = (await builder.GetAsync<VersionView>($"/adapters/{nearest.Members.Single().Version.Adapter}/versions/1")).Lineage!;
        var expected = one.Clusters[0].Members.OrderByDescending(m => m.MedoidCosine).Take(2).Select(m => m.Version.Adapter).Order(StringComparer.Ordinal);
        Assert.Equal(expected, lineage.Parents.Select(p => p.Version.Adapter));

        foreach (var (wrong, place) in new[]
        {
            (new BuildLibraryRequest("ties-and-tails", new("dora/x")), "method"), (new BuildLibraryRequest("linear", new("dora/x"), Weights: "heavy"), "weights"),
            (new BuildLibraryRequest("linear", new("x")), "output.collection"), (new BuildLibraryRequest("linear", new("dora/x"), MaxMembers: 0), "maxMembers"),
            (new BuildLibraryRequest("linear", new("dora/x"), new Dictionary<string, RecipeValue> { ["density"] = 0.5 }), "parameters.density"),
            (new BuildLibraryRequest("linear", new("dora/x"), Energy: 2), "energy"), (new BuildLibraryRequest("linear", new("dora/x", "{name}")), "output.pattern"),
        })
        {
            Assert.Equal([place], (await builder.SendAsync(HttpMethod.Post, build, wrong)).Problem(400, "invalid-request").Issues!.Select(i => i.Path));
        }

        (await builder.SendAsync(HttpMethod.Post, build, new BuildLibraryRequest("linear", new("bob/x")))).Problem(403, "forbidden");
        var two = await ClusteredAsync(builder, "org/dora", 2);
        Assert.Equal(["output.pattern"], (await builder.SendAsync(HttpMethod.Post, $"/clusterings/{two.Id}/build", new BuildLibraryRequest("linear", new("dora/x", "{collection}")))).Problem(400, "invalid-request").Issues!.Select(i => i.Path));
    });

    [Fact]
    public Task What_was_withdrawn_since_goes_into_nothing_and_a_private_snapshot_is_its_owners() => stack.RunAsync(async () =>
    {
        const string Other = "org/withdrawing";
        var (owner, builder) = (await stack.AccountAsync("ed"), await stack.AccountAsync("flo"));
        for (var seed = 1; seed <= 4; seed++)
            await owner.PublishedAsync($"ed/a{seed}", StackAdapters.Files(seed, Other));
        await owner.PublishedAsync("ed/zero", Zero(Other));
        await owner.PublishedAsync("ed/own", StackAdapters.Files(9, Other), isPrivate: true);
        var snapshot = await ClusteredAsync(builder, Other, 1);
        await stack.Storage.Catalogue.SetVisibilityAsync(AdapterId.Parse("ed/a1"), isPrivate: true, ct: TestContext.Current.CancellationToken);
        await owner.SendAsync(HttpMethod.Patch, "/adapters/ed/a2", new UpdateAdapterRequest(false));
        var result = Result(await PrivacyWorld.EndedAsync(builder, $"/clusterings/{snapshot.Id}/build", new BuildLibraryRequest("linear", new("flo/lib"))));
        Assert.Equal(["ed/a1@1", "ed/a2@1"], result.Refused.Where(r => r.Code == "not-available").Select(r => r.Label));
        Assert.Equal(["ed/zero@1"], result.Refused.Where(r => r.Code == "in-no-cluster").Select(r => r.Label));
        Assert.Equal(["ed/a3", "ed/a4"], (await builder.GetAsync<VersionView>($"/adapters/{result.Members.Single().Version.Adapter}/versions/1")).Lineage!.Parents.Select(p => p.Version.Adapter));
        // The request names what is hidden now, so that it is hidden too.
        Assert.Null((await builder.GetAsync<CollectionView>("/collections/flo/lib")).Request);
        // A batch over a cluster leaves the same out.
        var batch = Result(await PrivacyWorld.EndedAsync(builder, "/subtractions/batch", new SubtractionBatchRequest([new("ed/a3")], new("flo/rest"), Cluster: new(snapshot.Id, snapshot.Clusters[0].Name))));
        Assert.Equal(["ed/a4@1"], batch.Members.Select(m => m.Label));
        Assert.Equal(["ed/a1@1", "ed/a2@1"], batch.Refused.Select(r => r.Label));
        Assert.Equal(["cluster.name"], (await builder.SendAsync(HttpMethod.Post, "/subtractions/batch", new SubtractionBatchRequest([new("ed/a3")], new("flo/rest"), Cluster: new(snapshot.Id, "no-such"))))
            .Problem(400, "invalid-request").Issues!.Select(i => i.Path));

        var mine = await ClusteredAsync(owner, Other, 1, "mine");
        Assert.Contains(mine.Clusters[0].Members, m => m.Version.Adapter == "ed/own");
        var build = new BuildLibraryRequest("linear", new("ed/lib"));
        (await builder.SendAsync(HttpMethod.Post, $"/clusterings/{mine.Id}/build", build with { Output = new("flo/lib2") })).Problem(404, "not-found");
        (await stack.Admin.SendAsync(HttpMethod.Post, $"/clusterings/{mine.Id}/build", build with { Output = new("admin/lib2") })).Problem(403, "forbidden");
        var own = Result(await PrivacyWorld.EndedAsync(owner, $"/clusterings/{mine.Id}/build", build));
        var seen = await builder.GetAsync<VersionView>($"/adapters/{own.Members.Single().Version.Adapter}/versions/1");
        Assert.DoesNotContain(seen.Lineage!.Parents, p => p.Version.Adapter is "ed/own" or "ed/a1");
    });

    [Fact]
    public Task A_build_that_is_cancelled_keeps_what_it_published_and_goes_on_when_asked_again() => stack.RunAsync(async () =>
    {
        var builder = await LibraryAsync("gil");
        var snapshot = await ClusteredAsync(builder, "org/gil", 6);
        var request = new BuildLibraryRequest("karcher", new("gil/lib"));
        var job = await builder.PostAsync<JobView>($"/clusterings/{snapshot.Id}/build", request, 202);
        await builder.EventuallyAsync<JobView>($"/jobs/{job.JobId}", j => j.Progress is { Done: > 0 } || j.Status == "succeeded");
        await builder.SendAsync(HttpMethod.Post, $"/jobs/{job.JobId}/cancel");
        var ended = await builder.EndedAsync(job.JobId);
        if (ended.Status == "cancelled")
        {
            (await builder.SendAsync(HttpMethod.Get, "/collections/gil/lib")).Problem(404, "not-found");
            Assert.Equal(2, (await builder.PostAsync<JobView>($"/clusterings/{snapshot.Id}/build", request, 202)).Attempt);
            ended = await builder.EndedAsync(job.JobId);
        }

        Assert.Equal("succeeded", ended.Status);
        Assert.Equal(6, (await builder.GetAsync<CollectionView>("/collections/gil/lib")).Members!.Count);
        Assert.All(Result(ended).Members, m => Assert.Equal(1, m.Version.Number));
    });

    private static CollectionResult Result(JobView job) => JsonSerializer.Deserialize<CollectionResult>(job.Result!.Value, ApiJson.Options)!;

    // Seven adapters of a base model of their own, since results join the library that they are made from.
    private async Task<StackApi> LibraryAsync(string account)
    {
        var owner = await stack.AccountAsync(account);
        for (var seed = 1; seed <= 7; seed++)
            await owner.PublishedAsync($"{account}/a{seed}", StackAdapters.Files(seed, $"org/{account}"));
        return owner;
    }

    private static async Task<ClusterSnapshotView> ClusteredAsync(StackApi caller, string baseModel, int k, string scope = "public")
    {
        var job = await PrivacyWorld.EndedAsync(caller, "/clusterings", new ClusteringRequest(baseModel, K: k, Scope: scope));
        return await caller.GetAsync<ClusterSnapshotView>($"/clusterings/{JsonSerializer.Deserialize<ClusteringResult>(job.Result!.Value, ApiJson.Options)!.SnapshotId}");
    }

    private static async Task<Adapter> OpenAsync(StackApi caller, VersionReference version)
    {
        using var folder = new TemporaryFolder();
        foreach (var name in new[] { RepositoryPath.Config, RepositoryPath.Weights })
            await File.WriteAllBytesAsync(Path.Combine(folder.Path, name), await caller.DownloadAsync(version, name));
        return AdapterReader.Open(folder.Path);
    }

    private static Dictionary<string, byte[]> Zero(string baseModel)
    {
        var tensors = new List<TensorSource>();
        foreach (var module in new[] { "layers.0.self_attn.q_proj", "layers.0.self_attn.v_proj" })
        {
            tensors.Add(TensorSource.FromDoubles($"base_model.model.model.{module}.lora_A.weight", TensorType.F32, [2, 8], () => [.. Enumerable.Repeat(0.5, 16)]));
            tensors.Add(TensorSource.FromDoubles($"base_model.model.model.{module}.lora_B.weight", TensorType.F32, [8, 2], () => new double[16]));
        }

        using var stream = new MemoryStream();
        SafetensorsWriter.Write(stream, tensors, SafetensorsWriter.PyTorch);
        return new() { [RepositoryPath.Config] = StackAdapters.Config(baseModel), [RepositoryPath.Weights] = stream.ToArray() };
    }
}
