using System.Text;
using Marketplace.Core;
using Marketplace.Core.Api;
using Marketplace.Core.Formats;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Routers;

/// <summary>Routers and tokens that can't be, refused over HTTP with code and place.</summary>
public sealed class RouterRefusalTests(RouterApiTests.World world) : IClassFixture<RouterApiTests.World>
{
    private const string Q = "model.layers.0.self_attn.q_proj";
    private const string V = "model.layers.0.self_attn.v_proj";

    private readonly Stack stack = world.Stack;
    private readonly StackApi owner = world.Owner;

    [Fact]
    public Task What_can_t_be_a_router_is_refused_with_its_place() => stack.RunAsync(async () =>
    {
        string[] one = ["ann/small-1"];
        foreach (var (request, code, place) in new (RouterRequest, string, string)[]
        {
            (new(), "invalid-value", "adapters"), (new(one, "ann/three"), "invalid-value", "adapters"), (new([]), "invalid-value", "adapters"),
            (new([.. Enumerable.Range(0, 257).Select(i => $"ann/{i}")]), "invalid-value", "adapters"), (new([null!]), "invalid-value", "adapters[0]"),
            (new(["ann/small-1", "ann/absent"]), "invalid-value", "adapters[1]"), (new(["ann/small-1", "ANN/small-1@1"]), "invalid-value", "adapters"),
            (new(Collection: "absent"), "invalid-value", "collection"), (new(Collection: "ann/absent"), "invalid-value", "collection"),
            (new(one, General: [new("ann/absent")]), "invalid-value", "general[0]"), (new(one, General: [new("ann/small-2", 1), new("ann/small-3", -1)]), "invalid-value", "general"),
            (new(one, General: [.. Enumerable.Repeat(new WeightedAdapter("ann/small-2"), 21)]), "invalid-value", "general"),
            (new(one, Mode: "roughly"), "invalid-value", "mode"), (new(one, Combination: "never"), "invalid-value", "combination"), (new(one, TopK: 0), "invalid-value", "topK"),
            (new(one, Temperature: 0), "invalid-value", "temperature"), (new(one, Name: new string('x', 201)), "invalid-value", "name"),
            (new(one, Tie: [["q_proj"]]), "tie-invalid", "tie[0]"), (new(one, Tie: [["q_proj", "k_proj"], ["q_proj", "v_proj"]]), "tie-overlaps", "tie[1]"),
            (new(one, Tie: [.. Enumerable.Range(0, 21).Select(i => (string[])[$"a{i}", $"b{i}"])]), "invalid-value", "tie"), (new(one, Tie: [null!]), "invalid-value", "tie[0]"),
        })
        {
            var problem = (await owner.SendAsync(HttpMethod.Post, "/routers", request)).Problem(400, "invalid-request");
            Assert.Contains((code, place), problem.Issues!.Select(i => (i.Code, i.Path)));
        }

        (await owner.SendAsync(HttpMethod.Post, "/routers", new RouterRequest(["ann/small-1", "ann/wide"]))).Problem(422, "base-mismatch");
        (await stack.Anonymous.SendAsync(HttpMethod.Post, "/routers", new RouterRequest(one))).Problem(401, "unauthenticated");
        foreach (var (request, code) in new (RouterRequest, string)[]
        {
            (new(one, Tie: [["left", "right"]]), "tie-unmatched"),
            (new(["ann/sort"], General: [new("ann/prose")], Mode: "factorwise", Tie: [["q_proj", "absent"]]), ""),
        })
        {
            var job = await owner.EndedAsync((await owner.PostAsync<JobView>("/routers", request, 202)).JobId);
            Assert.Equal(code == "" ? "succeeded" : "failed", job.Status);
            if (code != "")
                Assert.Contains($"[{code}]", job.Detail);
        }
    });

    [Fact]
    public Task Tokens_that_can_t_be_routed_are_refused_with_their_place() => stack.RunAsync(async () =>
    {
        var router = await RouterApiTests.ExportAsync(owner, new RouterRequest(["ann/small-1", "ann/small-2"], Tie: [["q_proj", "v_proj"]]));
        var good = string.Join(',', Enumerable.Repeat("1", 8));
        foreach (var (body, code, place) in new[]
        {
            ("{}", "invalid-value", "inputs"), ("""{"inputs":{},"logits":{} }""", "invalid-value", "inputs"), ("""{"inputs":{} }""", "no-inputs", "inputs"),
            ("""{"inputs":{"nope":[[1]]} }""", "module-unknown", "inputs.nope"), ($$"""{"inputs":{"{{Q}}":[]} }""", "tokens-count", $"inputs.{Q}"),
            ($$"""{"inputs":{"{{Q}}":[[1,2]]} }""", "width-mismatch", $"inputs.{Q}"), ($$"""{"inputs":{"{{Q}}":[[{{good}}],[1]]} }""", "width-mismatch", $"inputs.{Q}[1]"),
            ($$"""{"inputs":{"{{Q}}":null} }""", "width-mismatch", $"inputs.{Q}"), ($$"""{"inputs":{"{{Q}}":[null]} }""", "width-mismatch", $"inputs.{Q}"),
            ($$"""{"inputs":{"{{Q}}":[[{{good}}],[1,1,1e300,1,1,1,1,1]]} }""", "not-finite", $"inputs.{Q}[1][2]"),
            ($$"""{"inputs":{"{{Q}}":[[{{good}}]],"{{V}}":[[{{good}}]]} }""", "module-repeated", $"inputs.{V}"),
            ($$"""{"logits":{"{{Q}}":[[{{good}}]]} }""", "width-mismatch", $"logits.{Q}"),
        })
        {
            await RefusedAsync(new StringContent(body, Encoding.UTF8, "application/json"), code, place);
        }

        await RefusedAsync(RouterApiTests.Bytes([1, 2, 3]), "not-safetensors", "body");
        await RefusedAsync(RouterApiTests.Binary((Q, new Matrix(1, 8, [1, 1, 1, double.NaN, 1, 1, 1, 1]), [1, 8])), "not-finite", $"{Q}[0][3]");
        await RefusedAsync(RouterApiTests.Binary((Q, new Matrix(5000, 8), [5000, 8])), "tokens-count", Q);
        await RefusedAsync(RouterApiTests.Bytes(RouterApiTests.SafetensorsBytes(new TensorSource(Q, TensorType.I64, [1], () => new byte[8]))), "type-unknown", Q);
        (await SendAsync(new StringContent("""{"inputs":{"q":[["x"]]} }""", Encoding.UTF8, "application/json"))).Problem(400, "invalid-json");
        (await SendAsync(new StringContent("""{"input":{} }""", Encoding.UTF8, "application/json"))).Problem(400, "invalid-json");
        (await SendAsync(new StringContent("x", Encoding.UTF8, "text/plain"))).Problem(415, "unsupported-media-type");
        (await SendAsync(RouterApiTests.Bytes(new byte[33 << 20]), "", ("Expect", "100-continue"))).Problem(413, "too-large");
        foreach (var (query, place) in new[] { ("topK=0", "topK"), ("topK=x", "topK"), ("temperature=0", "temperature"), ("temperature=NaN", "temperature"), ("average=yes", "average"), ("logits=1", "logits") })
        {
            var problem = (await SendAsync(new StringContent("{}", Encoding.UTF8, "application/json"), "?" + query)).Problem(400, "invalid-request");
            Assert.Contains(problem.Issues!, i => i.Path == place);
        }

        (await owner.SendAsync(HttpMethod.Get, $"/routers/{router.Id}/files/manifest.json")).Problem(404, "not-found");
        (await owner.SendAsync(HttpMethod.Get, "/routers/nothing")).Problem(404, "not-found");

        async Task RefusedAsync(HttpContent body, string code, string place)
        {
            var problem = (await SendAsync(body)).Problem(400, "invalid-request");
            Assert.Contains((code, place), problem.Issues!.Select(i => (i.Code, i.Path!)));
        }

        Task<StackAnswer> SendAsync(HttpContent body, string query = "", params (string, string)[] headers) =>
            owner.SendAsync(HttpMethod.Post, $"/routers/{router.Id}/route{query}", body, headers);
    });
}
