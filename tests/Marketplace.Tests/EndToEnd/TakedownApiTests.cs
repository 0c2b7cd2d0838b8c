using System.Text.Json;
using Marketplace.Core;
using Marketplace.Core.Api;
using Marketplace.Core.Evaluation;
using Marketplace.Core.Lineage;
using Marketplace.Core.Merges;
using Marketplace.Storage;
using Marketplace.Storage.Jobs;
using Marketplace.Tests.Evaluation;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.EndToEnd;

/// <summary>What callers see of a takedown, over HTTP: the routes that name the adapter, the lists that had it, its owner, strangers, and those who made something from it.</summary>
public sealed class TakedownApiTests(TakedownApiTests.Fixture fixture) : IClassFixture<TakedownApiTests.Fixture>
{
    private const string Base = StackAdapters.BaseModel;

    private readonly Stack stack = fixture.Stack;

    public sealed class Fixture(AzuriteFixture azurite) : StackFixture(azurite, new StackSettings())
    {
        internal StackApi Ann { get; private set; } = null!;

        internal StackApi Bob { get; private set; } = null!;

        public override async ValueTask InitializeAsync()
        {
            await base.InitializeAsync();
            (Ann, Bob) = (await Stack.AccountAsync("ann"), await Stack.AccountAsync("bob"));
            await Stack.Storage.EvaluationSets.PublishAsync(AdapterId.Parse("ann/set"), TrainedFixture.Set("copy"), false, "ann");
            await Bob.PublishedAsync("bob/own", StackAdapters.Files(2));
        }
    }

    [Fact]
    public Task By_every_route_that_names_it_it_is_gone_and_in_no_list_until_it_is_back() => stack.RunAsync(async () =>
    {
        var version = await fixture.Ann.PublishedAsync("ann/root", StackAdapters.Files(1));
        await PrivacyWorld.EndedAsync(fixture.Bob, "/subtractions", new SubtractionRequest("bob/own", [new("ann/root")], new OutputRequest("bob/derived")));
        var router = JsonSerializer.Deserialize<RouterResult>((await PrivacyWorld.EndedAsync(fixture.Bob, "/routers", new RouterRequest(["bob/own", "ann/root"]))).Result!.Value, ApiJson.Options)!.RouterId;
        var snapshot = JsonSerializer.Deserialize<ClusteringResult>((await PrivacyWorld.EndedAsync(fixture.Bob, "/clusterings", new ClusteringRequest(Base, K: 1))).Result!.Value, ApiJson.Options)!.SnapshotId;
        await StoredEvaluations.PutAsync(stack.Storage, "ann/set", Base, await StoredEvaluations.AdapterAsync(stack.Storage, "ann/root"), TrainedFixture.Measured("adapter:copy", "copy"));
        await StoredEvaluations.PutAsync(stack.Storage, "ann/set", Base, await StoredEvaluations.AdapterAsync(stack.Storage, "bob/own"), TrainedFixture.Measured("base", "copy"));
        await stack.Storage.Collections.PutAsync(new CollectionRecord(
            AdapterId.Parse("bob/both"), false, Base, "genknowsub", DateTimeOffset.UtcNow, "00",
            new CollectionJobRequest(CollectionJobRequest.Residuals, Base, new MergeRecipe("genknowsub", []), "bob/both", false, [], [], []).ToJson(),
            [new("root", AdapterId.Parse("ann/root"), new(1, version.Id))]));
        var waiting = await fixture.Ann.StageAsync("ann/root", StackAdapters.Files(3));
        string[] lists =
        [
            "/adapters", "/adapters?owner=ann", $"/adapters?baseModel={Base}", "/adapters?q=root", "/adapters/bob/own/similar", "/adapters/bob/own/novelty", $"/libraries/diverse?baseModel={Base}",
            $"/leaderboards?baseModel={Base}&set=ann/set", $"/clusterings/{snapshot}", $"/clusterings/{snapshot}/map", $"/clusterings/{snapshot}/map.svg",
        ];
        foreach (var list in lists.Where(l => !l.EndsWith("novelty", StringComparison.Ordinal)))
            Assert.Contains("ann/root", await TextAsync(fixture.Bob, list), StringComparison.Ordinal);

        var taken = await stack.Admin.PostAsync<TakedownView>("/adapters/ann/root/takedown", new TakedownRequest("legal", "A court said so."), 200);

        Assert.Equal((true, "flag", "admin", "bob/derived@1"), (taken.Complete, taken.Descendants, taken.By, Assert.Single(taken.Flagged!)));
        foreach (var caller in new[] { fixture.Ann, fixture.Bob, stack.Anonymous, stack.Admin })
        {
            foreach (var route in new[]
            {
                "", "/versions", "/versions/1", $"/versions/{version.Id}", "/versions/main/report", "/versions/main/analysis", "/versions/main/merge-report", "/versions/main/lineage",
                "/versions/main/files/adapter_config.json", "/versions/main/files/adapter_model.safetensors?rank=1", "/versions/main/ranks/1", "/similar", "/novelty", "/cluster",
            })
            {
                AssertGone(await caller.SendAsync(HttpMethod.Get, "/adapters/ann/root" + route));
            }

            AssertGone(await caller.SendAsync(HttpMethod.Post, "/compatibility", new CompatibilityRequest(["bob/own", "ann/root@1"])));
            foreach (var list in lists)
                Assert.DoesNotContain("ann/root", await TextAsync(caller, list), StringComparison.Ordinal);
            Assert.Empty((await caller.GetAsync<CollectionView>("/collections/bob/both")).Members!);
        }

        foreach (var route in new[] { "", "/files/router.json" })
            AssertGone(await fixture.Bob.SendAsync(HttpMethod.Get, $"/routers/{router}{route}"));
        foreach (var (route, body) in new (string, object)[]
        {
            ("/merges", new MergeRecipe("linear", [new("bob/own"), new(Recipe: new("cat", [new("ann/root")]))], new OutputRequest("bob/x"))), ("/merges/plan", new MergeRecipe("linear", [new("ann/root")])),
            ("/subtractions", new SubtractionRequest("bob/own", [new("ann/root")], new OutputRequest("bob/x"))), ("/subtractions/batch", new SubtractionBatchRequest([new("ann/root")], new("bob/x"), ["bob/own"])),
            ("/subtractions/batch", new SubtractionBatchRequest([new("bob/own")], new("bob/x"), ["ann/root"])),
            ("/routers", new RouterRequest(["ann/root"])), ("/routers", new RouterRequest(["bob/own"], General: [new("ann/root")])), ("/compositions", new CompositionRequest("atlas", ["ann/root"], "ann/set", new OutputRequest("bob/x"))),
            ("/evaluations", new EvaluationRequest(["ann/set"], [new AdapterSubject("ann/root")])),
        })
        {
            AssertGone(await fixture.Bob.SendAsync(HttpMethod.Post, route, body));
        }

        // Its owner publishes nothing to it, not even what was on its way.
        AssertGone(await fixture.Ann.SendAsync(HttpMethod.Post, "/uploads", new BeginUploadRequest("ann/root", [new("adapter_config.json", 1)])));
        AssertGone(await fixture.Ann.SendAsync(HttpMethod.Put, "/adapters/ann/root/tags/x"));
        await fixture.Ann.PostAsync<UploadStatus>($"/uploads/{waiting.UploadId}/complete", null, 202);
        Assert.Equal(("failed", "taken-down"), await fixture.Ann.DecidedAsync(waiting.UploadId) is var late ? (late.State, late.Code) : default);
        var own = Assert.Single((await fixture.Ann.GetAsync<ListResponse<AdapterView>>("/adapters?owner=ann&takenDown=true")).Items, a => a.Id == "ann/root");
        Assert.Equal("A court said so.", own.Takedown!.Message);
        Assert.NotNull(own.Takedown.RestorableUntil);
        Assert.DoesNotContain("ann/root", await TextAsync(fixture.Bob, "/adapters?owner=ann&takenDown=true"), StringComparison.Ordinal);

        // What was made from it works on, and says so.
        var derived = await stack.Anonymous.GetAsync<VersionView>("/adapters/bob/derived/versions/main");
        Assert.Equal(("ann/root", "legal"), Assert.Single(derived.TaintedBy!) is var taint ? (taint.Adapter, taint.Reason) : default);
        Assert.True(Assert.Single(derived.Lineage!.Parents, p => p.Version.Adapter == "ann/root").TakenDown);
        Assert.Single((await stack.Anonymous.GetAsync<AdapterView>("/adapters/bob/derived")).TaintedBy!);
        Assert.True(Assert.Single((await stack.Anonymous.GetAsync<LineageGraph>("/adapters/bob/derived/versions/1/lineage")).Nodes, n => n.Version?.Adapter == "ann/root").TakenDown);
        Assert.Contains("class=\"down\"", await TextAsync(stack.Anonymous, "/adapters/bob/derived/versions/1/lineage?format=svg"), StringComparison.Ordinal);
        await PrivacyWorld.EndedAsync(fixture.Bob, "/subtractions", new SubtractionRequest("bob/derived", [new("bob/own")], new OutputRequest("bob/later")));
        Assert.Single((await fixture.Bob.GetAsync<AdapterView>("/adapters/bob/later")).TaintedBy!);

        var back = await stack.Admin.SendAsync(HttpMethod.Delete, "/adapters/ann/root/takedown");
        Assert.Equal((200, false), (back.Status, back.Read<RestoreView>().StillDown));
        foreach (var list in lists.Where(l => !l.EndsWith("novelty", StringComparison.Ordinal)))
            Assert.Contains("ann/root", await TextAsync(fixture.Bob, list), StringComparison.Ordinal);
        Assert.Equal(200, (await fixture.Bob.SendAsync(HttpMethod.Get, $"/routers/{router}")).Status);
        Assert.Null((await stack.Anonymous.GetAsync<VersionView>("/adapters/bob/derived/versions/main")).TaintedBy);
        Assert.Equal(404, (await stack.Admin.SendAsync(HttpMethod.Get, "/adapters/ann/root/takedown")).Status);
    });

    [Fact]
    public Task A_private_adapter_that_is_down_is_known_to_its_owner_only_and_so_is_its_name() => stack.RunAsync(async () =>
    {
        // Private, then public by way of a subtraction, then in another account.
        await fixture.Ann.PublishedAsync("ann/quiet", StackAdapters.Files(11), isPrivate: true);
        await PrivacyWorld.EndedAsync(fixture.Ann, "/subtractions", new SubtractionRequest("ann/quiet", [new("bob/own")], new OutputRequest("ann/loud")));
        await PrivacyWorld.EndedAsync(fixture.Bob, "/subtractions", new SubtractionRequest("ann/loud", [new("bob/own")], new OutputRequest("bob/of-loud")));
        await stack.Admin.PostAsync<TakedownView>("/adapters/ann/quiet/takedown", new TakedownRequest("privacy", "Tells of ann/quiet."), 200);

        AssertGone(await fixture.Ann.SendAsync(HttpMethod.Get, "/adapters/ann/quiet"));
        foreach (var stranger in new[] { fixture.Bob, stack.Anonymous })
        {
            (await stranger.SendAsync(HttpMethod.Get, "/adapters/ann/quiet")).Problem(404, "not-found");
            (await stranger.SendAsync(HttpMethod.Get, "/adapters/ann/quiet/takedown")).Problem(404, "not-found");
        }

        Assert.Equal("ann/quiet", Assert.Single((await fixture.Ann.GetAsync<AdapterView>("/adapters/ann/loud")).TaintedBy!).Adapter);
        var toBob = Assert.Single((await fixture.Bob.GetAsync<AdapterView>("/adapters/bob/of-loud")).TaintedBy!);
        Assert.Equal((null, "privacy", null), (toBob.Adapter, toBob.Reason, toBob.Message));
        Assert.Null((await fixture.Bob.GetAsync<AdapterView>("/adapters/ann/loud")).TaintedBy);
        foreach (var name in new[] { "ann/loud", "bob/of-loud" })
            Assert.DoesNotContain("taintedBy", await TextAsync(stack.Anonymous, $"/adapters/{name}/versions"), StringComparison.Ordinal);

        // Harder: what was made from it goes down too, and Bob is not told because of what.
        var harder = await stack.Admin.PostAsync<TakedownView>("/adapters/ann/quiet/takedown", new TakedownRequest("privacy", "Tells of ann/quiet.", "takeDown"), 200);
        Assert.Equal(["ann/loud", "bob/of-loud"], harder.TakenDown!.Order(StringComparer.Ordinal));
        var gone = (await fixture.Bob.SendAsync(HttpMethod.Get, "/adapters/bob/of-loud")).Problem(410, "taken-down");
        Assert.Equal((true, null, null), (gone.Takedown!.Caused, gone.Takedown.Because, gone.Takedown.Message));
        Assert.DoesNotContain("quiet", JsonSerializer.Serialize(gone), StringComparison.Ordinal);
        Assert.Equal("ann/quiet", (await fixture.Ann.SendAsync(HttpMethod.Get, "/adapters/ann/loud")).Problem(410, "taken-down").Takedown!.Because);
        (await stack.Admin.SendAsync(HttpMethod.Delete, "/adapters/bob/of-loud/takedown")).Problem(409, "conflict");
        var back = (await stack.Admin.SendAsync(HttpMethod.Delete, "/adapters/ann/quiet/takedown")).Read<RestoreView>();
        Assert.Equal(["ann/loud", "bob/of-loud"], back.Restored.Order(StringComparer.Ordinal));
        Assert.Equal(200, (await fixture.Bob.SendAsync(HttpMethod.Get, "/adapters/bob/of-loud")).Status);
    });

    [Fact]
    public Task A_job_that_waits_while_its_input_goes_down_fails_and_can_be_asked_for_again() => stack.RunAsync(async () =>
    {
        await fixture.Ann.PublishedAsync("ann/input", StackAdapters.Files(21));
        var done = await PrivacyWorld.EndedAsync(fixture.Ann, "/subtractions", new SubtractionRequest("ann/input", [new("bob/own")], new OutputRequest("ann/first")));
        var jobs = stack.Storage.Jobs;
        var first = (await jobs.GetAsync(done.JobId))!;
        await stack.Admin.PostAsync<TakedownView>("/adapters/ann/input/takedown", new TakedownRequest("malware"), 200);

        // As if it had been asked for before the takedown, and its message came only now.
        var request = first.RequestJson.Replace("ann/first", "ann/second", StringComparison.Ordinal);
        var id = await jobs.ComputeIdAsync(JobKind.Subtraction, request, "test");
        await jobs.SubmitAsync(first with { Id = id, RequestJson = request, ResultJson = null, FinishedAt = null, ETag = default });
        await stack.Storage.Queues.SendAsync(QueueNames.FunctionsJobs, id);
        var failed = await fixture.Ann.EndedAsync(id);

        Assert.Equal(("failed", "input-taken-down"), (failed.Status, failed.Code));
        Assert.Null(await stack.Storage.Adapters.GetAsync(AdapterId.Parse("ann/second")));
        Assert.Equal(200, (await stack.Admin.SendAsync(HttpMethod.Delete, "/adapters/ann/input/takedown")).Status);
        Assert.True((await jobs.SubmitAsync(first with { Id = id, RequestJson = request })).Enqueue);
        await stack.Storage.Queues.SendAsync(QueueNames.FunctionsJobs, id);
        await fixture.Ann.EventuallyAsync<JobView>($"/jobs/{id}", j => j.Status == "succeeded");
    });

    private static void AssertGone(StackAnswer answer)
    {
        var problem = answer.Problem(410, "taken-down");
        Assert.NotNull(problem.Takedown);
        Assert.True(DateTimeOffset.UtcNow - problem.Takedown.At < TimeSpan.FromHours(1));
    }

    private static async Task<string> TextAsync(StackApi caller, string route)
    {
        var answer = await caller.SendAsync(HttpMethod.Get, route);
        Assert.True(answer.Status == 200, $"{route} answers {answer.Status}: {answer.Body}");
        return answer.Body;
    }
}
