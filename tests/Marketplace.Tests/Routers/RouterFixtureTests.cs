using System.Collections.Immutable;
using Marketplace.Core;
using Marketplace.Core.Formats;
using Marketplace.Core.Methods;
using Marketplace.Tests.Algebra;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Routers;

/// <summary>Routers of the recorded adapters against PEFT's and the exact prototypes and coefficients, before and after subtraction.</summary>
public sealed class RouterFixtureTests : IDisposable
{
    private static readonly string[] Recorded = ["model.layers.0.mlp.down_proj", "model.layers.1.self_attn.v_proj"];

    private readonly List<Adapter> open = [];

    public static TheoryData<string, string, int, double> Runs => new(
        from family in new[] { "gapped", "flat" }
        from run in new[] { ("arrow_top2_t0.5", 2, 0.5), ("arrow_top2_t1", 2, 1d), ("arrow_top3_t1", 3, 1d), ("gks_top2_t1", 2, 1d), ("gks_top3_t1", 3, 1d) }
        select (family, run.Item1, run.Item2, run.Item3));

    [Theory]
    [InlineData("gapped", "arrow")]
    [InlineData("flat", "arrow")]
    [InlineData("gapped", "gks_exact")]
    [InlineData("flat", "gks_exact")]
    [InlineData("gapped", "gks_factorwise")]
    [InlineData("flat", "gks_factorwise")]
    public void Prototypes_and_singular_values_equal_the_recorded_ones(string family, string set)
    {
        var router = Router(family, set);
        using var file = PeftFiles.Open("arrow", family, set + ".prototypes_exact.safetensors");
        var compared = 0;
        foreach (var module in router.Description.Modules)
        {
            var (s, v) = (PeftFiles.Matrix(file, "singular_values." + module.Tensor), PeftFiles.Matrix(file, "prototypes." + module.Tensor));
            for (var e = 0; e < 5; e++)
            {
                var entry = module.Experts[e];
                Assert.Equal(s[e, 0], entry.S1, 1e-6 * s[e, 0]);
                Assert.Equal(s[e, 1], entry.S2, 1e-6 * s[e, 0]);
                Assert.Equal(s[e, 0] - s[e, 1] < 1e-3 * s[e, 0], entry.Degenerate);
                if (s[e, 0] - s[e, 1] < 1e-4 * s[e, 0])
                    continue;
                Assert.True(AbsoluteCosine(v.Row(e), Row(router, module, e)) > 1 - 1e-6, $"{module.Tensor} of task {e}");
                compared++;
            }
        }

        Assert.Equal(8, router.Description.Modules.Length);
        Assert.True(compared > 30);
    }

    [Theory]
    [InlineData("arrow")]
    [InlineData("gks_factorwise")]
    public void The_file_has_the_layout_of_peft_s_buffers_and_its_values_where_the_gap_allows(string set)
    {
        var router = Router("gapped", set);
        using var mine = SafetensorsFile.Read(router.PrototypeBytes());
        using var peft = PeftFiles.Open("arrow", "gapped", set + ".prototypes_peft.safetensors");
        Assert.Equal(peft.Tensors.Select(t => (t.Name["prototypes.".Length..], t.Type, string.Join(',', t.Shape))).Order(), mine.Tensors.Select(t => (t.Name, t.Type, string.Join(',', t.Shape))).Order());
        foreach (var tensor in mine.Tensors)
        {
            var (a, b) = (PeftFiles.Matrix(mine, tensor.Name), PeftFiles.Matrix(peft, "prototypes." + tensor.Name));
            for (var e = 0; e < 5; e++)
                Assert.True(AbsoluteCosine(a.Row(e), b.Row(e)) > 1 - 1e-6, $"{tensor.Name} of task {e}");
        }
    }

    [Theory]
    [MemberData(nameof(Runs))]
    public void Coefficients_of_peft_s_own_prototypes_are_peft_s(string family, string run, int topK, double temperature)
    {
        using var file = PeftFiles.Open("arrow", family, run + ".safetensors");
        var router = OfPeft(family, run.StartsWith("gks", StringComparison.Ordinal) ? "gks_factorwise" : "arrow");
        foreach (var name in Recorded)
            AssertCoefficients(file, "peft.coef." + name, router, name, topK, temperature);
    }

    [Theory]
    [MemberData(nameof(Runs))]
    public void Exact_prototypes_give_the_same_coefficients_where_the_gap_allows(string family, string run, int topK, double temperature)
    {
        // In the flat family PEFT's iteration does not arrive, so other adapters feed the recorded modules, and their inputs differ from those on file.
        if (family == "flat")
            return;
        using var file = PeftFiles.Open("arrow", family, run + ".safetensors");
        var router = Router(family, run.StartsWith("gks", StringComparison.Ordinal) ? "gks_factorwise" : "arrow");
        foreach (var name in Recorded)
        {
            AssertCoefficients(file, "exact_prototypes.coef." + name, router, name, topK, temperature);
            AssertCoefficients(file, "peft.coef." + name, router, name, topK, temperature);
        }
    }

    [Theory]
    [InlineData("gapped")]
    [InlineData("flat")]
    public void A_written_router_routes_as_before(string family)
    {
        var router = Router(family, "gks_exact");
        var read = RouterModel.Parse(router.PrototypeBytes(), router.DescriptionBytes());
        Assert.Equal(router.DescriptionBytes(), read.DescriptionBytes());
        Assert.Equal(router.PrototypeBytes(), read.PrototypeBytes());
        Assert.Equal(3, read.Description.TopK);
        using var file = PeftFiles.Open("arrow", family, "gks_top3_t1.safetensors");
        foreach (var name in Recorded)
        {
            var tokens = PeftFiles.Matrix(file, "peft.input." + name);
            Assert.Equal(RouterBatch.Route(router, router.Find(name)!, tokens).Coefficients, RouterBatch.Route(read, read.Find(name)!, tokens).Coefficients);
        }
    }

    [Fact]
    public void Real_adapters_have_routers_whose_flags_say_where_they_are_arbitrary()
    {
        var checkedModules = 0;
        foreach (var wild in WildAdapters.Catalogue().Where(w => w.IsAccepted))
        {
            using var adapter = AdapterReader.Open(wild.Folder);
            if (adapter.Modules.Any(m => m.HasMagnitude || (long)m.Out * m.In > 5_000_000) || adapter.Modules.Length > 100)
                continue;
            if (!RouterPlan.TryCreate([wild.Name], [adapter], null, [], new(), out var plan, out _))
                continue;
            var router = plan.Compute(cancellation: TestContext.Current.CancellationToken);
            foreach (var module in router.Description.Modules.Take(8))
            {
                var entry = module.Experts[0];
                var row = router.Prototypes(module).ToArray();
                Assert.Equal(entry.State == RouterEntryState.Routed ? 1 : 0, Math.Sqrt(row.Sum(x => (double)x * x)), 1e-5);
                // |ΔW·v| is the largest singular value.
                var delta = adapter.Delta(module.Tensor)!;
                var y = Dense.Apply(Rows(delta.B), Dense.Apply(Rows(delta.A), [.. row.Select(x => (double)x)]));
                Assert.Equal(entry.S1, Math.Sqrt(y.Sum(x => x * x)), 1e-5 * (1e-30 + entry.S1));
                checkedModules++;
            }
        }

        Assert.True(checkedModules > 20);
    }

    public void Dispose() => open.ForEach(a => a.Dispose());

    private RouterModel Router(string family, string set)
    {
        string[] names = [.. Enumerable.Range(0, 5).Select(i => $"task_{i}")];
        var subtraction = set == "arrow" ? null : new RouterSubtraction(
            ["general_0", "general_1"], [1, 1], 1, set == "gks_exact" ? RouterSubtractionMode.Exact : RouterSubtractionMode.Factorwise);
        Adapter[] general = subtraction is null ? [] : [Load(family, "general_0"), Load(family, "general_1")];
        Assert.True(RouterPlan.TryCreate(names, [.. names.Select(n => Load(family, n))], subtraction, general, new(), out var plan, out _));
        return plan.Compute(cancellation: TestContext.Current.CancellationToken);
    }

    // The same router with what PEFT's iteration came to in place of the prototypes.
    private RouterModel OfPeft(string family, string set)
    {
        var description = Router(family, set).Description;
        using var file = PeftFiles.Open("arrow", family, set + ".prototypes_peft.safetensors");
        return new(description, description.Modules.ToImmutableDictionary(m => m.Tensor, m => file.ReadSingle(file.Find("prototypes." + m.Tensor)!)));
    }

    private static void AssertCoefficients(SafetensorsFile file, string tensor, RouterModel router, string module, int topK, double temperature)
    {
        var (tokens, recorded) = (PeftFiles.Matrix(file, "peft.input." + module), PeftFiles.Matrix(file, tensor));
        var routed = RouterBatch.Route(router, router.Find(module)!, tokens, topK, temperature);
        Assert.Equal(topK, routed.Width);
        for (var t = 0; t < tokens.Rows; t++)
            Dense.AssertClose(recorded.Row(t).ToArray(), routed.Row(t), 1e-4);
    }

    private static double[] Row(RouterModel router, RouterModule module, int expert) =>
        [.. router.Prototypes(module).Slice(expert * module.In, module.In).ToArray().Select(x => (double)x)];

    private static double AbsoluteCosine(ReadOnlySpan<double> x, ReadOnlySpan<double> y) => Math.Abs(System.Numerics.Tensors.TensorPrimitives.CosineSimilarity(x, y));

    private static double[,] Rows(Matrix matrix)
    {
        var rows = new double[matrix.Rows, matrix.Columns];
        Buffer.BlockCopy(matrix.Values, 0, rows, 0, sizeof(double) * matrix.Values.Length);
        return rows;
    }

    private Adapter Load(string family, string name)
    {
        open.Add(PeftFiles.Load("arrow", family, "adapters", name));
        return open[^1];
    }
}
