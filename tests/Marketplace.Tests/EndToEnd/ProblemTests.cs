using System.Net.Http.Headers;
using System.Text;
using System.Text.RegularExpressions;
using Marketplace.Core.Api;
using Marketplace.Core.Merges;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.EndToEnd;

/// <summary>Every problem of docs/api.md, provoked over HTTP.</summary>
public sealed partial class ProblemTests(ProblemTests.Fixture fixture) : IClassFixture<ProblemTests.Fixture>
{
    private const string UnresolvedBase = "/home/somebody/models/base";
    private const string CrowdedBase = "org/crowded-base";

    // No kernels run, so that merges stay queued and fill the queue of one job.
    private readonly Stack stack = fixture.Stack;

    private static readonly TestIssuer Issuer = new();

    public sealed class Fixture(AzuriteFixture azurite) : StackFixture(azurite, new StackSettings
    {
        FunctionsThroughProxy = true,
        Environment = new Dictionary<string, string>(Issuer.Environment) { ["Marketplace__MaxActiveJobs"] = "1", ["Marketplace__MaxExactLibrary"] = "2", ["Marketplace__MaxDiverseLibrary"] = "2", ["Marketplace__MaxComparedBytes"] = "4000" },
    })
    {
        public override async ValueTask InitializeAsync()
        {
            await base.InitializeAsync();
            var owner = await Stack.AccountAsync("ann");
            await owner.PublishedAsync("ann/one", StackAdapters.Files(1));
            await owner.PublishedAsync("ann/other-base", StackAdapters.Files(2, "org/another-base"));
            await owner.PublishedAsync("ann/unresolved", StackAdapters.Files(3, UnresolvedBase));
            foreach (var seed in new[] { 4, 5, 6 })
                await owner.PublishedAsync($"ann/crowd-{seed}", StackAdapters.Files(seed, CrowdedBase));
        }
    }

    private static Dictionary<string, Func<Stack, Task>> Provocations { get; } = new()
    {
        ["invalid-json"] = async stack =>
        {
            var owner = await stack.AccountAsync("ann");
            foreach (var (body, place) in new[]
            {
                ("""{"name":"x","nope":1}""", "nope"), ("""{"name":"x","name":"y"}""", "name"), ("""{"name":7}""", "$.name"), ("""{"name":null}""", "name"),
                ("""{"scope":"read"}""", "name"), ("""{"Name":"x"}""", "Name"), ("""{"name":"x",}""", "line 1"), ("""{"name":"x" """, "line 1"), ("[]", "$"),
                ("""{"name":"x","expiresAt":"soon"}""", "expiresAt"), ("", ""),
            })
            {
                var problem = (await owner.SendAsync(HttpMethod.Post, "/keys", Json(body))).Problem(400, "invalid-json");
                Assert.Contains(place, problem.Detail, StringComparison.Ordinal);
                Assert.DoesNotMatch("Marketplace\\.|System\\.|\\.NET", problem.Detail);
            }
        },
        ["invalid-request"] = async stack =>
        {
            var owner = await stack.AccountAsync("ann");
            var begin = new BeginUploadRequest("ann/x", [new UploadFileRequest("../escape", 1), new UploadFileRequest("a", -1), new UploadFileRequest("b", 1, "xyz")]);
            var issues = (await owner.SendAsync(HttpMethod.Post, "/uploads", begin)).Problem(400, "invalid-request").Issues!;
            Assert.Equal(["files[0].path", "files[1].size", "files[2].sha256"], issues.Select(i => i.Path));
            await RefusedAsync(owner, HttpMethod.Post, "/uploads", new BeginUploadRequest("no-slash", [new UploadFileRequest("a", 1)]), "adapter");
            await RefusedAsync(owner, HttpMethod.Post, "/merges", Merge("ann/x") with { Method = "ties-and-tails" }, "method");
            await RefusedAsync(owner, HttpMethod.Post, "/merges", Merge("ann/x") with { Energy = 2 }, "energy");
            await RefusedAsync(owner, HttpMethod.Post, "/merges", Merge("ann/x", "ann/one", "ann/absent"), "inputs[1].adapter");
            var composition = new CompositionRequest("atlas", ["ann/one"], "ann/absent", new OutputRequest("ann/x"));
            await RefusedAsync(owner, HttpMethod.Post, "/compositions", composition with { Method = "guess" }, "method");
            await RefusedAsync(owner, HttpMethod.Post, "/compositions", composition with { Parameters = new Dictionary<string, RecipeValue> { ["epochs"] = RecipeValue.OverLayers(1, 2) } }, "parameters.epochs");
            await RefusedAsync(owner, HttpMethod.Post, "/compositions", composition with { Parameters = new Dictionary<string, RecipeValue> { ["evaluations"] = 3 } }, "parameters.evaluations");
            await RefusedAsync(owner, HttpMethod.Post, "/compositions", composition with { Inputs = [] }, "inputs");
            await RefusedAsync(owner, HttpMethod.Post, "/compositions", composition with { Examples = 0 }, "examples");
            await RefusedAsync(owner, HttpMethod.Post, "/compositions", composition, "training");
            await RefusedAsync(owner, HttpMethod.Post, "/compatibility", new CompatibilityRequest(["ann/one"]), "inputs");
            await RefusedAsync(owner, HttpMethod.Post, "/compatibility", new CompatibilityRequest([.. Enumerable.Repeat("ann/one", 33)]), "inputs");
            await RefusedAsync(owner, HttpMethod.Post, "/compatibility", new CompatibilityRequest(["ann/one", "ANN/one@1"]), "inputs");
            await RefusedAsync(owner, HttpMethod.Post, "/compatibility", new CompatibilityRequest(["ann/one", "ann/absent"]), "inputs[1]");
            await RefusedAsync(owner, HttpMethod.Post, "/compatibility", new CompatibilityRequest(["ann/one", "ann/other-base"], 0), "rank");
            await RefusedAsync(owner, HttpMethod.Post, "/clusterings", new ClusteringRequest(StackAdapters.BaseModel, K: 9), "k");
            await RefusedAsync(owner, HttpMethod.Post, "/clusterings", new ClusteringRequest(StackAdapters.BaseModel, Mode: "guess"), "mode");
            await RefusedAsync(owner, HttpMethod.Post, "/clusterings", new ClusteringRequest(CrowdedBase, Mode: "exact"), "mode");
            await RefusedAsync(owner, HttpMethod.Post, "/clusterings", new ClusteringRequest(StackAdapters.BaseModel, Sparsity: 0.5), "sparsity");
            await RefusedAsync(owner, HttpMethod.Post, "/clusterings", new ClusteringRequest(CrowdedBase, "flatAb", Sparsity: 0.5), "sparsity");
            await RefusedAsync(owner, HttpMethod.Post, "/clusterings", new ClusteringRequest(StackAdapters.BaseModel, Components: 0), "components");
            await RefusedAsync(stack.Anonymous, HttpMethod.Get, "/adapters/ann/one/cluster?similarity=looks", null, "similarity");
            await RefusedAsync(owner, HttpMethod.Post, "/evaluation-sets", new PublishEvaluationSetRequest("no-slash", []), "set");
            await RefusedAsync(owner, HttpMethod.Get, "/leaderboards?baseModel=org/base", null, "set");
            await RefusedAsync(owner, HttpMethod.Post, "/evaluations/compare", new CompareEvaluationsRequest([]), "evaluations");
            await RefusedAsync(owner, HttpMethod.Post, "/keys", new CreateKeyRequest("x", "emperor"), "scope");
            await RefusedAsync(owner, HttpMethod.Patch, "/adapters/ann/one", new UpdateAdapterRequest(), "listed");
            await RefusedAsync(stack.Anonymous, HttpMethod.Get, "/adapters/ann/one/versions/main/lineage?format=png", null, "format");
            await RefusedAsync(stack.Anonymous, HttpMethod.Get, "/adapters/ann/one/versions/main/lineage?limit=501", null, "limit");
            await RefusedAsync(stack.Anonymous, HttpMethod.Get, "/adapters?limit=0", null, "limit");
            await RefusedAsync(stack.Anonymous, HttpMethod.Get, "/adapters?continuation=made-up", null, "continuation");
        },
        ["unauthenticated"] = async stack =>
        {
            var owner = await stack.AccountAsync("ann");
            var key = await owner.PostAsync<KeyView>("/keys", new CreateKeyRequest("to revoke"), 201);
            var brief = await owner.PostAsync<KeyView>("/keys", new CreateKeyRequest("brief", ExpiresAt: DateTimeOffset.UtcNow.AddSeconds(1)), 201);
            Assert.Equal("ann", (await stack.Caller(key.Token).GetAsync<WhoAmIView>("/whoami")).Owner);
            Assert.Equal(204, (await owner.SendAsync(HttpMethod.Delete, $"/keys/{key.Id}")).Status);
            await Task.Delay(TimeSpan.FromSeconds(1.2));
            foreach (var caller in new[] { null, key.Token, brief.Token, "hf_" + new string('a', 37), "nonsense" })
                (await stack.Caller(caller).SendAsync(HttpMethod.Get, "/jobs")).Problem(401, "unauthenticated");
            // Whoever sends a key believes to be somebody, even where none is needed.
            (await stack.Caller(key.Token).SendAsync(HttpMethod.Get, "/adapters")).Problem(401, "unauthenticated");
        },
        ["forbidden"] = async stack =>
        {
            var (reader, other) = (await stack.AccountAsync("ann", "read"), await stack.AccountAsync("bob"));
            (await reader.SendAsync(HttpMethod.Post, "/uploads", Begin("ann/x"))).Problem(403, "forbidden");
            (await reader.SendAsync(HttpMethod.Post, "/keys", new CreateKeyRequest("wider", "admin"))).Problem(403, "forbidden");
            (await other.SendAsync(HttpMethod.Post, "/uploads", Begin("ann/x"))).Problem(403, "forbidden");
            (await other.SendAsync(HttpMethod.Patch, "/adapters/ann/one", new UpdateAdapterRequest(false))).Problem(403, "forbidden");
            (await other.SendAsync(HttpMethod.Put, "/adapters/ann/one/tags/mine")).Problem(403, "forbidden");
            (await other.SendAsync(HttpMethod.Post, "/merges", Merge("ann/x"))).Problem(403, "forbidden");
            (await other.SendAsync(HttpMethod.Post, "/keys", new CreateKeyRequest("x", Owner: "ann"))).Problem(403, "forbidden");
            (await other.SendAsync(HttpMethod.Post, "/base-models/aliases", new ConfirmAliasRequest("x/y", "org/z", Everybody: true))).Problem(403, "forbidden");
        },
        ["no-account"] = async stack =>
        {
            var publisher = stack.Caller(Issuer.Token(Guid.NewGuid().ToString(), ["Marketplace.Publisher"]));
            (await publisher.SendAsync(HttpMethod.Post, "/uploads", Begin("ann/x"))).Problem(403, "no-account");
            Assert.Equal(200, (await publisher.SendAsync(HttpMethod.Get, "/adapters/ann/one")).Status);
        },
        ["quota-exceeded"] = async stack =>
        {
            var full = await stack.AccountAsync("full");
            Assert.Equal(200, (await stack.Admin.SendAsync(HttpMethod.Put, "/accounts/full/quota", new SetQuotaRequest(Bytes: 9))).Status);
            (await full.SendAsync(HttpMethod.Post, "/uploads", Begin("full/x"))).Problem(403, "quota-exceeded");
        },
        ["identity-unavailable"] = async stack =>
        {
            Issuer.Roll();
            var caller = stack.Caller(Issuer.Token(Guid.NewGuid().ToString(), ["Marketplace.Reader"]));
            Issuer.Reachable = false;
            try
            {
                (await caller.SendAsync(HttpMethod.Get, "/adapters")).Problem(503, "identity-unavailable");
            }
            finally
            {
                Issuer.Reachable = true;
            }

            Assert.Equal(200, (await caller.SendAsync(HttpMethod.Get, "/adapters")).Status);
        },
        ["not-found"] = async stack =>
        {
            var owner = await stack.AccountAsync("ann");
            foreach (var route in new[]
            {
                "/evaluation-sets/ann/absent", "/evaluations/" + new string('0', 64), "/evaluations/absent/predictions", "/leaderboards?baseModel=org/base&set=ann/absent",
                "/adapters/ann/absent", "/adapters/ann/one/versions/7", "/adapters/ann/one/versions/main/files/absent.txt", "/adapters/ann/one/versions/main/merge-report", "/adapters/ann/one/versions/7/lineage", "/uploads/" + new string('0', 32),
                "/jobs/" + new string('0', 64), "/jobs/absent/events", "/clusterings/" + new string('0', 32), "/base-models/resolve?name=%2Fhome%2Fx", "/no-such-route",
            })
            {
                (await owner.SendAsync(HttpMethod.Get, route)).Problem(404, "not-found");
            }
        },
        ["taken-down"] = async stack =>
        {
            var owner = await stack.AccountAsync("ann");
            await owner.PublishedAsync("ann/gone", StackAdapters.Files(7));
            await RefusedAsync(stack.Admin, HttpMethod.Post, "/adapters/ann/gone/takedown", new TakedownRequest("dislike"), "reason");
            await RefusedAsync(stack.Admin, HttpMethod.Post, "/adapters/ann/gone/takedown", new TakedownRequest("other", Descendants: "all"), "descendants");
            await RefusedAsync(stack.Admin, HttpMethod.Post, "/adapters/ann/gone/takedown", new TakedownRequest("other", new string('x', 501)), "message");
            (await owner.SendAsync(HttpMethod.Post, "/adapters/ann/gone/takedown", new TakedownRequest("other"))).Problem(403, "forbidden");
            (await stack.Admin.SendAsync(HttpMethod.Delete, "/adapters/ann/gone/takedown")).Problem(404, "not-found");
            await stack.Admin.PostAsync<TakedownView>("/adapters/ann/gone/takedown", new TakedownRequest("licence", "Not theirs to give."), 200);
            var problem = (await stack.Anonymous.SendAsync(HttpMethod.Get, "/adapters/ann/gone")).Problem(410, "taken-down");
            Assert.Equal(("licence", "Not theirs to give."), (problem.Takedown!.Reason, problem.Takedown.Message));
            var input = (await owner.SendAsync(HttpMethod.Post, "/merges", Merge("ann/x", "ann/one", "ann/gone"))).Problem(410, "taken-down");
            Assert.Equal(("inputs[1].adapter", "taken-down"), (input.Issues![0].Path, input.Issues[0].Code));
            (await owner.SendAsync(HttpMethod.Post, "/uploads", Begin("ann/gone"))).Problem(410, "taken-down");
            (await owner.SendAsync(HttpMethod.Post, "/merges", Merge("ann/gone"))).Problem(410, "taken-down");
        },
        ["method-not-allowed"] = async stack => (await stack.Anonymous.SendAsync(HttpMethod.Put, "/whoami")).Problem(405, "method-not-allowed"),
        ["conflict"] = async stack =>
        {
            var owner = await stack.AccountAsync("ann");
            var empty = await owner.PostAsync<UploadTicket>("/uploads", Begin("ann/incomplete"), 201);
            (await owner.SendAsync(HttpMethod.Post, $"/uploads/{empty.UploadId}/complete")).Problem(409, "conflict");
            Assert.Equal(204, (await owner.SendAsync(HttpMethod.Delete, $"/uploads/{empty.UploadId}")).Status);
            (await owner.SendAsync(HttpMethod.Post, $"/uploads/{empty.UploadId}/complete")).Problem(409, "conflict");
            Assert.Equal(204, (await owner.SendAsync(HttpMethod.Put, "/adapters/ann/one/tags/stable")).Status);
            (await owner.SendAsync(HttpMethod.Put, "/adapters/ann/one/tags/stable")).Problem(409, "conflict");
        },
        ["too-large"] = async stack =>
        {
            var owner = await stack.AccountAsync("ann");
            var body = new ByteArrayContent(new byte[64 << 20]) { Headers = { ContentType = new MediaTypeHeaderValue("application/json") } };
            (await owner.SendAsync(HttpMethod.Post, "/keys", body, ("Expect", "100-continue"))).Problem(413, "too-large");
        },
        ["unsupported-media-type"] = async stack =>
        {
            var owner = await stack.AccountAsync("ann");
            (await owner.SendAsync(HttpMethod.Post, "/keys", new StringContent("""{"name":"x"}""", Encoding.UTF8, "text/plain"))).Problem(415, "unsupported-media-type");
        },
        ["base-mismatch"] = async stack =>
        {
            var owner = await stack.AccountAsync("ann");
            (await owner.SendAsync(HttpMethod.Post, "/merges", Merge("ann/x", "ann/one", "ann/other-base"))).Problem(422, "base-mismatch");
            (await owner.SendAsync(HttpMethod.Post, "/merges", Merge("ann/x", "ann/one", "ann/unresolved"))).Problem(422, "base-mismatch");
            (await owner.SendAsync(HttpMethod.Get, "/adapters/ann/unresolved/similar")).Problem(422, "base-mismatch");
            (await owner.SendAsync(HttpMethod.Post, "/compatibility", new CompatibilityRequest(["ann/one", "ann/other-base"]))).Problem(422, "base-mismatch");
        },
        ["rank-not-available"] = async stack =>
        {
            var owner = await stack.AccountAsync("ann");
            var files = new[] { "adapter_config.json", "adapter_model.safetensors" }.ToDictionary(n => n, n => File.ReadAllBytes(Path.Combine(Fixtures.Adapter("llama/dora"), n)));
            await owner.PublishedAsync("ann/dora", files);
            var issues = (await owner.SendAsync(HttpMethod.Get, "/adapters/ann/dora/versions/main/ranks/1")).Problem(422, "rank-not-available").Issues!;
            Assert.Contains(issues, i => i.Code == "dora-not-mergeable" && i.Path!.EndsWith("_proj", StringComparison.Ordinal));
        },
        ["subspace-exhausted"] = async stack =>
        {
            var owner = await stack.AccountAsync("ann");
            var first = new AllocateSubspacesRequest("ann/x", StackAdapters.BaseModel, 5, [new("wide", 64), new("narrow", 8)]);
            await owner.PostAsync<AllocateSubspacesResponse>("/base-models/subspaces", first, 200);
            var problem = (await owner.SendAsync(HttpMethod.Post, "/base-models/subspaces", first with { Adapter = "ann/y" })).Problem(409, "subspace-exhausted");
            Assert.Contains("narrow", problem.Detail, StringComparison.Ordinal);
        },
        ["library-too-large"] = async stack =>
            (await stack.Anonymous.SendAsync(HttpMethod.Get, $"/libraries/diverse?baseModel={CrowdedBase}")).Problem(422, "library-too-large"),
        ["comparison-too-large"] = async stack =>
            (await stack.Anonymous.SendAsync(HttpMethod.Post, "/compatibility", new CompatibilityRequest(["ann/crowd-4", "ann/crowd-5", "ann/crowd-6"]))).Problem(422, "comparison-too-large"),
        ["not-mergeable"] = async stack =>
        {
            var owner = await stack.AccountAsync("ann");
            var recipe = new MergeRecipe("linear", [new("ann/one"), new("ann/one", Weight: -1)]);
            var problem = (await owner.SendAsync(HttpMethod.Post, "/merges/plan", recipe)).Problem(422, "not-mergeable");
            Assert.Equal("weights-invalid", Assert.Single(problem.Issues!).Code);
        },
        ["too-many-requests"] = async stack =>
        {
            var busy = await stack.AccountAsync("busy");
            var first = await busy.PostAsync<JobView>("/merges", Merge("busy/first", "ann/one"), 202);
            (await busy.SendAsync(HttpMethod.Post, "/merges", Merge("busy/second", "ann/one"))).Problem(429, "too-many-requests");
            // A waiting job ends at once, and then there is room.
            Assert.Equal("cancelled", (await busy.PostAsync<JobView>($"/jobs/{first.JobId}/cancel", null, 202)).Status);
            await busy.PostAsync<JobView>("/merges", Merge("busy/second", "ann/one"), 202);
        },
        ["storage-unavailable"] = async stack =>
        {
            stack.Proxy.Reachable = false;
            try
            {
                (await stack.Anonymous.SendAsync(HttpMethod.Get, "/adapters")).Problem(503, "storage-unavailable");
                var health = await stack.Anonymous.SendAsync(HttpMethod.Get, "/health");
                Assert.Equal((503, "unavailable"), (health.Status, health.Read<HealthView>().Status));
            }
            finally
            {
                stack.Proxy.Reachable = true;
            }

            Assert.Equal("ok", (await stack.Anonymous.GetAsync<HealthView>("/health")).Status);
        },
        ["internal-error"] = async stack =>
        {
            // Storage answers what it never should: a refusal that nobody foresaw.
            using (stack.Proxy.On(c => c.Method == "GET" && c.Path.StartsWith($"/{stack.Namespace}adapters", StringComparison.Ordinal), c =>
            {
                c.Refuse(418);
                return Task.CompletedTask;
            }))
            {
                var problem = (await stack.Anonymous.SendAsync(HttpMethod.Get, "/adapters/ann/one")).Problem(500, "internal-error");
                Assert.DoesNotContain("418", problem.Detail, StringComparison.Ordinal);
                await stack.Functions.WroteAsync(problem.TraceId!);
                await stack.Functions.WroteAsync("Status: 418");
            }
        },
    };

    public static TheoryData<string> Codes => [.. Provocations.Keys];

    [Theory]
    [MemberData(nameof(Codes))]
    public Task A_problem_has_its_code(string code) => stack.RunAsync(() => Provocations[code](stack));

    [Fact]
    public void Every_problem_of_the_document_is_provoked()
    {
        var text = File.ReadAllText(Path.Combine(Fixtures.Repository, "docs", "api.md"));
        var table = text[text.IndexOf("## Problems", StringComparison.Ordinal)..];
        Assert.Equal(DocumentedCode().Matches(table).Select(m => m.Groups[1].Value).Order(), Provocations.Keys.Order());
    }

    private static async Task RefusedAsync(StackApi caller, HttpMethod method, string route, object? body, string place)
    {
        var problem = (await caller.SendAsync(method, route, body)).Problem(400, "invalid-request");
        Assert.Contains(problem.Issues!, i => i.Path == place);
    }

    private static StringContent Json(string text) => new(text, Encoding.UTF8, "application/json");

    private static BeginUploadRequest Begin(string adapter) => new(adapter, [new UploadFileRequest("adapter_config.json", 10)]);

    private static MergeRecipe Merge(string output, params string[] inputs) =>
        new("linear", [.. inputs.DefaultIfEmpty("ann/one").Select(i => RecipeInput.Of(i))], new OutputRequest(output));

    [GeneratedRegex(@"^\| `([a-z-]+)` \| \d{3} \|", RegexOptions.Multiline)]
    private static partial Regex DocumentedCode();
}
