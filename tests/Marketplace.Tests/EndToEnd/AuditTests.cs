using System.Text.Json;
using Marketplace.Core;
using Marketplace.Core.Api;
using Marketplace.Core.Evaluation;
using Marketplace.Core.Merges;
using Marketplace.Functions;
using Marketplace.Storage;
using Marketplace.Tests.Evaluation;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.EndToEnd;

/// <summary>Every function of the table that writes leaves an event that says who did what to what; those that only read say so in the table, and leave none.</summary>
public sealed class AuditTests(AuditTests.Fixture fixture) : IClassFixture<AuditTests.Fixture>
{
    private const string Base = StackAdapters.BaseModel;

    private readonly Stack stack = fixture.Stack;

    // No kernels, so that their jobs wait and can be made poison; timers run all the time.
    public sealed class Fixture(AzuriteFixture azurite) : StackFixture(azurite, new StackSettings
    {
        Environment = new Dictionary<string, string>
        {
            ["Marketplace__SweepSchedule"] = "* * * * * *",
            ["Marketplace__ReclusterSchedule"] = "*/2 * * * * *",
            ["Marketplace__RecountSchedule"] = "*/2 * * * * *",
            // A tenant whose identities can be bound; nobody comes with a token.
            ["Marketplace__Entra__TenantId"] = TestIssuer.TenantId,
            ["Marketplace__Entra__Audience"] = TestIssuer.Audience,
        },
    })
    {
        internal StackApi Ann { get; private set; } = null!;

        internal string Snapshot { get; private set; } = "";

        public override async ValueTask InitializeAsync()
        {
            await base.InitializeAsync();
            Ann = await Stack.AccountAsync("ann");
            await Ann.PublishedAsync("ann/one", StackAdapters.Files(1));
            await Ann.PublishedAsync("ann/two", StackAdapters.Files(2));
            await Ann.PublishedAsync("ann/gone", StackAdapters.Files(3));
            await Stack.Storage.EvaluationSets.PublishAsync(AdapterId.Parse("ann/set"), TrainedFixture.Set("copy"), false, "ann");
            await Stack.Storage.EvaluationSets.PublishAsync(AdapterId.Parse("ann/old-set"), TrainedFixture.Set("copy"), false, "ann");
            await Stack.Storage.Collections.PutAsync(new CollectionRecord(AdapterId.Parse("ann/c"), false, Base, "genknowsub", DateTimeOffset.UtcNow, "00", "{}", []));
            Snapshot = JsonSerializer.Deserialize<ClusteringResult>(
                (await PrivacyWorld.EndedAsync(Ann, "/clusterings", new ClusteringRequest(Base, K: 1))).Result!.Value, ApiJson.Options)!.SnapshotId;
        }
    }

    /// <summary>What a function is to leave: action, subject (null for one that a job's or upload's id ends) and with what it was done.</summary>
    private sealed record Left(string Action, string? Subject, string Via = "key:", string Actor = "ann");

    private static Dictionary<string, Func<Fixture, Task<Left>>> Writes { get; } = new()
    {
        ["UpdateAdapter"] = f => DoneAsync(f, HttpMethod.Patch, "/adapters/ann/two", new UpdateAdapterRequest(false), new("unlist", "ann/two")),
        ["DeleteAdapter"] = async f =>
        {
            await f.Ann.PublishedAsync("ann/deleted", StackAdapters.Files(11));
            return await DoneAsync(f, HttpMethod.Delete, "/adapters/ann/deleted", null, new("delete", "ann/deleted"));
        },
        ["SetTag"] = f => DoneAsync(f, HttpMethod.Put, "/adapters/ann/one/tags/stable", null, new("set-tag", "ann/one#stable")),
        ["DeleteTag"] = async f =>
        {
            await f.Ann.SendAsync(HttpMethod.Put, "/adapters/ann/one/tags/brief");
            return await DoneAsync(f, HttpMethod.Delete, "/adapters/ann/one/tags/brief", null, new("delete-tag", "ann/one#brief"));
        },
        ["TakeDownAdapter"] = async f =>
        {
            await f.Stack.Admin.PostAsync<TakedownView>("/adapters/ann/gone/takedown", new TakedownRequest("other"), 200);
            return new("takedown", "ann/gone", Actor: "admin");
        },
        ["RestoreAdapter"] = async f =>
        {
            await f.Stack.Admin.PostAsync<TakedownView>("/adapters/ann/gone/takedown", new TakedownRequest("other"), 200);
            Assert.Equal(200, (await f.Stack.Admin.SendAsync(HttpMethod.Delete, "/adapters/ann/gone/takedown")).Status);
            return new("restore", "ann/gone", Actor: "admin");
        },
        ["BeginUpload"] = f => DoneAsync(f, HttpMethod.Post, "/uploads", new BeginUploadRequest("ann/x", [new("adapter_config.json", 1)]), new("begin-upload", null)),
        ["CompleteUpload"] = async f =>
        {
            var ticket = await f.Ann.StageAsync("ann/three", StackAdapters.Files(4));
            return await DoneAsync(f, HttpMethod.Post, $"/uploads/{ticket.UploadId}/complete", null, new("complete-upload", $"uploads/{ticket.UploadId}"));
        },
        ["CancelUpload"] = async f =>
        {
            var ticket = await f.Ann.StageAsync("ann/three", StackAdapters.Files(4));
            return await DoneAsync(f, HttpMethod.Delete, $"/uploads/{ticket.UploadId}", null, new("cancel-upload", $"uploads/{ticket.UploadId}"));
        },
        ["RequestMerge"] = f => DoneAsync(f, HttpMethod.Post, "/merges", Merge("ann/m"), new("request-merge", null)),
        ["RequestComposition"] = f => DoneAsync(f, HttpMethod.Post, "/compositions", new CompositionRequest("atlas", ["ann/one"], "ann/set", new OutputRequest("ann/k")), new("request-composition", null)),
        ["RequestSubtraction"] = f => DoneAsync(f, HttpMethod.Post, "/subtractions", new SubtractionRequest("ann/one", [new("ann/two")], new OutputRequest("ann/s")), new("request-subtraction", null)),
        ["RequestSubtractionBatch"] = f =>
            DoneAsync(f, HttpMethod.Post, "/subtractions/batch", new SubtractionBatchRequest([new("ann/two")], new("ann/b"), ["ann/one"]), new("request-subtraction-batch", null)),
        ["RequestClustering"] = f => DoneAsync(f, HttpMethod.Post, "/clusterings", new ClusteringRequest(Base, K: 2, Scope: "mine"), new("request-clustering", null)),
        ["BuildLibrary"] = f => DoneAsync(f, HttpMethod.Post, $"/clusterings/{f.Snapshot}/build", new BuildLibraryRequest("linear", new("ann/l")), new("build-library", $"clusterings/{f.Snapshot}")),
        ["DeleteCollection"] = f => DoneAsync(f, HttpMethod.Delete, "/collections/ann/c", null, new("forget-collection", "ann/c")),
        ["RequestRouter"] = f => DoneAsync(f, HttpMethod.Post, "/routers", new RouterRequest(["ann/one", "ann/two"]), new("request-router", null)),
        ["PublishEvaluationSet"] = f =>
        {
            var items = new StringContent("""{"prompt":"1+1=","choices":["2","3"],"answer":0}""" + "\n", System.Text.Encoding.UTF8, "application/jsonl");
            return DoneAsync(f, HttpMethod.Post, "/evaluation-sets?set=ann/new-set", items, new("publish-set", "ann/new-set@1"));
        },
        ["UpdateEvaluationSet"] = f => DoneAsync(f, HttpMethod.Patch, "/evaluation-sets/ann/set", new UpdateEvaluationSetRequest(false), new("unlist-set", "ann/set")),
        ["DeleteEvaluationSet"] = f => DoneAsync(f, HttpMethod.Delete, "/evaluation-sets/ann/old-set", null, new("delete-set", "ann/old-set")),
        ["RequestEvaluation"] = f => DoneAsync(f, HttpMethod.Post, "/evaluations", new EvaluationRequest(["ann/set"], [new AdapterSubject("ann/one")]), new("request-evaluation", null)),
        ["RetryJob"] = async f =>
        {
            var job = await f.Ann.PostAsync<JobView>("/merges", new MergeRecipe("linear", [RecipeInput.Of("ann/one"), RecipeInput.Of("ann/two", 7)], new OutputRequest("ann/again")), 202);
            await f.Stack.Admin.PostAsync<JobView>($"/jobs/{job.JobId}/retry", null, 202);
            return new("retry-job", $"jobs/{job.JobId}", Actor: "admin");
        },
        ["RetryUpload"] = async f =>
        {
            var ticket = await f.Ann.StageAsync("ann/again", StackAdapters.Files(9));
            var upload = (await f.Stack.Storage.Uploads.GetAsync(ticket.UploadId))!;
            await f.Stack.Storage.Uploads.UpdateAsync(upload with { State = UploadState.Failed, FailureCode = UploadRecord.Poisoned });
            Assert.Equal(202, (await f.Stack.Admin.SendAsync(HttpMethod.Post, $"/uploads/{ticket.UploadId}/retry")).Status);
            return new("retry-upload", $"uploads/{ticket.UploadId}", Actor: "admin");
        },
        ["CancelJob"] = async f =>
        {
            var job = await f.Ann.PostAsync<JobView>("/merges", Merge("ann/cancelled"), 202);
            return await DoneAsync(f, HttpMethod.Post, $"/jobs/{job.JobId}/cancel", null, new("cancel-job", $"jobs/{job.JobId}"));
        },
        ["CreateKey"] = async f => new("create-key", $"ann#{(await f.Ann.PostAsync<KeyView>("/keys", new CreateKeyRequest("spare"), 201)).Id}"),
        ["RevokeKey"] = async f =>
        {
            var key = await f.Ann.PostAsync<KeyView>("/keys", new CreateKeyRequest("spare"), 201);
            return await DoneAsync(f, HttpMethod.Delete, $"/keys/{key.Id}", null, new("revoke-key", $"ann#{key.Id}"));
        },
        ["SetQuota"] = async f =>
        {
            Assert.Equal(200, (await f.Stack.Admin.SendAsync(HttpMethod.Put, "/accounts/ann/quota", new SetQuotaRequest(Uploads: 77))).Status);
            return new("set-quota", "ann", Actor: "admin");
        },
        ["BindIdentity"] = f => BoundAsync(f, new Guid(1, 0, 0, new byte[8])),
        ["UnbindIdentity"] = async f =>
        {
            var id = new Guid(2, 0, 0, new byte[8]);
            await BoundAsync(f, id);
            Assert.Equal(204, (await f.Stack.Admin.SendAsync(HttpMethod.Delete, $"/accounts/ann/identities/{id}")).Status);
            return new("unbind-identity", "ann", Actor: "admin");
        },
        ["RegisterBaseModel"] = async f =>
        {
            await f.Stack.Admin.PostAsync<UploadTicket>("/base-models", new RegisterBaseModelRequest("org/base", [new("config.json", 2)]), 201);
            return new("register-base-model", null, Actor: "admin");
        },
        ["ConfirmAlias"] = f => DoneAsync(f, HttpMethod.Post, "/base-models/aliases", new ConfirmAliasRequest("/models/x", Base), new("confirm-alias", "/models/x")),
        ["AllocateSubspaces"] = f => DoneAsync(f, HttpMethod.Post, "/base-models/subspaces", new AllocateSubspacesRequest("ann/future", Base, 1, [new("q", 8)]), new("allocate-subspaces", "ann/future")),

        ["ValidateAdapter"] = async f =>
        {
            var version = await f.Ann.PublishedAsync("ann/four", StackAdapters.Files(5));
            return new("publish", $"ann/four@{version.Number}", "queue:validations");
        },
        ["FailValidation"] = async f =>
        {
            var (id, now) = (UploadStore.NewId(), DateTimeOffset.UtcNow);
            await f.Stack.Storage.Uploads.AddAsync(new UploadRecord(id, AdapterId.Parse("ann/p"), "ann", false, UploadState.Queued, [], null, null, now, now.AddHours(1), null, null, null, default));
            await f.Stack.Storage.Queues.SendAsync(QueueNames.Poison(QueueNames.Validations), id);
            return new("fail-validation", $"uploads/{id}", "queue:validations-poison", AuditLog.Service);
        },
        ["RunJob"] = async f =>
        {
            var job = await PrivacyWorld.EndedAsync(f.Ann, "/subtractions", new SubtractionRequest("ann/two", [new("ann/one")], new OutputRequest("ann/r")));
            return new("job-succeeded", $"jobs/{job.JobId}", "queue:functions-jobs");
        },
        ["FailJob"] = f => PoisonAsync(f, QueueNames.FunctionsJobs, "ann/poisoned"),
        ["FailKernelJob"] = f => PoisonAsync(f, QueueNames.KernelJobs, "ann/poisoned-too"),

        ["Sweep"] = async f =>
        {
            var (id, now) = (UploadStore.NewId(), DateTimeOffset.UtcNow.AddHours(-2));
            await f.Stack.Storage.Uploads.AddAsync(new UploadRecord(id, AdapterId.Parse("ann/p"), "ann", false, UploadState.Open, [], null, null, now, now.AddHours(1), null, null, null, default));
            return new("sweep", "storage", "timer:Sweep", AuditLog.Service);
        },
        ["RecountUsage"] = async f =>
        {
            // Published past the API, so that nobody was charged; so were the fixture's sets, whose event is an earlier one.
            var from = DateTimeOffset.UtcNow;
            await f.Stack.Storage.EvaluationSets.PublishAsync(AdapterId.Parse("ann/uncharged"), TrainedFixture.Set("last"), false, "ann");
            await f.Stack.Admin.EventuallyAsync<ListResponse<AuditEventView>>("/audit?action=recount-usage", list => list.Items.Any(e => e.At > from));
            return new("recount-usage", "accounts", "timer:RecountUsage", AuditLog.Service);
        },
        ["Recluster"] = _ => Task.FromResult(new Left("recluster", "libraries", "timer:Recluster", AuditLog.Service)),
    };

    private static async Task<Left> BoundAsync(Fixture fixture, Guid id)
    {
        Assert.Equal(200, (await fixture.Stack.Admin.SendAsync(HttpMethod.Put, $"/accounts/ann/identities/{id}")).Status);
        return new("bind-identity", "ann", Actor: "admin");
    }

    public static TheoryData<string> Writers =>
        [.. FunctionTable.Http.Where(f => f.Writes).Select(f => f.Name), .. FunctionTable.Queues.Select(f => f.Name), .. FunctionTable.Timers.Select(f => f.Name)];

    [Theory]
    [MemberData(nameof(Writers))]
    public Task A_function_that_writes_leaves_an_event(string function) => stack.RunAsync(async () =>
    {
        Assert.True(Writes.TryGetValue(function, out var write), $"Nobody has thought about what {function} leaves in the audit.");
        var before = DateTimeOffset.UtcNow;
        var left = await write(fixture);

        var query = $"/audit?action={left.Action}&actor={Uri.EscapeDataString(left.Actor)}{(left.Subject is null ? "" : $"&subject={Uri.EscapeDataString(left.Subject)}")}";
        var found = (await stack.Admin.EventuallyAsync<ListResponse<AuditEventView>>(query, list => list.Items.Count > 0)).Items[0];
        Assert.StartsWith(left.Via, found.Via, StringComparison.Ordinal);
        if (left.Subject is null)
            Assert.Matches("^(jobs|uploads)/[0-9a-f]{32,64}$", found.Subject);
        Assert.True(found.At > before.AddMinutes(-1));
    });

    [Fact]
    public Task What_only_reads_is_declared_and_leaves_nothing() => stack.RunAsync(async () =>
    {
        Assert.Equal(
            ["CompareAdapters", "CompareEvaluations", "MixEvaluations", "PlanMerge", "RouteTokens"],
            FunctionTable.Http.Where(f => f.ReadsOnly).Select(f => f.Name).Order(StringComparer.Ordinal));
        Assert.All(FunctionTable.Http.Where(f => f.Method == "GET"), f => Assert.False(f.Writes));

        var reader = await stack.AccountAsync("rita");
        Assert.Equal(200, (await reader.SendAsync(HttpMethod.Post, "/compatibility", new CompatibilityRequest(["ann/one", "ann/two"]))).Status);
        Assert.Equal(200, (await reader.SendAsync(HttpMethod.Post, "/merges/plan", new MergeRecipe("linear", [new("ann/one")]))).Status);
        // Nor does what was refused.
        Assert.Equal(403, (await reader.SendAsync(HttpMethod.Put, "/adapters/ann/one/tags/mine")).Status);
        Assert.Equal(404, (await reader.SendAsync(HttpMethod.Delete, "/uploads/" + new string('0', 32))).Status);
        Assert.Empty((await reader.GetAsync<ListResponse<AuditEventView>>("/audit")).Items);
    });

    [Fact]
    public Task An_account_reads_what_it_did_itself_page_by_page_and_no_secret() => stack.RunAsync(async () =>
    {
        var carl = await stack.AccountAsync("carl");
        for (var i = 0; i < 5; i++)
            await carl.PostAsync<KeyView>("/keys", new CreateKeyRequest($"key {i}"), 201);
        var id = (await carl.GetAsync<ListResponse<KeyView>>("/keys")).Items.Single(k => k.Name == "test").Id;

        var (events, route, pages) = (new List<AuditEventView>(), "/audit?limit=2", 0);
        while (true)
        {
            var page = await carl.GetAsync<ListResponse<AuditEventView>>(route);
            events.AddRange(page.Items);
            pages++;
            if (page.Continuation is not { } continuation)
                break;
            route = $"/audit?limit=2&continuation={Uri.EscapeDataString(continuation)}";
        }

        Assert.Equal(3, pages);
        Assert.Equal(5, events.Count);
        Assert.All(events, e => Assert.Equal(("carl", $"key:{id}", "create-key"), (e.Actor, e.Via, e.Action)));
        Assert.Equal(events.OrderByDescending(e => e.At).Select(e => e.Subject), events.Select(e => e.Subject));
        Assert.DoesNotContain("hf_", JsonSerializer.Serialize(events), StringComparison.Ordinal);

        (await carl.SendAsync(HttpMethod.Get, "/audit?actor=ann")).Problem(403, "forbidden");
        (await carl.SendAsync(HttpMethod.Get, "/audit?from=yesterday")).Problem(400, "invalid-request");
        (await carl.SendAsync(HttpMethod.Get, "/audit?continuation=made-up")).Problem(400, "invalid-request");
        (await stack.Anonymous.SendAsync(HttpMethod.Get, "/audit")).Problem(401, "unauthenticated");
        Assert.Empty((await carl.GetAsync<ListResponse<AuditEventView>>("/audit?to=2020-01-01")).Items);
        Assert.All((await stack.Admin.GetAsync<ListResponse<AuditEventView>>("/audit?limit=200")).Items, e => Assert.DoesNotContain("hf_", $"{e.Subject} {e.Detail} {e.Via}", StringComparison.Ordinal));
    });

    private static async Task<Left> DoneAsync(Fixture fixture, HttpMethod method, string route, object? body, Left left)
    {
        var answer = await fixture.Ann.SendAsync(method, route, body);
        Assert.True(answer.Status < 300, $"{route} answers {answer.Status}: {answer.Body}");
        return left;
    }

    private static async Task<Left> PoisonAsync(Fixture fixture, string queue, string output)
    {
        var job = await fixture.Ann.PostAsync<JobView>("/merges", Merge(output), 202);
        await fixture.Stack.Storage.Queues.SendAsync(QueueNames.Poison(queue), job.JobId);
        return new("job-failed", $"jobs/{job.JobId}", $"queue:{QueueNames.Poison(queue)}");
    }

    private static MergeRecipe Merge(string output) => new("linear", [new("ann/one")], new OutputRequest(output));
}
