using CsCheck;
using Marketplace.Core;
using Marketplace.Core.Algebra;
using Marketplace.Core.Formats;
using Marketplace.Core.Merges;
using Marketplace.Core.Methods;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Algebra;

public sealed class ServingLimitsTests
{
    private static readonly AdapterConfig Plain = new() { Rank = 16, Alpha = 32, BaseModel = "org/base" };

    [Fact]
    public void A_plain_adapter_is_served_by_both()
    {
        var check = Check(Plain, Module("layers.0.q"), Module("layers.1.q"));
        Assert.Equal((16, 16), (check.Rank, check.MaxLoraRank));
        Assert.Empty(check.Vllm);
        Assert.Empty(check.Lorax);
        Assert.Equal(32, Check(Plain with { Rank = 17, UseRsLora = true }, Module("layers.0.q", 17, 32 / Math.Sqrt(17))).MaxLoraRank);
    }

    public static TheoryData<string, string, string> Cases => new()
    {
        { "rank", "rank-too-high:refused", "rank-padded:wrong" },
        { "odd rank", "", "rank-padded:wrong" },
        { "small rank", "", "rank-padded:wrong" },
        { "ranks by layer", "scalings-differ:wrong", "scalings-differ:wrong ranks-differ:refused" },
        { "alphas", "scalings-differ:wrong", "scalings-differ:wrong" },
        { "a layer lacks a kind", "", "layers-missing:ignored" },
        { "a layer is left out", "", "layers-missing:ignored" },
        { "dora", "dora:refused", "dora:wrong" },
        { "bias", "biases:refused", "biases:ignored" },
        { "factor bias", "biases:refused", "biases:ignored" },
        { "saved head", "saved-modules:refused", "saved-modules:ignored" },
        { "saved by name", "saved-modules:refused", "saved-modules:ignored" },
        { "embedding", "not-linear:refused", "not-linear:ignored" },
        { "alora", "activated-by-tokens:wrong", "activated-by-tokens:wrong" },
    };

    [Theory]
    [MemberData(nameof(Cases))]
    public void What_a_server_does_not_do_is_told_with_what_happens(string name, string vllm, string lorax)
    {
        var q = Module("layers.0.q");
        var check = name switch
        {
            "rank" => Check(Plain with { Rank = 600 }, Module("layers.0.q", 600, 32d / 600)),
            "odd rank" => Check(Plain with { Rank = 20 }, Module("layers.0.q", 20, 1.6)),
            "small rank" => Check(Plain with { Rank = 4 }, Module("layers.0.q", 4, 8)),
            "ranks by layer" => Check(Plain, q, Module("layers.1.q", 32, 1)),
            "alphas" => Check(Plain, q, Module("layers.0.v", 16, 1)),
            "a layer lacks a kind" => Check(Plain, q, Module("layers.0.v"), Module("layers.1.q")),
            "a layer is left out" => Check(Plain, q, Module("layers.2.q")),
            "dora" => Check(Plain with { UseDora = true }, q with { HasMagnitude = true }),
            "bias" => Check(Plain with { Bias = TrainedBias.All }, q),
            "factor bias" => Check(Plain, q with { HasBias = true }),
            "saved head" => Check(Plain, ["base_model.model.lm_head.weight"], q),
            "saved by name" => Check(Plain with { ModulesToSave = ["score"] }, q),
            "embedding" => Check(Plain, q, new TargetModule("embed_tokens", ModuleKind.Embedding, 8, 8, 16, 2)),
            _ => Check(Plain with { IsActivatedByTokens = true }, q),
        };
        Assert.Equal(vllm, Codes(check.Vllm));
        Assert.Equal(lorax, Codes(check.Lorax));
    }

    // Whatever goes in: ranks, layers and kinds of modules.
    [Fact]
    public void Every_export_of_linear_modules_is_served_by_both() =>
        Gen.Select(Gen.Int[1, 40], Gen.Int[1, 40], Gen.Int[0, 3], Gen.Int[0, 3], Gen.OneOf(Gen.Const(TensorType.F32), Gen.Const(TensorType.BF16))).Sample((first, second, layer, other, type) =>
        {
            var random = new Random(first * 41 + second);
            MergedModule[] modules =
            [
                .. Enumerable.Range(0, Math.Max(layer, other) + 1).Select(i => Merged($"model.layers.{i}.self_attn.q_proj", first, random)),
                Merged($"model.layers.{layer}.mlp.up_proj", second, random),
            ];
            Assert.True(ServingExport.TryCreate(modules, new ServingOptions("org/base", type), out var export, out var problems), string.Join(' ', problems));
            using var folder = new TemporaryFolder();
            export.Save(folder.Path);
            using var adapter = AdapterReader.Open(Path.Combine(folder.Path, RepositoryPath.Config), Path.Combine(folder.Path, RepositoryPath.Weights));
            var check = ServingLimits.Check(adapter);
            Assert.Equal("", Codes(check.Vllm) + Codes(check.Lorax));
            Assert.Equal(export.Report.Rank, check.MaxLoraRank);
        }, iter: 30);

    [Fact]
    public void Of_the_wild_adapters_these_are_served()
    {
        var (all, vllm, lorax) = (0, 0, 0);
        var codes = new SortedDictionary<string, int>(StringComparer.Ordinal);
        foreach (var wild in WildAdapters.Catalogue().Where(w => w.IsAccepted))
        {
            using var adapter = AdapterReader.Open(Path.Combine(wild.Folder, RepositoryPath.Config), Path.Combine(wild.Folder, RepositoryPath.Weights));
            var check = ServingLimits.Check(adapter);
            all++;
            vllm += check.Vllm.IsEmpty ? 1 : 0;
            lorax += check.Lorax.IsEmpty ? 1 : 0;
            foreach (var (server, problem) in check.Vllm.Select(p => ("vllm", p)).Concat(check.Lorax.Select(p => ("lorax", p))))
                codes[$"{server} {problem.Code}"] = codes.GetValueOrDefault($"{server} {problem.Code}") + 1;
            Assert.Equal(adapter.Modules.Any(m => m.HasMagnitude), check.Vllm.Any(p => p.Code == ServingLimits.Dora));
            Assert.True(check.MaxLoraRank is null || check.MaxLoraRank >= adapter.Modules.Max(m => m.Rank));
        }

        TestContext.Current.TestOutputHelper?.WriteLine($"{all} adapters; vLLM {vllm}, LoRAX {lorax}; {string.Join(", ", codes.Select(c => $"{c.Key} {c.Value}"))}");
        Assert.True(vllm > 0 && vllm < all && lorax > 0 && lorax < all);
    }

    private static string Codes(IEnumerable<ServingProblem> problems) => string.Join(' ', problems.Select(p => $"{p.Code}:{p.Effect.ToString().ToLowerInvariant()}"));

    private static TargetModule Module(string name, int rank = 16, double scaling = 2) => new(name, ModuleKind.Linear, 8, 8, rank, scaling);

    private static ServingCheck Check(AdapterConfig config, params TargetModule[] modules) => Check(config, [], modules);

    private static ServingCheck Check(AdapterConfig config, string[] carried, params TargetModule[] modules)
    {
        using var adapter = new Adapter(config, modules, _ => throw new InvalidOperationException("Nobody reads factors."), carried);
        return ServingLimits.Check(adapter);
    }

    private static MergedModule Merged(string name, int rank, Random random)
    {
        var delta = Adapters.Random(random, 12, 10, rank);
        return new(new TargetModule(name, ModuleKind.Linear, 12, 10, rank, 1), delta, new ModuleReport(name, rank, rank, 1, 0, []));
    }
}
