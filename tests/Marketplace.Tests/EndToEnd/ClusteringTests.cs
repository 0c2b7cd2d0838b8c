using System.Text.Json;
using Marketplace.Core;
using Marketplace.Core.Api;
using Marketplace.Storage;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.EndToEnd;

/// <summary>Clusterings over HTTP: exact and from sketches, names that stay, arrivals, the map.</summary>
public sealed class ClusteringTests(AzuriteFixture azurite)
{
    private const string Base = StackAdapters.BaseModel;

    [Fact]
    public Task Sketches_cluster_as_weights_do_and_names_and_moves_follow_the_library() => RunAsync(exactUpTo: 9, async stack =>
    {
        var owner = await stack.AccountAsync("ann");
        for (var i = 0; i < 9; i++)
            await owner.PublishedAsync($"ann/a{i}", PlantedAdapters.Files(i % 3, i));
        await owner.PublishedAsync("ann/zero", PlantedAdapters.Files(0, 50, zero: true));

        // Ten members are more than nine: sketches.
        var sketched = await ClusterAsync(owner, new ClusteringRequest(Base));
        Assert.Equal(("sketch", 3, 9, 128), (sketched.Mode, sketched.K, sketched.Members, sketched.Components));
        Assert.Equal("ann/zero", Assert.Single(sketched.Zero).Adapter);
        Assert.Empty(sketched.Excluded);
        Assert.Equal([["ann/a0", "ann/a3", "ann/a6"], ["ann/a1", "ann/a4", "ann/a7"], ["ann/a2", "ann/a5", "ann/a8"]], Groups(sketched));
        Assert.Equal(["c0", "c1", "c2"], sketched.Clusters.Select(c => c.Name));
        Assert.Equal([2, 3, 4], sketched.Curve.Select(c => c.K));
        Assert.Equal((null, 3), (sketched.Previous, sketched.NextName));
        Assert.All(sketched.Clusters, c => Assert.True(c is { Size: 3, Cohesion: > 0.7, Silhouette: > 0.5 } && c.Separation < c.Cohesion));
        Assert.All(sketched.Clusters.SelectMany(c => c.Members), m => Assert.InRange(m.CentreCosine, 0.7, 1));

        // Groups by order of first appearance would exchange their names here: a new adapter comes first.
        await owner.PublishedAsync("ann/Aa", PlantedAdapters.Files(2, 60));
        await owner.PublishedAsync("ann/a0", PlantedAdapters.Files(1, 61));
        var next = await ClusterAsync(owner, new ClusteringRequest(Base, K: 3));
        Assert.Equal(sketched.Id, next.Previous);
        Assert.Equal(3, next.NextName);
        Assert.Equal(["ann/Aa", "ann/a2", "ann/a5", "ann/a8"], Members(next, "c2"));
        Assert.Equal(["ann/a0", "ann/a1", "ann/a4", "ann/a7"], Members(next, "c1"));
        var moves = next.Moves.ToDictionary(m => m.Version.Adapter);
        Assert.Equal(["ann/Aa", "ann/a0"], moves.Keys.Order(StringComparer.Ordinal));
        Assert.Equal((null, "c2", "joined"), (moves["ann/Aa"].From, moves["ann/Aa"].To, moves["ann/Aa"].Reason));
        var moved = moves["ann/a0"];
        Assert.Equal(("c0", "c1", "newVersion", 2), (moved.From, moved.To, moved.Reason, moved.Version.Number));
        Assert.True(moved.NewCosine > 0.7 && moved.OldCosine < 0.5);

        // Exactly, in the same chain: an account's own snapshot begins another one.
        var asked = await owner.PostAsync<JobView>("/clusterings", new ClusteringRequest(Base, "flatAb", 3), 202);
        Assert.Equal("sketch", asked.Request.GetProperty("mode").GetString());
        var flat = await SnapshotAsync(owner, await owner.EndedAsync(asked.JobId));
        Assert.Equal(Groups(next), Groups(flat));
        Assert.Equal((0.8, 64, null), (flat.Sparsity, flat.Components, flat.Previous));

        var list = await owner.GetAsync<ListResponse<ClusterSnapshotSummary>>($"/clusterings?baseModel={Base}");
        Assert.Equal([flat.Id, next.Id, sketched.Id], list.Items.Select(s => s.Id));
        Assert.Equal((10, 1, 2, 3), (list.Items[1].Members, list.Items[1].Zero, list.Items[1].Moves, list.Items[1].Clusters.Count));
    });

    [Fact]
    public Task Exact_and_sketched_snapshots_agree() => RunAsync(exactUpTo: 50, async stack =>
    {
        var owner = await stack.AccountAsync("ann");
        for (var i = 0; i < 8; i++)
            await owner.PublishedAsync($"ann/a{i}", PlantedAdapters.Files(i % 2, i));
        await owner.PublishedAsync("ann/wide", PlantedAdapters.Files(0, 9, rank: 3));
        foreach (var similarity in new[] { "delta", "flatAb" })
        {
            // By ΔW the wide one takes part, and is like no other.
            var k = similarity == "delta" ? 3 : 2;
            var exact = await ClusterAsync(owner, new ClusteringRequest(Base, similarity, k));
            var sketch = await ClusterAsync(owner, new ClusteringRequest(Base, similarity, k, Mode: "sketch"));
            Assert.Equal(("exact", "sketch"), (exact.Mode, sketch.Mode));
            if (similarity == "flatAb")
            {
                Assert.Equal(("ann/wide", "ann/wide"), (Assert.Single(exact.Excluded).Version.Adapter, Assert.Single(sketch.Excluded).Version.Adapter));
                Assert.Equal([["ann/a0", "ann/a2", "ann/a4", "ann/a6"], ["ann/a1", "ann/a3", "ann/a5", "ann/a7"]], Groups(exact));
            }
            else
            {
                Assert.Empty(exact.Excluded);
                Assert.Equal(9, exact.Members);
            }

            Assert.Equal(Groups(exact), Groups(sketch));
            Assert.Equal(sketch.Previous, exact.Id);
            foreach (var (e, s) in exact.Clusters.Zip(sketch.Clusters))
                Assert.Equal(e.Cohesion, s.Cohesion, 0.1); // one sketch is as good as 2 ∕ √1024
        }
    });

    [Fact]
    public Task Newcomers_are_placed_at_once_and_seen_by_whom_they_may_be() => RunAsync(exactUpTo: 50, async stack =>
    {
        var (ann, bob) = (await stack.AccountAsync("ann"), await stack.AccountAsync("bob"));
        for (var i = 0; i < 8; i++)
            await ann.PublishedAsync($"ann/a{i}", PlantedAdapters.Files(i % 2, i));
        await ann.PublishedAsync("ann/secret", PlantedAdapters.Files(1, 20), isPrivate: true);
        var open = await ClusterAsync(ann, new ClusteringRequest(Base, K: 2));
        var own = await ClusterAsync(ann, new ClusteringRequest(Base, K: 2, Scope: "mine"));

        var near = await bob.PublishedAsync("bob/near", PlantedAdapters.Files(1, 30));
        await bob.PublishedAsync("bob/far", PlantedAdapters.Files(77, 31));
        await bob.PublishedAsync("bob/nothing", PlantedAdapters.Files(1, 32, zero: true));
        await ann.PublishedAsync("ann/hidden", PlantedAdapters.Files(0, 33), isPrivate: true);
        await bob.PublishedAsync("bob/hidden", PlantedAdapters.Files(0, 34), isPrivate: true);

        foreach (var caller in new[] { stack.Anonymous, ann, bob })
        {
            var seen = (await caller.GetAsync<ClusterSnapshotView>($"/clusterings/{open.Id}")).Arrivals!;
            Assert.Equal(["bob/far", "bob/near", "bob/nothing"], seen.Select(a => a.Version.Adapter));
            Assert.Equal((near, "c1", false), (seen[1].Version, seen[1].Cluster, seen[1].Outlier));
            Assert.True(seen[1].CentreCosine > 0.7);
            Assert.True(seen[0].Outlier && seen[0].CentreCosine < 0.4);
            Assert.Equal("zero", seen[2].Cluster);
        }

        // Bob's adapters are not Ann's: her own snapshot is placed into by her alone.
        Assert.Equal(["ann/hidden"], (await ann.GetAsync<ClusterSnapshotView>($"/clusterings/{own.Id}")).Arrivals!.Select(a => a.Version.Adapter));

        var arrival = await stack.Anonymous.GetAsync<AdapterClusterView>("/adapters/bob/near/cluster");
        Assert.Equal((near, open.Id, "c1", "arrival", false), (arrival.Version, arrival.SnapshotId, arrival.Cluster, arrival.Role, arrival.Outlier));
        var member = await stack.Anonymous.GetAsync<AdapterClusterView>("/adapters/ann/a0/cluster");
        Assert.Equal(("c0", "member", open.Id), (member.Cluster, member.Role, member.SnapshotId));
        Assert.Equal(own.Id, (await ann.GetAsync<AdapterClusterView>("/adapters/ann/secret/cluster")).SnapshotId);
        Assert.Equal("arrival", (await ann.GetAsync<AdapterClusterView>("/adapters/ann/hidden/cluster")).Role);
        (await bob.SendAsync(HttpMethod.Get, "/adapters/bob/hidden/cluster")).Problem(404, "not-found");
        (await bob.SendAsync(HttpMethod.Get, "/adapters/ann/hidden/cluster")).Problem(404, "not-found");
        (await bob.SendAsync(HttpMethod.Get, "/adapters/bob/near/cluster?similarity=flatAb")).Problem(404, "not-found");

        // The next snapshot takes them in.
        var next = await ClusterAsync(ann, new ClusteringRequest(Base, K: 3));
        Assert.Contains("bob/near", Members(next, "c1"));
        Assert.Empty((await ann.GetAsync<ClusterSnapshotView>($"/clusterings/{next.Id}")).Arrivals!);
        Assert.Equal("member", (await bob.GetAsync<AdapterClusterView>("/adapters/bob/near/cluster")).Role);
        Assert.Equal("zero", (await bob.GetAsync<AdapterClusterView>("/adapters/bob/nothing/cluster")).Role);

        // A later version of a member arrives like a new adapter.
        await bob.PublishedAsync("bob/near", PlantedAdapters.Files(0, 40));
        var again = await bob.GetAsync<AdapterClusterView>("/adapters/bob/near/cluster");
        Assert.Equal(("arrival", "c0", 2), (again.Role, again.Cluster, again.Version.Number));
    });

    [Fact]
    public Task A_library_that_is_again_as_it_was_is_clustered_again() => RunAsync(exactUpTo: 50, async stack =>
    {
        var owner = await stack.AccountAsync("ann");
        for (var i = 0; i < 4; i++)
            await owner.PublishedAsync($"ann/a{i}", PlantedAdapters.Files(i % 2, i));
        var first = await ClusterAsync(owner, new ClusteringRequest(Base));
        Assert.Equal(first.Id, (await ClusterAsync(owner, new ClusteringRequest(Base))).Id);

        await owner.PublishedAsync("ann/guest", PlantedAdapters.Files(0, 10));
        var second = await ClusterAsync(owner, new ClusteringRequest(Base));
        await owner.PublishedAsync("ann/guest", PlantedAdapters.Files(0, 10, baseModel: "org/elsewhere"));
        var third = await ClusterAsync(owner, new ClusteringRequest(Base));
        Assert.Equal((5, 4), (second.Members, third.Members));
        Assert.Equal(second.Id, third.Previous);
        Assert.Equal(Groups(first), Groups(third));
        Assert.Equal(third.Id, (await ClusterAsync(owner, new ClusteringRequest(Base))).Id);
    });

    [Fact]
    public Task What_was_derived_takes_part_only_where_asked() => RunAsync(exactUpTo: 50, async stack =>
    {
        var owner = await stack.AccountAsync("ann");
        for (var i = 0; i < 4; i++)
            await owner.PublishedAsync($"ann/a{i}", PlantedAdapters.Files(i % 2, i));
        var trained = await ClusterAsync(owner, new ClusteringRequest(Base, K: 2));
        var job = await owner.PostAsync<JobView>("/subtractions", new SubtractionRequest("ann/a0", [new("ann/a1")], new OutputRequest("ann/residual")), 202);
        Assert.Equal("succeeded", (await owner.EndedAsync(job.JobId)).Status);

        Assert.Equal("arrival", (await owner.GetAsync<AdapterClusterView>("/adapters/ann/residual/cluster")).Role);
        Assert.Equal(trained.Id, (await ClusterAsync(owner, new ClusteringRequest(Base, K: 2))).Id); // the trained ones are as they were
        var all = await ClusterAsync(owner, new ClusteringRequest(Base, K: 2, Derived: true));
        Assert.Equal((4, 5, "ann/residual"), (trained.Members, all.Members, Assert.Single(all.Moves).Version.Adapter));
        Assert.Equal(4, (await stack.Anonymous.GetAsync<DiverseView>($"/libraries/diverse?baseModel={Base}")).Members);
        Assert.Equal(5, (await stack.Anonymous.GetAsync<DiverseView>($"/libraries/diverse?baseModel={Base}&derived=true")).Members);
    });

    [Fact]
    public Task A_map_has_every_member_and_a_picture_that_can_do_nothing() => RunAsync(exactUpTo: 50, async stack =>
    {
        var owner = await stack.AccountAsync("ann");
        for (var i = 0; i < 6; i++)
            await owner.PublishedAsync($"ann/a{i}", PlantedAdapters.Files(i % 2, i));
        var snapshot = await ClusterAsync(owner, new ClusteringRequest(Base, K: 2));
        var map = await stack.Anonymous.GetAsync<ClusterMapView>($"/clusterings/{snapshot.Id}/map");
        Assert.Equal(snapshot.Clusters.SelectMany(c => c.Members.Select(m => (m.Version, c.Name, m.X, m.Y))), map.Points.Select(p => (p.Version, p.Cluster, p.X, p.Y)));
        Assert.Equal(2, map.Points.Count(p => p.Medoid));
        Assert.True(map.Explained[0] >= map.Explained[1] && map.Explained[0] + map.Explained[1] is > 0.5 and <= 1);
        // The two groups lie apart on the first axis.
        var sides = map.Points.GroupBy(p => p.Cluster).Select(g => (Least: g.Min(p => p.X), Most: g.Max(p => p.X))).OrderBy(s => s.Least).ToList();
        Assert.True(sides[0].Most < sides[1].Least);

        var svg = await stack.Anonymous.SendAsync(HttpMethod.Get, $"/clusterings/{snapshot.Id}/map.svg");
        Assert.Equal((200, "image/svg+xml"), (svg.Status, svg.ContentType));
        Assert.Contains("default-src 'none'", svg.Headers["Content-Security-Policy"], StringComparison.Ordinal);
        Assert.Contains("ann/a0@1, c0", svg.Body, StringComparison.Ordinal);
        (await owner.SendAsync(HttpMethod.Get, $"/clusterings/{new string('0', 32)}/map.svg")).Problem(404, "not-found");
    });

    [Fact]
    public Task A_library_of_adapters_that_change_nothing_has_no_clusters() => RunAsync(exactUpTo: 50, async stack =>
    {
        var owner = await stack.AccountAsync("ann");
        await owner.PublishedAsync("ann/a", PlantedAdapters.Files(0, 1, zero: true));
        var job = await owner.EndedAsync((await owner.PostAsync<JobView>("/clusterings", new ClusteringRequest(Base), 202)).JobId);
        Assert.Equal(("failed", "not-comparable"), (job.Status, job.Code));
        await owner.PublishedAsync("ann/b", PlantedAdapters.Files(0, 2));
        var one = await ClusterAsync(owner, new ClusteringRequest(Base));
        Assert.Equal((1, 1), (one.K, one.Members));
        Assert.Equal("ann/a", Assert.Single(one.Zero).Adapter);
        job = await owner.EndedAsync((await owner.PostAsync<JobView>("/clusterings", new ClusteringRequest(Base, K: 2), 202)).JobId);
        Assert.Equal(("failed", "not-comparable"), (job.Status, job.Code));
    });

    internal static async Task<ClusterSnapshotView> ClusterAsync(StackApi caller, ClusteringRequest request) =>
        await SnapshotAsync(caller, await PrivacyWorld.EndedAsync(caller, "/clusterings", request));

    internal static Task<ClusterSnapshotView> SnapshotAsync(StackApi caller, JobView job)
    {
        Assert.True(job.Status == "succeeded", $"{job.Code}: {job.Detail}");
        return caller.GetAsync<ClusterSnapshotView>($"/clusterings/{JsonSerializer.Deserialize<ClusteringResult>(job.Result!.Value, ApiJson.Options)!.SnapshotId}");
    }

    private static List<string[]> Groups(ClusterSnapshotView view) =>
        [.. view.Clusters.Select(c => c.Members.Select(m => m.Version.Adapter).ToArray()).OrderBy(g => g[0], StringComparer.Ordinal)];

    private static IEnumerable<string> Members(ClusterSnapshotView view, string cluster) =>
        view.Clusters.Single(c => c.Name == cluster).Members.Select(m => m.Version.Adapter).Order(StringComparer.Ordinal);

    private async Task RunAsync(int exactUpTo, Func<Stack, Task> test)
    {
        await using var stack = await Stack.StartAsync(await azurite.ConnectionStringAsync(), new StackSettings
        {
            Environment = new Dictionary<string, string> { ["Marketplace__MaxExactLibrary"] = $"{exactUpTo}" },
        });
        await stack.RunAsync(() => test(stack));
    }
}
