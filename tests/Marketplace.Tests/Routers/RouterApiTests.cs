using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Marketplace.Core;
using Marketplace.Core.Analysis;
using Marketplace.Core.Api;
using Marketplace.Core.Formats;
using Marketplace.Core.Merges;
using Marketplace.Core.Methods;
using Marketplace.Storage;
using Marketplace.Storage.Jobs;
using Marketplace.Tests.Algebra;
using Marketplace.Tests.EndToEnd;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Routers;

/// <summary>Routers over HTTP: exported, read, asked; held to what Core computes from the same files.</summary>
public sealed class RouterApiTests(RouterApiTests.World world) : IClassFixture<RouterApiTests.World>
{
    private const string Q = "model.layers.0.self_attn.q_proj";
    private const string V = "model.layers.0.self_attn.v_proj";

    private static readonly string[] Samples = ["copy", "last", "reverse", "sort", "upper"];

    private readonly Stack stack = world.Stack;
    private readonly StackApi owner = world.Owner;

    public sealed class World(AzuriteFixture azurite) : StackFixture(azurite, new StackSettings())
    {
        internal StackApi Owner { get; private set; } = null!;

        public override async ValueTask InitializeAsync()
        {
            await base.InitializeAsync();
            Owner = await Stack.AccountAsync("ann");
            foreach (var name in Samples.Concat(["prose", "log"]))
            {
                var folder = Sample(name);
                await Owner.PublishedAsync($"ann/{name}", Directory.GetFiles(folder).ToDictionary(f => Path.GetFileName(f), File.ReadAllBytes));
            }

            foreach (var seed in Enumerable.Range(1, 4))
                await Owner.PublishedAsync($"ann/small-{seed}", StackAdapters.Files(seed));
            await Owner.PublishedAsync("ann/wide", StackAdapters.Files(9, "org/other"));
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public Task The_sample_library_s_router_is_core_s(bool subtracted) => stack.RunAsync(async () =>
    {
        var request = new RouterRequest(
            [.. Samples.Select(s => $"ann/{s}")], General: subtracted ? [new("ann/prose"), new("ann/log", 3)] : null, Beta: 0.5, Tie: [["q_proj", "k_proj", "v_proj"]], Name: "samples");
        var router = await ExportAsync(request);
        using var files = new Opened([.. Samples.Select(Sample)]);
        using var general = new Opened(subtracted ? [Sample("prose"), Sample("log")] : []);
        var subtraction = subtracted ? new RouterSubtraction(["ann/prose@1", "ann/log@1"], [1, 3], 0.5, RouterSubtractionMode.Exact) : null;
        Assert.True(RouterPlan.TryCreate(
            [.. Samples.Select(s => $"ann/{s}@1")], files.Adapters, subtraction, general.Adapters, new() { Ties = request.Tie! }, out var plan, out _));
        var core = plan.Compute(cancellation: TestContext.Current.CancellationToken);

        Assert.Equal(core.PrototypeBytes(), await FileAsync(owner, router, RouterModel.PrototypesFile));
        Assert.Equal(Encoding.UTF8.GetString(core.DescriptionBytes()), Encoding.UTF8.GetString(await FileAsync(owner, router, RouterModel.DescriptionFile)));
        Assert.Equal(("samples", "ann", subtracted ? 3 : 4), (router.Name, router.Owner, router.TopK));
        Assert.Equal(Samples.Select(s => $"ann/{s}"), router.Experts.Select(e => e.Adapter));
        Assert.True(router.Rows < router.Modules);
        Assert.Equal(subtracted ? 2 : 0, router.General.Count);
    });

    [Fact]
    public Task Tokens_are_routed_as_core_routes_them_whatever_form_they_come_in() => stack.RunAsync(async () =>
    {
        var router = await ExportAsync(Small());
        var model = RouterModel.Parse(await FileAsync(owner, router, RouterModel.PrototypesFile), await FileAsync(owner, router, RouterModel.DescriptionFile));
        var tokens = Adapters.Fill(new Matrix(6, 8), new Random(1));
        var single = new Matrix(6, 8, [.. tokens.Values.Select(x => (double)(float)x)]);
        var expected = RouterBatch.Route(model, model.Find(V)!, single, 2, 0.5);

        var json = (await owner.SendAsync(HttpMethod.Post, $"/routers/{router.Id}/route?topK=2&temperature=0.5", Inputs(V, single))).Read<RouteView>();
        var binary = await owner.SendAsync(HttpMethod.Post, $"/routers/{router.Id}/route?topK=2&temperature=0.5", Binary((V, single, [2, 3, 8])));
        Assert.Equal((2, 0.5), (json.TopK, json.Temperature));
        Assert.Equal(["ann/small-1@1", "ann/small-2@1", "ann/small-3@1"], json.Experts);
        foreach (var answer in new[] { json, binary.Read<RouteView>() })
        {
            var module = Assert.Single(answer.Modules);
            Assert.Equal((V, 6), (module.Module, module.Tokens));
            Assert.Equal([V], module.Members);
            Assert.Equal(expected.Indices, module.Indices!.SelectMany(i => i));
            Assert.Equal(expected.Coefficients, module.Coefficients!.SelectMany(c => c));
        }

        var logits = new Matrix(6, 3);
        for (var t = 0; t < 6; t++)
            for (var e = 0; e < 3; e++)
                logits[t, e] = single.Row(t).ToArray().Zip(model.Prototypes(model.Find(V)!).Slice(8 * e, 8).ToArray(), (x, v) => x * v).Sum();
        var known = (await owner.SendAsync(HttpMethod.Post, $"/routers/{router.Id}/route?topK=2&temperature=0.5", new RouteRequest(Logits: Rows(V, logits)))).Read<RouteView>();
        Assert.Equal(expected.Indices, known.Modules[0].Indices!.SelectMany(i => i));
        Dense.AssertClose(expected.Coefficients, [.. known.Modules[0].Coefficients!.SelectMany(c => c)], 1e-12);
        var same = await owner.SendAsync(HttpMethod.Post, $"/routers/{router.Id}/route?topK=2&temperature=0.5&logits=true", Binary((V, logits, [6, 3])));
        Assert.Equal(expected.Indices, same.Read<RouteView>().Modules[0].Indices!.SelectMany(i => i));
    });

    [Fact]
    public Task Means_are_a_recipe_that_merges_as_they_say() => stack.RunAsync(async () =>
    {
        var router = await ExportAsync(Small());
        var tokens = Adapters.Fill(new Matrix(9, 8), new Random(2));
        var body = new RouteRequest(new Dictionary<string, IReadOnlyList<IReadOnlyList<double>>> { [Q] = Rows(Q, tokens)[Q], [V] = Rows(V, tokens)[V] });
        var answer = (await owner.SendAsync(HttpMethod.Post, $"/routers/{router.Id}/route?topK=1&average=true", body)).Read<RouteView>();
        Assert.All(answer.Modules, m => Assert.Equal(1, m.Mean!.Sum(), 1e-12));
        Assert.All(answer.Modules, m => Assert.Null(m.Indices));
        var plan = await owner.PostAsync<MergePlanView>("/merges/plan", answer.Recipe, 200);
        Assert.Equal(4, plan.Modules);
        foreach (var (module, means) in answer.Modules.Select(m => (m.Module, m.Mean!)))
        {
            for (var e = 0; e < 3; e++)
                Assert.Equal(means[e], answer.Recipe!.Inputs.FirstOrDefault(i => i.Adapter == answer.Experts[e])?.Weight.At(module, 0)!.Number ?? 0, 1e-15);
        }

        Assert.All(answer.Recipe!.Inputs, i => Assert.Equal(0, i.Weight.At("model.layers.1.self_attn.q_proj", 1)!.Number));
    });

    [Fact]
    public Task Asking_twice_is_asking_once_and_another_order_is_another_router() => stack.RunAsync(async () =>
    {
        var (one, two) = (await ExportAsync(Small()), await ExportAsync(Small()));
        Assert.Equal(one.Id, two.Id);
        Assert.NotEqual(one.Id, (await ExportAsync(new RouterRequest(["ann/small-2", "ann/small-1", "ann/small-3"]))).Id);
    });

    [Fact]
    public Task A_collection_s_router_is_that_of_its_members() => stack.RunAsync(async () =>
    {
        var members = new List<CollectionMember>();
        foreach (var name in new[] { "small-1", "small-2", "small-3" })
        {
            var version = (await owner.GetAsync<AdapterView>($"/adapters/ann/{name}")).Main!;
            members.Add(new(name, AdapterId.Parse(version.Adapter), new(version.Number, version.Id)));
        }

        await stack.Storage.Collections.PutAsync(new(
            AdapterId.Parse("ann/three"), false, StackAdapters.BaseModel, "library-build", DateTimeOffset.UtcNow, "00ff", "{}", [.. members]), TestContext.Current.CancellationToken);
        Assert.Equal((await ExportAsync(Small())).Id, (await ExportAsync(new RouterRequest(Collection: "ann/three"))).Id);
    });

    [Fact]
    public Task Strangers_see_a_router_as_long_as_they_see_its_adapters() => stack.RunAsync(async () =>
    {
        await owner.PublishedAsync("ann/fickle", StackAdapters.Files(40));
        var open = await ExportAsync(new RouterRequest(["ann/small-1", "ann/fickle"]));
        var closed = await ExportAsync(new RouterRequest(["ann/small-1"], Private: true));
        var tokens = Adapters.Fill(new Matrix(1, 8), new Random(1));
        async Task SeenAsync(StackApi caller, RouterView router, bool seen)
        {
            Assert.Equal(seen ? 200 : 404, (await caller.SendAsync(HttpMethod.Get, $"/routers/{router.Id}")).Status);
            Assert.Equal(seen ? 302 : 404, (await caller.SendAsync(HttpMethod.Get, $"/routers/{router.Id}/files/router.json")).Status);
            Assert.Equal(seen ? 200 : 404, (await caller.SendAsync(HttpMethod.Post, $"/routers/{router.Id}/route", Inputs(Q, tokens))).Status);
        }

        var eve = await stack.AccountAsync("eve");
        foreach (var caller in new[] { eve, stack.Anonymous })
        {
            await SeenAsync(caller, open, true);
            await SeenAsync(caller, closed, false);
        }

        await SeenAsync(owner, closed, true);
        await stack.Storage.Catalogue.SetVisibilityAsync(AdapterId.Parse("ann/fickle"), isPrivate: true, ct: TestContext.Current.CancellationToken);
        await SeenAsync(eve, open, false);
        await SeenAsync(stack.Anonymous, open, false);
        await SeenAsync(owner, open, true);
        await SeenAsync(stack.Admin, open, true);
    });

    [Fact]
    public Task A_body_of_many_tokens_is_more_than_the_api_takes_elsewhere_and_is_answered() => stack.RunAsync(async () =>
    {
        var router = await ExportAsync(Small());
        var tokens = Adapters.Fill(new Matrix(4096, 8), new Random(3));
        var bodies = new[] { Q, V, Q.Replace(".0.", ".1.", StringComparison.Ordinal), V.Replace(".0.", ".1.", StringComparison.Ordinal) }.Select(n => (n, tokens, new long[] { 4096, 8 })).ToArray();
        var answer = await owner.SendAsync(HttpMethod.Post, $"/routers/{router.Id}/route?topK=1", Bytes(Bytes(TensorType.F64, bodies)));
        Assert.Equal(200, answer.Status);
        Assert.Equal([4096, 4096, 4096, 4096], answer.Read<RouteView>().Modules.Select(m => m.Tokens));
    });

    [Fact]
    public Task Prototypes_that_analysis_left_are_taken_where_nothing_changes_them() => stack.RunAsync(async () =>
    {
        // Marked results of an analysis show where they were used.
        var cancel = TestContext.Current.CancellationToken;
        var published = await owner.PublishedAsync("ann/analysed", StackAdapters.Files(77));
        var version = (await stack.Storage.Versions.GetAsync(AdapterId.Parse("ann/analysed"), published.Number, cancel))!;
        ModuleStatistics Marked(string module, double first, double second) => new(module, "Linear", 8, 8, 2, 2, first, first, 1, 1, 2, false, [first, second]);
        foreach (var file in AdapterAnalyses.Files(version.Config,
        [
            new(AdapterAnalysis.StatisticsFile, JsonSerializer.SerializeToUtf8Bytes(AdapterStatistics.Of([Marked(Q, 6, 2), Marked(V, 0, 0)]), ApiJson.Options)),
            new(AdapterAnalysis.PrototypesFile, SafetensorsBytes(
                TensorSource.FromDoubles(Q, TensorType.F32, [8], () => [0, 0, 1, 0, 0, 0, 0, 0]), TensorSource.FromDoubles(V, TensorType.F32, [8], () => new double[8]))),
        ]))
        {
            await stack.Storage.Derived.PutAsync(version.Weights, file.AnalysisVersion, file.Name, file.Content, cancel);
        }

        async Task<(float Row, double S1, double S2)> QueryAsync(RouterRequest request)
        {
            var router = await ExportAsync(request);
            var model = RouterModel.Parse(await FileAsync(owner, router, RouterModel.PrototypesFile), await FileAsync(owner, router, RouterModel.DescriptionFile));
            Assert.Equal(RouterEntryState.Routed, model.Find(V)!.Experts[0].State);
            var module = model.Find(Q)!;
            return (model.Prototypes(module)[2], module.Experts[0].S1, module.Experts[0].S2);
        }

        Assert.Equal((1, 6, 2), await QueryAsync(new RouterRequest(["ann/analysed"])));
        Assert.NotEqual(1, (await QueryAsync(new RouterRequest(["ann/analysed"], General: [new("ann/small-1")]))).Row);
        Assert.NotEqual(1, (await QueryAsync(new RouterRequest(["ann/analysed"], Tie: [["q_proj", "v_proj"]]))).Row);
    });

    private static RouterRequest Small() => new(["ann/small-1", "ann/small-2", "ann/small-3"]);

    private Task<RouterView> ExportAsync(RouterRequest request) => ExportAsync(owner, request);

    internal static async Task<RouterView> ExportAsync(StackApi owner, RouterRequest request)
    {
        var job = await PrivacyWorld.EndedAsync(owner, "/routers", request);
        var result = JsonSerializer.Deserialize<RouterResult>(job.Result!.Value, ApiJson.Options)!;
        Assert.Equal(job.JobId[..32], result.RouterId);
        return await owner.GetAsync<RouterView>($"/routers/{result.RouterId}");
    }

    internal static async Task<byte[]> FileAsync(StackApi caller, RouterView router, string name)
    {
        var answer = await caller.SendAsync(HttpMethod.Get, $"/routers/{router.Id}/files/{name}");
        Assert.Equal(302, answer.Status);
        using var http = new HttpClient();
        var bytes = await http.GetByteArrayAsync(answer.Headers["Location"]);
        var file = router.Files.Single(f => f.Name == name);
        Assert.Equal((file.Size, file.Sha256), (bytes.Length, Digest.Of(bytes).Hex));
        Assert.Equal($"\"{file.Sha256}\"", answer.Headers["X-Linked-Etag"]);
        return bytes;
    }

    private static RouteRequest Inputs(string module, Matrix tokens) => new(Rows(module, tokens));

    private static Dictionary<string, IReadOnlyList<IReadOnlyList<double>>> Rows(string module, Matrix tokens) =>
        new() { [module] = [.. Enumerable.Range(0, tokens.Rows).Select(t => tokens.Row(t).ToArray())] };

    internal static ByteArrayContent Binary(params (string Name, Matrix Values, long[] Shape)[] tensors) => Bytes(Bytes(TensorType.F32, tensors));

    private static byte[] Bytes(TensorType type, (string Name, Matrix Values, long[] Shape)[] tensors) =>
        SafetensorsBytes([.. tensors.Select(t => TensorSource.FromDoubles(t.Name, type, [.. t.Shape], () => t.Values.Values))]);

    internal static byte[] SafetensorsBytes(params TensorSource[] tensors)
    {
        using var stream = new MemoryStream();
        SafetensorsWriter.Write(stream, tensors);
        return stream.ToArray();
    }

    internal static ByteArrayContent Bytes(byte[] bytes) => new(bytes) { Headers = { ContentType = new MediaTypeHeaderValue("application/octet-stream") } };

    private static string Sample(string name) => Path.Combine(Fixtures.Repository, "samples", "library", name);

    private sealed class Opened(string[] folders) : IDisposable
    {
        public Adapter[] Adapters { get; } = [.. folders.Select(f => AdapterReader.Open(f))];

        public void Dispose() => Array.ForEach(Adapters, a => a.Dispose());
    }
}
