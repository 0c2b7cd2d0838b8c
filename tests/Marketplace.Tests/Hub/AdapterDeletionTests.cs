using System.Text.Json;
using Marketplace.Core;
using Marketplace.Core.Api;
using Marketplace.Core.Lineage;
using Marketplace.Core.Merges;
using Marketplace.Storage;
using Marketplace.Storage.Jobs;
using Marketplace.Tests.EndToEnd;
using Marketplace.Tests.Evaluation;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Hub;

/// <summary>What callers see of a deletion, over HTTP: routes that name the adapter, lists and answers that had it, what was made from it, and its successor under the same name.</summary>
public sealed class AdapterDeletionTests(AdapterDeletionTests.Fixture fixture) : IClassFixture<AdapterDeletionTests.Fixture>
{
    private const string Base = StackAdapters.BaseModel;

    private readonly Stack stack = fixture.Stack;

    public sealed class Fixture(AzuriteFixture azurite) : TwoAccountsFixture(azurite, new StackSettings())
    {
        public override async ValueTask InitializeAsync()
        {
            await base.InitializeAsync();
            await Stack.Storage.EvaluationSets.PublishAsync(AdapterId.Parse("ann/set"), TrainedFixture.Set("copy"), false, "ann");
            await Bob.PublishedAsync("bob/own", StackAdapters.Files(2));
        }
    }

    [Fact]
    public Task It_is_gone_from_everything_that_named_it_and_its_successor_is_taken_for_nothing_of_it() => stack.RunAsync(async () =>
    {
        var version = await fixture.Ann.PublishedAsync("ann/root", StackAdapters.Files(1));
        await PrivacyWorld.EndedAsync(fixture.Bob, "/subtractions", new SubtractionRequest("bob/own", [new("ann/root")], new OutputRequest("bob/derived")));
        var router = JsonSerializer.Deserialize<RouterResult>((await PrivacyWorld.EndedAsync(fixture.Bob, "/routers", new RouterRequest(["bob/own", "ann/root"]))).Result!.Value, ApiJson.Options)!.RouterId;
        var snapshot = JsonSerializer.Deserialize<ClusteringResult>((await PrivacyWorld.EndedAsync(fixture.Bob, "/clusterings", new ClusteringRequest(Base, K: 1))).Result!.Value, ApiJson.Options)!.SnapshotId;
        await StoredEvaluations.PutAsync(stack.Storage, "ann/set", Base, await StoredEvaluations.AdapterAsync(stack.Storage, "ann/root"), TrainedFixture.Measured("adapter:copy", "copy"));
        await stack.Storage.Collections.PutAsync(new CollectionRecord(
            AdapterId.Parse("bob/both"), false, Base, "genknowsub", DateTimeOffset.UtcNow, "00",
            new CollectionJobRequest(CollectionJobRequest.Residuals, Base, new MergeRecipe("genknowsub", []), "bob/both", false, [], [], []).ToJson(),
            [new("root", AdapterId.Parse("ann/root"), new(1, version.Id))]));
        string[] lists =
        [
            "/adapters", "/adapters?owner=ann", $"/adapters?baseModel={Base}", "/adapters/bob/own/similar", "/adapters/bob/own/novelty", $"/libraries/diverse?baseModel={Base}",
            $"/leaderboards?baseModel={Base}&set=ann/set", $"/clusterings/{snapshot}", $"/clusterings/{snapshot}/map", "/collections/bob/both", "/adapters/bob/derived/versions/main",
            "/adapters/bob/derived/versions/main/lineage", "/adapters/bob/derived/versions/main/merge-report",
        ];
        foreach (var list in lists.Where(l => !l.EndsWith("novelty", StringComparison.Ordinal)))
            Assert.Contains("ann/root", await TextAsync(fixture.Bob, list), StringComparison.Ordinal);

        (await fixture.Bob.SendAsync(HttpMethod.Delete, "/adapters/ann/root")).Problem(403, "forbidden");
        Assert.Equal(204, (await fixture.Ann.SendAsync(HttpMethod.Delete, "/adapters/ANN/Root")).Status);

        await AssertGoneAsync(lists, router);
        var nobody = await fixture.Ann.SendAsync(HttpMethod.Get, "/adapters/ann/none/versions/main");
        var gone = await fixture.Ann.SendAsync(HttpMethod.Get, "/adapters/ann/root/versions/main");
        Assert.Equal((nobody.Status, nobody.Read<ProblemView>().Code), (gone.Status, gone.Read<ProblemView>().Code));

        // What was made from it works on, and tells no more than that there was something.
        var lineage = await fixture.Bob.GetAsync<LineageGraph>("/adapters/bob/derived/versions/main/lineage");
        Assert.Contains(lineage.Nodes, n => n.Kind == LineageKind.NotVisible);
        Assert.Equal(302, (await fixture.Bob.SendAsync(HttpMethod.Get, "/adapters/bob/derived/versions/main/files/adapter_model.safetensors")).Status);
        Assert.Null((await fixture.Bob.GetAsync<VersionView>("/adapters/bob/derived/versions/main")).Lineage!.Recipe);

        // The same bytes under the same name are another adapter.
        var again = await fixture.Ann.PublishedAsync("ann/root", StackAdapters.Files(1));
        Assert.Equal((version.Id, true), (again.Id, again.Number > version.Number));
        await AssertGoneAsync(lists.Where(l => l.StartsWith("/clusterings", StringComparison.Ordinal) || l.StartsWith("/collections", StringComparison.Ordinal)
            || l.StartsWith("/leaderboards", StringComparison.Ordinal) || l.Contains("/derived/", StringComparison.Ordinal)), router, "ann/root@1", "\"adapter\":\"ann/root\",\"number\":1,");
        (await fixture.Bob.SendAsync(HttpMethod.Get, "/adapters/ann/root/versions/1")).Problem(404, "not-found");
        Assert.Equal(204, (await stack.Admin.SendAsync(HttpMethod.Delete, "/adapters/ann/root")).Status);
    });

    [Fact]
    public Task What_was_made_and_deleted_is_made_again_when_asked_for_and_not_from_what_is_gone() => stack.RunAsync(async () =>
    {
        await fixture.Ann.PublishedAsync("ann/general", StackAdapters.Files(5));
        var request = new SubtractionRequest("bob/own", [new("ann/general")], new OutputRequest("bob/rest"));
        var first = await PrivacyWorld.EndedAsync(fixture.Bob, "/subtractions", request);
        Assert.Equal(204, (await fixture.Bob.SendAsync(HttpMethod.Delete, "/adapters/bob/rest")).Status);

        var second = await PrivacyWorld.EndedAsync(fixture.Bob, "/subtractions", request);
        Assert.Equal((first.JobId, 2), (second.JobId, second.Attempt));
        var made = JsonSerializer.Deserialize<DerivedResult>(second.Result!.Value, ApiJson.Options)!.Version;
        Assert.Equal(made, (await fixture.Bob.GetAsync<AdapterView>("/adapters/bob/rest")).Main);
        Assert.Equal(204, (await fixture.Ann.SendAsync(HttpMethod.Delete, "/adapters/ann/general")).Status);
        (await fixture.Bob.SendAsync(HttpMethod.Post, "/subtractions", request with { Output = new OutputRequest("bob/other") })).Problem(400, "invalid-request");

        // One that was asked for before and runs only now.
        var job = (await stack.Storage.Jobs.GetAsync(first.JobId))! with { Id = new string('e', 64), Status = JobStatus.Queued };
        await stack.Storage.Jobs.SubmitAsync(job);
        await stack.Storage.Queues.SendAsync(QueueNames.FunctionsJobs, job.Id);
        Assert.Equal("input-gone", (await fixture.Bob.EndedAsync(job.Id)).Code);
    });

    [Fact]
    public Task An_upload_that_was_under_way_does_not_bring_it_back_and_what_is_down_can_not_be_deleted() => stack.RunAsync(async () =>
    {
        await fixture.Ann.PublishedAsync("ann/late", StackAdapters.Files(6));
        var ticket = await fixture.Ann.StageAsync("ann/late", StackAdapters.Files(7));
        Assert.Equal(204, (await fixture.Ann.SendAsync(HttpMethod.Delete, "/adapters/ann/late")).Status);
        await fixture.Ann.PostAsync<UploadStatus>($"/uploads/{ticket.UploadId}/complete", null, 202);
        Assert.Equal(("failed", "deleted"), await fixture.Ann.DecidedAsync(ticket.UploadId) is var failed ? (failed.State, failed.Code) : default);
        (await fixture.Ann.SendAsync(HttpMethod.Get, "/adapters/ann/late")).Problem(404, "not-found");

        await fixture.Ann.PublishedAsync("ann/down", StackAdapters.Files(8), isPrivate: true);
        await stack.Admin.PostAsync<TakedownView>("/adapters/ann/down/takedown", new TakedownRequest("legal"), 200);
        foreach (var caller in new[] { fixture.Ann, stack.Admin })
            (await caller.SendAsync(HttpMethod.Delete, "/adapters/ann/down")).Problem(409, "conflict");
        (await fixture.Bob.SendAsync(HttpMethod.Delete, "/adapters/ann/down")).Problem(404, "not-found");
        (await fixture.Ann.SendAsync(HttpMethod.Delete, "/adapters/ann/never")).Problem(404, "not-found");
    });

    private async Task AssertGoneAsync(IEnumerable<string> lists, string router, params string[] traces)
    {
        foreach (var caller in new[] { fixture.Ann, fixture.Bob, stack.Anonymous, stack.Admin })
        {
            foreach (var list in lists)
                foreach (var trace in traces is [] ? ["ann/root"] : traces)
                    Assert.DoesNotContain(trace, await TextAsync(caller, list), StringComparison.Ordinal);
            (await caller.SendAsync(HttpMethod.Get, $"/routers/{router}")).Problem(404, "not-found");
        }
    }

    private static async Task<string> TextAsync(StackApi caller, string route)
    {
        var answer = await caller.SendAsync(HttpMethod.Get, route);
        Assert.True(answer.Status == 200, $"{route}: {answer.Body}");
        return answer.Body;
    }
}
