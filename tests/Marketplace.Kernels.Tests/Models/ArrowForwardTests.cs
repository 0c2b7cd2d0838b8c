using Marketplace.Core;
using Marketplace.Core.Formats;
using Marketplace.Core.Methods;
using Marketplace.Kernels.Models;
using Marketplace.Kernels.Tests.Merges;
using Marketplace.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace Marketplace.Kernels.Tests.Models;

/// <summary>Routing inside the forward pass, against runs of PEFT and dense references of the same formula.</summary>
public class ArrowForwardTests
{
    private static readonly (string Run, int TopK, double Temperature)[] Runs =
        [("arrow_top2_t0.5", 2, 0.5), ("arrow_top2_t1", 2, 1), ("arrow_top3_t1", 3, 1), ("gks_top2_t1", 2, 1), ("gks_top3_t1", 3, 1)];

    public static TheoryData<string, string, string> Cases
    {
        get
        {
            var cases = new TheoryData<string, string, string>();
            foreach (var family in new[] { "gapped", "flat" })
                foreach (var (run, _, _) in Runs)
                {
                    cases.Add(family, run, "exact_prototypes");
                    if (run.StartsWith("gks", StringComparison.Ordinal))
                        cases.Add(family, run, "exact_residual");
                }

            // Where its power iteration arrives, PEFT itself.
            foreach (var (run, _, _) in Runs)
                cases.Add("gapped", run, "peft");
            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Coefficients_and_logits_are_those_of_the_reference(string family, string run, string reference)
    {
        using var scope = NewDisposeScope();
        using var model = ModelFixture.Open("llama");
        using var io = SafetensorsFile.Open(Path.Combine(ModelFixture.Folder("llama"), "io.safetensors"));
        using var expected = SafetensorsFile.Open(Path.Combine(Fixtures.Root, "arrow", family, run + ".safetensors"));
        using var outputs = SafetensorsFile.Open(Path.Combine(Fixtures.Root, "arrow", family, run + ".logits.safetensors"));
        var (_, topK, temperature) = Runs.Single(r => r.Run == run);
        var (experts, general) = (Open(family, "task_", 5), Open(family, "general_", 2));
        RouterSubtraction? subtraction = run.StartsWith("gks", StringComparison.Ordinal)
            ? new(["general_0", "general_1"], [1, 1], 1, reference == "exact_residual" ? RouterSubtractionMode.Exact : RouterSubtractionMode.Factorwise)
            : null;
        using var active = Route(model, experts, subtraction, subtraction is null ? [] : general, new(topK, temperature));
        var seen = new Dictionary<string, Tensor>();
        ((RoutedAdapters)active).Observed = (module, coefficients) => seen[module] = coefficients.clone().MoveToOuterDisposeScope().MoveToOuterDisposeScope().MoveToOuterDisposeScope();
        using var batch = TokenBatch.Of(ModelFixture.Sequences(ModelFixture.Read(io, "full.input_ids")), CPU);
        var logits = model.Logits(model.Hidden(batch, active), active);
        Assert.InRange(ModelFixture.Difference(logits, ModelFixture.Read(outputs, reference + ".logits")), 0, ModelFixture.Tolerance);
        foreach (var module in new[] { "model.layers.0.mlp.down_proj", "model.layers.1.self_attn.v_proj" })
        {
            var coefficients = ModelFixture.Read(expected, $"{reference}.coef.{module}");
            Assert.InRange(ModelFixture.Difference(seen[module].view_as(coefficients), coefficients), 0, ModelFixture.Tolerance);
        }

        Close(experts, general);
    }

    [Fact]
    public void One_expert_is_that_adapter_and_all_at_infinite_temperature_are_their_mean()
    {
        using var scope = NewDisposeScope();
        using var model = ModelFixture.Open("llama");
        var experts = Open("flat", "task_", 5);
        using var batch = TokenBatch.Of([new[] { 1, 5, 9, 100, 30 }, new[] { 1, 77 }], CPU);
        Tensor Run(ActiveAdapters active)
        {
            using (active)
                return model.Logits(model.Hidden(batch, active), active);
        }

        Assert.True(ActiveAdapters.TryLoad(model, experts[0], out var first, out _));
        Assert.InRange(ModelFixture.Difference(Run(Route(model, [experts[0]], null, [], new(4))), Run(first)), 0, 1e-5);
        Assert.True(ActiveAdapters.TryLoad(model, [.. experts.Select(e => (e, 0.2))], out var mean, out _));
        Assert.InRange(ModelFixture.Difference(Run(Route(model, experts, null, [], new(5, 1e9))), Run(mean)), 0, 1e-4);
        Close(experts);
    }

    [Fact]
    public void Mixing_factors_first_is_what_the_reference_computes_token_by_token()
    {
        const string Module = "model.layers.0.self_attn.q_proj";
        using var scope = NewDisposeScope();
        using var model = ModelFixture.Open("llama");
        Adapter[] experts = [.. Enumerable.Range(1, 5).Select(seed => Libraries.Adapter(seed, 4, (Module, 48, 48)))];
        using var active = Route(model, experts, null, [], new(3, 1, RouterCombination.MergeBefore));
        Plan(experts, null, [], new(3, 1, RouterCombination.MergeBefore), out var router);
        var (layer, x) = (model.FindLinear(Module)!, randn(1, 5, 48));
        var tokens = new Matrix(5, 48, [.. x.flatten().data<float>().ToArray().Select(v => (double)v)]);
        var scale = experts[0].Find(Module)!.Scaling;
        LowRankDelta?[] raw = [.. experts.Select(e => e.Delta(Module)!).Select(d => new LowRankDelta(new Matrix(d.B.Rows, d.B.Columns, [.. d.B.Values.Select(v => v / scale)]), d.A))];
        var expected = RouterOutput.MergeBefore(tokens, RouterBatch.Route(router, router.Find(Module)!, tokens), raw, scale);
        var added = active.Linear(layer, x).Minus(ActiveAdapters.None.Linear(layer, x));
        Assert.InRange(ModelFixture.Difference(added.flatten(), from_array(expected.Values)), 0, 1e-4 * expected.Values.Max(Math.Abs));
    }

    [Fact]
    public void Factors_of_experts_with_other_scalings_are_not_mixed()
    {
        using var model = ModelFixture.Open("llama");
        var experts = Open("flat", "task_", 5);
        var plan = Plan(experts, null, [], new(3, 1, RouterCombination.MergeBefore), out var router);
        Assert.False(ActiveAdapters.TryLoad(model, router, plan, out _, out var problems));
        Assert.All(problems, p => Assert.Equal(WeightsProblem.AdapterUnfit, p.Code));
        Close(experts);
    }

    private static ActiveAdapters Route(LanguageModel model, Adapter[] experts, RouterSubtraction? subtraction, Adapter[] general, RouterOptions options)
    {
        var plan = Plan(experts, subtraction, general, options, out var router);
        Assert.True(ActiveAdapters.TryLoad(model, router, plan, out var active, out var problems), string.Join(' ', problems.Select(p => p.Message)));
        return active;
    }

    private static RouterPlan Plan(Adapter[] experts, RouterSubtraction? subtraction, Adapter[] general, RouterOptions options, out RouterModel router)
    {
        Assert.True(RouterPlan.TryCreate([.. experts.Select((_, i) => $"task_{i}")], experts, subtraction, general, options, out var plan, out var refused), string.Join(' ', refused));
        router = plan.Compute(TestContext.Current.CancellationToken);
        return plan;
    }

    private static Adapter[] Open(string family, string name, int count) =>
        [.. Enumerable.Range(0, count).Select(i => AdapterReader.Open(Path.Combine(Fixtures.Root, "arrow", family, "adapters", name + i)))];

    private static void Close(params Adapter[][] adapters)
    {
        foreach (var adapter in adapters.SelectMany(a => a))
            adapter.Dispose();
    }
}
