using Marketplace.Core.Api;
using Marketplace.Core.Evaluation;
using Marketplace.Core.Merges;
using Marketplace.Functions;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.EndToEnd;

/// <summary>A stranger sees nothing of what is private, by any function: no code, no count, no header, no byte tells it from what does not exist.</summary>
public sealed class PrivacyTests(PrivacyWorld world) : IClassFixture<PrivacyWorld>
{
    private const string Listed = "a list or a state";

    private static readonly OutputRequest Output = new("eve/result");
    private static readonly CollectionOutputRequest Collection = new("eve/results");

    private readonly Stack stack = world.Stack;

    /// <summary>A request that names a subject of a kind.</summary>
    private sealed record Probe(string Function, string Kind, HttpMethod Method, Func<string, string> Route, Func<string, object>? Body = null);

    /// <summary>At least one row for each function: how a stranger could ask it about something private.</summary>
    private static Probe[] Probes { get; } =
    [
        new("GetAdapter", "adapter", HttpMethod.Get, a => $"/adapters/{a}"),
        new("UpdateAdapter", "adapter", HttpMethod.Patch, a => $"/adapters/{a}", _ => new UpdateAdapterRequest(false)),
        new("DeleteAdapter", "adapter", HttpMethod.Delete, a => $"/adapters/{a}"),
        new("ListVersions", "adapter", HttpMethod.Get, a => $"/adapters/{a}/versions"),
        new("GetVersion", "adapter", HttpMethod.Get, a => $"/adapters/{a}/versions/main"),
        new("GetVersion", "adapter", HttpMethod.Get, a => $"/adapters/{a}/versions/1"),
        new("GetVersion", "adapter", HttpMethod.Get, a => $"/adapters/{a}/versions/hidden-tag"),
        new("GetReport", "adapter", HttpMethod.Get, a => $"/adapters/{a}/versions/main/report"),
        new("GetAnalysis", "adapter", HttpMethod.Get, a => $"/adapters/{a}/versions/main/analysis"),
        new("GetAnalysis", "adapter", HttpMethod.Get, a => $"/adapters/{a}/versions/1/analysis"),
        new("GetMergeReport", "adapter", HttpMethod.Get, a => $"/adapters/{a}/versions/main/merge-report"),
        new("GetLineage", "adapter", HttpMethod.Get, a => $"/adapters/{a}/versions/main/lineage"),
        new("GetLineage", "adapter", HttpMethod.Get, a => $"/adapters/{a}/versions/1/lineage?format=svg"),
        new("DownloadFile", "adapter", HttpMethod.Get, a => $"/adapters/{a}/versions/main/files/adapter_config.json"),
        new("DownloadFile", "adapter", HttpMethod.Get, a => $"/adapters/{a}/versions/main/files/adapter_model.safetensors?rank=1"),
        new("DownloadFile", "adapter", HttpMethod.Get, a => $"/adapters/{a}/versions/main/files/README.md?rank=none"),
        new("GetRank", "adapter", HttpMethod.Get, a => $"/adapters/{a}/versions/main/ranks/1"),
        new("GetRank", "adapter", HttpMethod.Get, a => $"/adapters/{a}/versions/1/ranks/none"),
        new("SetTag", "adapter", HttpMethod.Put, a => $"/adapters/{a}/tags/mine"),
        new("DeleteTag", "adapter", HttpMethod.Delete, a => $"/adapters/{a}/tags/hidden-tag"),
        new("GetCluster", "adapter", HttpMethod.Get, a => $"/adapters/{a}/cluster"),
        new("FindSimilar", "adapter", HttpMethod.Get, a => $"/adapters/{a}/similar"),
        new("FindSimilar", "adapter", HttpMethod.Get, a => $"/adapters/{a}/similar?similarity=flatAb&limit=3"),
        new("GetNovelty", "adapter", HttpMethod.Get, a => $"/adapters/{a}/novelty"),
        new("ListAdapters", "adapter", HttpMethod.Get, a => $"/adapters?owner={a.Split('/')[0]}&q={a.Split('/')[1]}&unlisted=true"),
        new("TakeDownAdapter", "adapter", HttpMethod.Post, a => $"/adapters/{a}/takedown", _ => new TakedownRequest("other")),
        new("GetTakedown", "adapter", HttpMethod.Get, a => $"/adapters/{a}/takedown"),
        new("RestoreAdapter", "adapter", HttpMethod.Delete, a => $"/adapters/{a}/takedown"),
        new("ListAudit", "adapter", HttpMethod.Get, a => $"/audit?subject={a}"),
        new("ListAudit", "account", HttpMethod.Get, o => $"/audit?actor={o}"),
        new("BeginUpload", "adapter", HttpMethod.Post, _ => "/uploads", a => new BeginUploadRequest(a, [new UploadFileRequest("adapter_config.json", 1)])),
        new("CompareAdapters", "adapter", HttpMethod.Post, _ => "/compatibility", a => new CompatibilityRequest([a, "ann/open-1"])),
        new("CompareAdapters", "adapter", HttpMethod.Post, _ => "/compatibility", a => new CompatibilityRequest(["ann/open-1", "eve/open-3", $"{a}@1"])),
        new("RequestMerge", "adapter", HttpMethod.Post, _ => "/merges", a => new MergeRecipe("linear", [new(a)], Output)),
        new("RequestMerge", "adapter", HttpMethod.Post, _ => "/merges", a => new MergeRecipe("linear", [new("eve/open-3"), new($"{a}@1")], Output)),
        new("RequestMerge", "adapter", HttpMethod.Post, _ => "/merges", a => new MergeRecipe("linear", [new("eve/open-3")], new OutputRequest(a))),
        new("RequestMerge", "adapter", HttpMethod.Post, _ => "/merges", a => new MergeRecipe("linear", [new("eve/open-3"), new(Recipe: new("cat", [new(a)]))], Output)),
        new("PlanMerge", "adapter", HttpMethod.Post, _ => "/merges/plan", a => new MergeRecipe("linear", [new(a)])),
        new("PlanMerge", "adapter", HttpMethod.Post, _ => "/merges/plan", a => new MergeRecipe("linear", [new("eve/open-3"), new(Recipe: new("cat", [new(a)]))])),
        new("RequestSubtraction", "adapter", HttpMethod.Post, _ => "/subtractions", a => new SubtractionRequest(a, [new("eve/open-3")], Output)),
        new("RequestSubtraction", "adapter", HttpMethod.Post, _ => "/subtractions", a => new SubtractionRequest("eve/open-3", [new(a)], Output)),
        new("RequestSubtraction", "adapter", HttpMethod.Post, _ => "/subtractions", a => new SubtractionRequest("eve/open-3", [new("ann/open-1")], new OutputRequest(a))),

        new("RequestSubtractionBatch", "adapter", HttpMethod.Post, _ => "/subtractions/batch", a => new SubtractionBatchRequest([new("eve/open-3")], Collection, [a])),
        new("RequestSubtractionBatch", "adapter", HttpMethod.Post, _ => "/subtractions/batch", a => new SubtractionBatchRequest([new("eve/open-3"), new($"{a}@1")], Collection, ["ann/open-1"])),
        new("RequestSubtractionBatch", "adapter", HttpMethod.Post, _ => "/subtractions/batch", a => new SubtractionBatchRequest([new(a)], Collection, Library: new(PrivacyWorld.Base))),
        new("RequestSubtractionBatch", "adapter", HttpMethod.Post, _ => "/subtractions/batch", a => new SubtractionBatchRequest([new("eve/open-3")], new(a), ["ann/open-1"])),
        new("RequestSubtractionBatch", "base", HttpMethod.Post, _ => "/subtractions/batch", b => new SubtractionBatchRequest([new("eve/open-3")], Collection, Library: new(b))),
        new("RequestSubtractionBatch", "base", HttpMethod.Post, _ => "/subtractions/batch", b => new SubtractionBatchRequest([new("eve/open-3")], Collection, Library: new(b, "mine", Derived: true))),
        new("RequestSubtractionBatch", "snapshot", HttpMethod.Post, _ => "/subtractions/batch", s => new SubtractionBatchRequest([new("eve/open-3")], Collection, Cluster: new(s, "c0"))),
        new("BuildLibrary", "snapshot", HttpMethod.Post, s => $"/clusterings/{s}/build", _ => new BuildLibraryRequest("linear", Collection)),
        new("GetCollection", "collection", HttpMethod.Get, c => $"/collections/{c}"),
        new("DeleteCollection", "collection", HttpMethod.Delete, c => $"/collections/{c}"),
        new("ListCollections", "account", HttpMethod.Get, o => $"/collections?owner={o}"),
        new("ListCollections", Listed, HttpMethod.Get, _ => "/collections?owner=ann"),

        new("ListAdapters", "account", HttpMethod.Get, o => $"/adapters?owner={o}"),
        new("CreateKey", "account", HttpMethod.Post, _ => "/keys", o => new CreateKeyRequest("x", Owner: o)),
        new("ListKeys", "account", HttpMethod.Get, o => $"/keys?owner={o}"),
        new("RevokeKey", "account", HttpMethod.Delete, o => $"/keys/{new string('0', 16)}?owner={o}"),
        new("GetAccount", "account", HttpMethod.Get, o => $"/accounts/{o}"),
        new("SetQuota", "account", HttpMethod.Put, o => $"/accounts/{o}/quota", _ => new SetQuotaRequest()),
        new("ListIdentities", "account", HttpMethod.Get, o => $"/accounts/{o}/identities"),
        new("BindIdentity", "account", HttpMethod.Put, o => $"/accounts/{o}/identities/{Guid.Empty}"),
        new("UnbindIdentity", "account", HttpMethod.Delete, o => $"/accounts/{o}/identities/{Guid.Empty}"),

        new("ListAdapters", "base", HttpMethod.Get, b => $"/adapters?baseModel={Uri.EscapeDataString(b)}"),
        new("RequestClustering", "base", HttpMethod.Post, _ => "/clusterings", b => new ClusteringRequest(b)),
        new("RequestClustering", "base", HttpMethod.Post, _ => "/clusterings", b => new ClusteringRequest(b, Scope: "mine")),
        new("ListClusterings", "base", HttpMethod.Get, b => $"/clusterings?baseModel={Uri.EscapeDataString(b)}"),
        new("ResolveBaseModel", "base", HttpMethod.Get, b => $"/base-models/resolve?name={Uri.EscapeDataString(b)}"),
        new("GetBaseModelWeights", "base", HttpMethod.Get, b => $"/base-models/{b}/weights"),
        new("GetBaseModelWeights", "adapter", HttpMethod.Get, a => $"/base-models/{a}/weights?version=1"),
        new("RegisterBaseModel", "base", HttpMethod.Post, _ => "/base-models", b => new RegisterBaseModelRequest(b, [new("config.json", 2)])),
        new("ConfirmAlias", "base", HttpMethod.Post, _ => "/base-models/aliases", b => new ConfirmAliasRequest(b, PrivacyWorld.Base)),
        new("ListBaseModels", "base", HttpMethod.Get, _ => "/base-models"),
        new("AllocateSubspaces", "adapter", HttpMethod.Post, _ => "/base-models/subspaces", a => new AllocateSubspacesRequest(a, PrivacyWorld.Base, 1, [new("q", 8)])),

        new("GetUpload", "upload", HttpMethod.Get, u => $"/uploads/{u}"),
        new("GetUploadReport", "upload", HttpMethod.Get, u => $"/uploads/{u}/report"),
        new("CompleteUpload", "upload", HttpMethod.Post, u => $"/uploads/{u}/complete"),
        new("CancelUpload", "upload", HttpMethod.Delete, u => $"/uploads/{u}"),

        new("GetJob", "job", HttpMethod.Get, j => $"/jobs/{j}"),
        new("WatchJob", "job", HttpMethod.Get, j => $"/jobs/{j}/events"),
        new("RetryJob", "job", HttpMethod.Post, j => $"/jobs/{j}/retry"),
        new("RetryUpload", "upload", HttpMethod.Post, u => $"/uploads/{u}/retry"),
        new("ListFailures", Listed, HttpMethod.Get, _ => "/failures"),
        new("CancelJob", "job", HttpMethod.Post, j => $"/jobs/{j}/cancel"),
        new("GetClustering", "snapshot", HttpMethod.Get, s => $"/clusterings/{s}"),
        new("FindDiverse", "base", HttpMethod.Get, b => $"/libraries/diverse?baseModel={Uri.EscapeDataString(b)}"),
        new("FindDiverse", "base", HttpMethod.Get, b => $"/libraries/diverse?scope=mine&baseModel={Uri.EscapeDataString(b)}"),
        new("RequestComposition", "adapter", HttpMethod.Post, _ => "/compositions", a => new CompositionRequest("atlas", [a], "ann/open-set", Output)),
        new("RequestComposition", "adapter", HttpMethod.Post, _ => "/compositions", a => new CompositionRequest("atlas", ["eve/open-3", $"{a}@1"], "ann/open-set", Output)),
        new("RequestComposition", "adapter", HttpMethod.Post, _ => "/compositions", a => new CompositionRequest("atlas", ["eve/open-3"], "ann/open-set", new OutputRequest(a))),
        new("RequestComposition", "set", HttpMethod.Post, _ => "/compositions", s => new CompositionRequest("atlas", ["eve/open-3"], s, Output)),
        new("RequestComposition", "set", HttpMethod.Post, _ => "/compositions", s => new CompositionRequest("atlas", ["eve/open-3"], "ann/open-set", Output, Validation: $"{s}@1")),
        new("RequestRouter", "adapter", HttpMethod.Post, _ => "/routers", a => new RouterRequest([a])),
        new("RequestRouter", "adapter", HttpMethod.Post, _ => "/routers", a => new RouterRequest(["eve/open-3", $"{a}@1"])),
        new("RequestRouter", "adapter", HttpMethod.Post, _ => "/routers", a => new RouterRequest(["eve/open-3"], General: [new(a)])),
        new("RequestRouter", "adapter", HttpMethod.Post, _ => "/routers", a => new RouterRequest(Collection: a)),
        new("RequestRouter", "collection", HttpMethod.Post, _ => "/routers", c => new RouterRequest(Collection: c)),
        new("GetRouter", "router", HttpMethod.Get, r => $"/routers/{r}"),
        new("DownloadRouterFile", "router", HttpMethod.Get, r => $"/routers/{r}/files/prototypes.safetensors"),
        new("DownloadRouterFile", "router", HttpMethod.Get, r => $"/routers/{r}/files/nothing"),
        new("RouteTokens", "router", HttpMethod.Post, r => $"/routers/{r}/route", _ => new RouteRequest(new Dictionary<string, IReadOnlyList<IReadOnlyList<double>>> { ["q"] = [[1]] })),
        new("RouteTokens", "router", HttpMethod.Post, r => $"/routers/{r}/route?topK=none", _ => new RouteRequest()),
        new("GetClusterMap", "snapshot", HttpMethod.Get, s => $"/clusterings/{s}/map"),
        new("GetClusterMapSvg", "snapshot", HttpMethod.Get, s => $"/clusterings/{s}/map.svg"),
        new("RevokeKey", "key", HttpMethod.Delete, k => $"/keys/{k}"),

        new("PublishEvaluationSet", "set", HttpMethod.Post, _ => "/evaluation-sets", s => new PublishEvaluationSetRequest(s, [])),
        new("GetEvaluationSet", "set", HttpMethod.Get, s => $"/evaluation-sets/{s}"),
        new("UpdateEvaluationSet", "set", HttpMethod.Patch, s => $"/evaluation-sets/{s}", _ => new UpdateEvaluationSetRequest(false)),
        new("DeleteEvaluationSet", "set", HttpMethod.Delete, s => $"/evaluation-sets/{s}"),
        new("ListEvaluationSetVersions", "set", HttpMethod.Get, s => $"/evaluation-sets/{s}/versions"),
        new("DownloadEvaluationSet", "set", HttpMethod.Get, s => $"/evaluation-sets/{s}/versions/main/items"),
        new("DownloadEvaluationSet", "set", HttpMethod.Get, s => $"/evaluation-sets/{s}/versions/none/items"),
        new("GetLeaderboard", "set", HttpMethod.Get, s => $"/leaderboards?baseModel={PrivacyWorld.Base}&set={s}"),
        new("GetLeaderboard", "set", HttpMethod.Get, s => $"/leaderboards?baseModel={PrivacyWorld.Base}&set={s}@1&metric=none"),
        new("GetLeaderboard", "base", HttpMethod.Get, b => $"/leaderboards?baseModel={Uri.EscapeDataString(b)}&set=ann/open-set"),
        new("RequestEvaluation", "set", HttpMethod.Post, _ => "/evaluations", s => new EvaluationRequest([s], [new AdapterSubject("eve/open-3")])),
        new("RequestEvaluation", "adapter", HttpMethod.Post, _ => "/evaluations", a => new EvaluationRequest(["ann/open-set"], [new AdapterSubject(a)])),
        new("RequestEvaluation", "adapter", HttpMethod.Post, _ => "/evaluations", a => new EvaluationRequest(["ann/open-set"], [new RecipeSubject(new("linear", [new(a)]))])),
        new("RequestEvaluation", "base", HttpMethod.Post, _ => "/evaluations", b => new EvaluationRequest(["ann/open-set"], [new BaseSubject()], BaseModel: b)),
        new("RequestEvaluation", "base", HttpMethod.Post, _ => "/evaluations", b => new EvaluationRequest(["ann/open-set"], Library: new(b, "mine"))),
        new("GetEvaluation", "evaluation", HttpMethod.Get, e => $"/evaluations/{e}"),
        new("DownloadPredictions", "evaluation", HttpMethod.Get, e => $"/evaluations/{e}/predictions"),
        new("CompareEvaluations", "evaluation", HttpMethod.Post, _ => "/evaluations/compare", e => new CompareEvaluationsRequest([e, new('9', 64)])),
        new("MixEvaluations", "evaluation", HttpMethod.Post, _ => "/evaluations/ensemble", e => new EnsembleRequest([e, new('9', 64)])),
        new("ListEvaluationSets", "account", HttpMethod.Get, o => $"/evaluation-sets?owner={o}"),
        new("ListEvaluationSets", Listed, HttpMethod.Get, _ => "/evaluation-sets"),

        new("ListMergeMethods", Listed, HttpMethod.Get, _ => "/merge-methods"),
        new("Health", Listed, HttpMethod.Get, _ => "/health"),
        new("WhoAmI", Listed, HttpMethod.Get, _ => "/whoami"),
        new("ListJobs", Listed, HttpMethod.Get, _ => "/jobs"),
        new("ListKeys", Listed, HttpMethod.Get, _ => "/keys"),
        new("ListBaseModels", Listed, HttpMethod.Get, _ => "/base-models"),
        new("ListAdapters", Listed, HttpMethod.Get, _ => "/adapters"),
    ];

    public static TheoryData<string> Functions => [.. FunctionTable.Http.Select(f => f.Name)];

    [Theory]
    [MemberData(nameof(Functions))]
    public Task What_is_private_looks_like_what_does_not_exist(string function) => stack.RunAsync(async () =>
    {
        var probes = Probes.Where(p => p.Function == function).ToList();
        Assert.True(probes.Count > 0, $"Nobody has thought about what {function} tells a stranger.");
        foreach (var probe in probes.Where(p => p.Kind != Listed))
        {
            Assert.NotEmpty(world.Subjects[probe.Kind]);
            foreach (var subject in world.Subjects[probe.Kind])
            {
                foreach (var caller in new[] { function == "ConfirmAlias" ? world.Mallory : world.Eve, stack.Anonymous })
                    Assert.Equal(await AskAsync(caller, probe, subject.Absent), await AskAsync(caller, probe, subject.Hidden));
            }
        }

        // What needs no name must have been looked at before there were secrets.
        Assert.All(probes.Where(p => p.Kind == Listed), p => Assert.Contains($"eve {p.Route("")}", world.Before.Keys));
    });

    [Fact]
    public Task Lists_counts_and_continuations_are_as_if_nothing_private_had_been_published() => stack.RunAsync(async () =>
    {
        Assert.Equal(world.Before.Keys.Order(), world.After.Keys.Order());
        foreach (var (question, answer) in world.Before)
            Assert.Equal(Text(question, answer), Text(question, world.After[question]));
        Assert.Contains((await world.Ann.GetAsync<ListResponse<AdapterView>>("/adapters?owner=ann")).Items, a => a.Id == "ann/hidden-1");
    });

    [Fact]
    public Task A_strangers_private_copy_is_no_finding_for_whoever_publishes_the_same_bytes() => stack.RunAsync(async () =>
    {
        var same = await world.Eve.PublishAsync("eve/same-bytes", StackAdapters.Files(11));
        var fresh = await world.Eve.PublishAsync("eve/fresh-bytes", StackAdapters.Files(999));
        Assert.Equal(("published", "published"), (same.State, fresh.State));
        Assert.Equal(fresh.Issues!.Select(i => i.Code), same.Issues!.Select(i => i.Code));
        var report = await world.Eve.SendAsync(HttpMethod.Get, $"/uploads/{same.UploadId}/report");
        Assert.DoesNotContain("hidden", report.Body, StringComparison.OrdinalIgnoreCase);

        // Its owner is told, and so is whoever publishes public bytes again.
        Assert.Contains((await world.Ann.PublishAsync("ann/hidden-8", StackAdapters.Files(11), isPrivate: true)).Issues!, i => i.Code == "same-content");
        Assert.Contains((await world.Eve.PublishAsync("eve/public-copy", StackAdapters.Files(2))).Issues!, i => i.Code == "same-content");
    });

    [Fact]
    public Task A_base_model_first_spelled_in_private_does_not_shape_what_strangers_read() => stack.RunAsync(async () =>
    {
        // A base of its own: once Eve uses it, strangers may know it, and the other tests ask about one they must not know.
        const string First = "Quiet-Lab/Shared-Base";
        await world.Ann.PublishedAsync("ann/hidden-9", StackAdapters.Files(31, First), isPrivate: true);
        var spelling = First.ToLowerInvariant();
        await world.Eve.PublishedAsync("eve/same-base", StackAdapters.Files(30, spelling));
        Assert.Equal(spelling, (await world.Eve.GetAsync<AdapterView>("/adapters/eve/same-base")).BaseModel);
        Assert.Empty((await world.Eve.GetAsync<ListResponse<SimilarView>>("/adapters/eve/same-base/similar")).Items);
    });

    [Fact]
    public Task A_public_result_hides_its_private_parent() => stack.RunAsync(async () =>
    {
        await PrivacyWorld.EndedAsync(world.Ann, "/subtractions", new SubtractionRequest("ann/hidden-1", [new("ann/open-2")], new OutputRequest("ann/derived")));
        foreach (var caller in new[] { world.Eve, stack.Anonymous })
        {
            foreach (var route in new[] { "", "/versions", "/versions/main", "/versions/main/report", "/versions/main/merge-report", "/versions/main/lineage", "/versions/main/lineage?format=svg", "/similar" })
            {
                var answer = await caller.SendAsync(HttpMethod.Get, "/adapters/ann/derived" + route);
                Assert.Equal(200, answer.Status);
                foreach (var trace in new[] { "hidden", world.HiddenVersion.Id, "recipe" })
                    Assert.DoesNotContain(trace, answer.Body, StringComparison.OrdinalIgnoreCase);
            }

            var version = await caller.GetAsync<VersionView>("/adapters/ann/derived/versions/main");
            Assert.Equal(["ann/open-2"], version.Lineage!.Parents.Select(p => p.Version.Adapter));
            var reference = new VersionReference(version.Adapter, version.Number, version.Id);
            foreach (var file in version.Files)
                Assert.DoesNotContain("hidden", System.Text.Encoding.Latin1.GetString(await caller.DownloadAsync(reference, file.Path)), StringComparison.OrdinalIgnoreCase);
        }

        var seen = await world.Ann.GetAsync<VersionView>("/adapters/ann/derived/versions/main");
        Assert.Equal(["ann/hidden-1", "ann/open-2"], seen.Lineage!.Parents.Select(p => p.Version.Adapter));
        Assert.NotNull(seen.Lineage.Recipe);
    });

    private static async Task<string> AskAsync(StackApi caller, Probe probe, string subject) =>
        Text(probe.Function, await caller.SendAsync(probe.Method, probe.Route(subject), probe.Body?.Invoke(subject)))
            .Replace(subject, "SUBJECT", StringComparison.Ordinal)
            .Replace(Uri.EscapeDataString(subject), "SUBJECT", StringComparison.Ordinal);

    private static string Text(string question, StackAnswer answer) =>
        $"{question}\n{answer.Status}\n{string.Join('\n', answer.Headers.OrderBy(h => h.Key, StringComparer.Ordinal).Select(h => $"{h.Key}: {h.Value}"))}\n{answer.Body}";
}
