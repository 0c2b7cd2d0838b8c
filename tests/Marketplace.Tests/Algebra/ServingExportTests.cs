using System.Text;
using System.Text.Json;
using CsCheck;
using Marketplace.Core;
using Marketplace.Core.Algebra;
using Marketplace.Core.Formats;
using Marketplace.Core.Merges;
using Marketplace.Core.Methods;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Algebra;

public sealed class ServingExportTests
{
    private static readonly ServingOptions Float32 = new("some/base", TensorType.F32);

    [Theory]
    [InlineData(1, 8)]
    [InlineData(8, 8)]
    [InlineData(9, 16)]
    [InlineData(129, 256)]
    [InlineData(257, 320)]
    [InlineData(512, 512)]
    [InlineData(513, 513)]
    public void The_rank_is_the_smallest_that_servers_know(int rank, int expected)
    {
        var export = Create(Float32, Module("layers.0.q", 2, 3, rank));
        Assert.Equal((expected, rank > 512), (export.Report.Rank, export.Report.RankBeyondServers));
        Assert.Equal((expected, (double)expected, false), (export.Config.Rank, export.Config.Alpha, export.Config.UseRsLora));
    }

    [Fact]
    public void Modules_of_different_ranks_are_padded_without_changing_them()
    {
        var random = new Random(1);
        MergedModule[] modules = [Module("layers.0.q", 6, 4, 2, random), Module("layers.0.v", 6, 4, 11, random)];
        using var file = Written(Create(Float32, modules));
        Assert.All(file.Tensors, t => Assert.Contains(16, t.Shape));
        foreach (var module in modules)
            Dense.AssertClose(Dense.Of(module.Delta), Read(file, module.Module.Name), 1e-6);
    }

    [Fact]
    public void Every_layer_seen_gets_every_kind_of_module()
    {
        var export = Create(Float32,
            Module("model.layers.0.self_attn.q_proj", 6, 4, 2), Module("model.layers.10.mlp.up_proj", 8, 4, 2), Module("model.layers.2.self_attn.q_proj", 6, 4, 2),
            Module("vision.layers.0.fc", 3, 3, 1), Module("lm_head", 9, 4, 1));
        Assert.Equal(
            ["model.layers.0.mlp.up_proj", "model.layers.10.self_attn.q_proj", "model.layers.2.mlp.up_proj"], export.Report.Filled);
        using var file = Written(export);
        Assert.Equal(16, file.Tensors.Length);
        Assert.Equal(0, Dense.Norm(Read(file, "model.layers.2.mlp.up_proj")));
        Assert.True(file.Find("base_model.model.model.layers.2.mlp.up_proj.lora_B.weight")!.HasShape(8, 8));
        Assert.Equal(["fc", "lm_head", "q_proj", "up_proj"], export.Config.TargetModules!.Names);
    }

    [Fact]
    public void A_module_whose_shape_varies_is_not_guessed()
    {
        var export = Create(Float32, Module("layers.0.q", 6, 4, 2), Module("layers.1.q", 8, 4, 2), Module("layers.2.v", 5, 4, 2));
        Assert.Equal(["layers.2.q"], export.Report.NotFilled);
        Assert.Equal(["layers.0.v", "layers.1.v"], export.Report.Filled);
    }

    [Theory]
    [InlineData("model.layers.3.self_attn.q_proj", "q_proj")]
    [InlineData("blocks.1.to_out.0", "to_out.0")]
    [InlineData("lm_head", "lm_head")]
    [InlineData("0", "0")]
    public void Modules_are_named_by_their_ending(string module, string suffix) => Assert.Equal(suffix, LayerCoverage.Suffix(module));

    [Fact]
    public void The_configuration_says_all_that_the_weights_mean_and_nothing_else()
    {
        var export = Create(Float32 with { FanInFanOut = true }, Module("h.0.attn.c_attn", 6, 4, 2));
        using var json = JsonDocument.Parse(export.Config.ToJson());
        Assert.Equal(
            """
            {"alpha_pattern":{},"base_model_name_or_path":"some/base","bias":"none","fan_in_fan_out":true,"inference_mode":true,"init_lora_weights":true,"lora_alpha":8,"lora_dropout":0,"modules_to_save":null,"peft_type":"LORA","r":8,"rank_pattern":{},"revision":null,"target_modules":["c_attn"],"task_type":"CAUSAL_LM","use_dora":false,"use_rslora":false}
            """,
            "{" + string.Join(',', json.RootElement.EnumerateObject().OrderBy(m => m.Name, StringComparer.Ordinal).Select(m => $"\"{m.Name}\":{JsonSerializer.Serialize(m.Value)}")) + "}");
    }

    [Fact]
    public void Equal_modules_give_equal_bytes_in_any_order()
    {
        var random = new Random(1);
        MergedModule[] modules = [Module("layers.0.q", 6, 4, 2, random), Module("layers.1.q", 6, 4, 3, random), Module("layers.0.v", 5, 4, 2, random)];
        Assert.Equal(Bytes(Create(Float32, modules)), Bytes(Create(Float32, [.. modules.Reverse()])));
    }

    [Theory]
    [InlineData(TensorType.F32, 1 / 1048576.0)]
    [InlineData(TensorType.BF16, 1 / 128.0)]
    [InlineData(TensorType.F16, 1 / 1024.0)]
    public void Rounding_stays_within_the_bound_and_is_reported(TensorType type, double bound) =>
        Gen.Select(Cases.Delta, Gen.Double[-5, 6]).Sample((delta, exponent) =>
        {
            var scaled = Adapters.Scale(Recompression.Of(delta, RankPolicy.Lossless).Delta, Math.Pow(10, exponent));
            var export = Create(Float32 with { Type = type }, new MergedModule(Target("layers.0.q", scaled), scaled, Report));
            using var file = Written(export);
            var norm = Deltas.Norm(scaled);
            var error = norm == 0 ? 0 : Dense.Distance(Dense.Of(scaled), Read(file, "layers.0.q")) / norm;
            Assert.True(error < bound);
            Assert.Equal(error, export.Report.LargestError, 1e-9);
        });

    [Fact]
    public void Values_that_half_precision_cannot_hold_are_refused()
    {
        var delta = new LowRankDelta(new Matrix(2, 1, [1e6, 1]), new Matrix(1, 2, [1e6, 1]));
        AssertRefused(ExportProblem.Overflow, Float32 with { Type = TensorType.F16 }, delta);
        Assert.True(TryCreate(Float32 with { Type = TensorType.BF16 }, delta, out _));
        AssertRefused(ExportProblem.Overflow, Float32, new LowRankDelta(new Matrix(2, 1, [double.NaN, 1]), new Matrix(1, 2, [1, 1])));
    }

    [Fact]
    public void Factors_of_very_different_size_survive_half_precision()
    {
        var delta = new LowRankDelta(new Matrix(2, 1, [1e-7, 2e-7]), new Matrix(1, 2, [3e5, 1e6]));
        Assert.True(TryCreate(Float32 with { Type = TensorType.F16 }, delta, out _));
    }

    [Fact]
    public void Values_lost_to_rounding_are_counted_and_refused_when_they_matter()
    {
        var little = new LowRankDelta(new Matrix(2, 1, [1, 1e-9]), new Matrix(1, 2, [1, 1]));
        Assert.True(TryCreate(Float32 with { Type = TensorType.F16 }, little, out var export));
        Assert.Equal(1, export!.Report.Underflowed);
        AssertRefused(ExportProblem.RoundingTooLarge, Float32 with { Type = TensorType.F16 }, new LowRankDelta(new Matrix(2, 1, [1e-9, 1e-9]), new Matrix(1, 2, [1e-9, 1e-9])));
    }

    [Theory]
    [InlineData(TensorType.F32)]
    [InlineData(TensorType.BF16)]
    [InlineData(TensorType.F16)]
    public void Factors_that_nearly_cancel_are_rewritten_before_they_are_rounded(TensorType type)
    {
        // [b, −b]·[a; a + 1e-4]: ΔW is a ten-thousandth of its parts, less than half precision can tell apart.
        var delta = new LowRankDelta(new Matrix(2, 2, [1.1, -1.1, 0.7, -0.7]), new Matrix(2, 2, [1.3, -0.6, 1.3001, -0.6002]));
        Assert.True(TryCreate(Float32 with { Type = type }, delta, out var export));
        using var file = Written(export!);
        Dense.AssertClose(Dense.Of(delta), Read(file, "layers.0.q"), 1d / 128);
    }

    [Theory]
    [InlineData(TensorType.F64)]
    [InlineData(TensorType.I8)]
    public void Only_three_types_are_written(TensorType type) => AssertRefused(ExportProblem.TypeInvalid, Float32 with { Type = type }, Deltas.Zero(2, 2));

    [Fact]
    public void Nothing_can_not_be_exported()
    {
        Assert.False(ServingExport.TryCreate([], Float32, out _, out var problems));
        Assert.Equal(ExportProblem.NoModules, Assert.Single(problems).Code);
    }

    [Fact]
    public void Embeddings_and_convolutions_keep_their_shapes_and_are_named()
    {
        var random = new Random(1);
        LowRankDelta table = Adapters.Random(random, 4, 30, 2), kernel = Adapters.Random(random, 6, 18, 2);
        var export = Create(Float32,
            new(new("embed", ModuleKind.Embedding, 4, 30, 2, 1), table, Report), new(new("conv", ModuleKind.Conv2d, 6, 18, 2, 1, (3, 2)), kernel, Report));
        Assert.Equal(["conv", "embed"], export.Report.RefusedByServers);
        Assert.True(AdapterReader.TryRead(export.Config.ToJson(), Bytes(export), out var reloaded, out _));
        Assert.Empty(export.Check(reloaded));
        Assert.Equal([(ModuleKind.Conv2d, (3, 2)), (ModuleKind.Embedding, null)], reloaded.Modules.Select(m => (m.Kind, m.Kernel)));
        using var file = Written(export);
        Assert.True(file.Find("base_model.model.embed.lora_embedding_A")!.HasShape(8, 30));
        Assert.True(file.Find("base_model.model.embed.lora_embedding_B")!.HasShape(4, 8));
        Assert.True(file.Find("base_model.model.conv.lora_A.weight")!.HasShape(8, 3, 3, 2));
        Assert.True(file.Find("base_model.model.conv.lora_B.weight")!.HasShape(6, 8, 1, 1));
    }

    [Fact]
    public void The_check_after_writing_finds_any_difference()
    {
        var random = new Random(1);
        MergedModule[] modules = [Module("layers.0.q", 6, 4, 2, random), Module("layers.0.v", 6, 4, 3, random)];
        var export = Create(Float32, modules);
        using var folder = new TemporaryFolder();
        export.Save(folder.Path);
        using var saved = PeftFiles.Load(folder.Path);
        Assert.Empty(export.Check(saved));

        var changed = new Adapter(saved.Config, saved.Modules, m => m.Name == "layers.0.v" ? Adapters.Scale(saved.Delta(m.Name)!, -1) : saved.Delta(m.Name)!);
        Assert.Equal([(ExportProblem.ReadsBackDifferent, "layers.0.v")], export.Check(changed).Select(p => (p.Code, p.Module)));
        var missing = new Adapter(saved.Config, [saved.Modules[0]], m => saved.Delta(m.Name)!);
        Assert.Equal(["layers.0.v"], export.Check(missing).Select(p => p.Module));
        var more = new Adapter(saved.Config, [.. saved.Modules, saved.Modules[0] with { Name = "x" }], m => saved.Delta(m.Name == "x" ? "layers.0.q" : m.Name)!);
        Assert.Equal(["x"], export.Check(more).Select(p => p.Module));
        var doubled = new Adapter(saved.Config, saved.Modules, m => Adapters.Scale(saved.Delta(m.Name)!, 2));
        Assert.Equal(2, export.Check(doubled).Length);
    }

    [Fact]
    public void Saving_loading_and_saving_again_gives_identical_bytes()
    {
        using var folder = new TemporaryFolder();
        var export = Create(Float32 with { Type = TensorType.BF16 }, Module("layers.0.q", 6, 4, 2, new Random(1)), Module("layers.0.v", 6, 4, 9, new Random(2)));
        export.Save(folder.Path);
        using var saved = PeftFiles.Load(folder.Path);
        var again = Create(
            ServingOptions.For("some/base", TensorType.BF16, [saved.Config]),
            [.. saved.Modules.Select(m => new MergedModule(m, saved.Delta(m.Name)!, Report))]);
        Assert.Equal(File.ReadAllBytes(Path.Combine(folder.Path, "adapter_model.safetensors")), Bytes(again));
        Assert.Equal(File.ReadAllText(Path.Combine(folder.Path, "adapter_config.json")), Encoding.UTF8.GetString(again.Config.ToJson()));
    }

    [Theory]
    [InlineData("merge", "adapters", "e_rslora")]
    [InlineData("adapters", "llama", "patterns")]
    [InlineData("adapters", "gpt2", "square_only")]
    [InlineData("adapters", "gpt2", "embed_tied")]
    public void Adapters_of_peft_survive_the_export(params string[] path)
    {
        using var adapter = PeftFiles.Load(path);
        Assert.True(MergePlan.TryCreate(MergeRecipe.Over("linear", 1), [adapter], out var plan, out _));
        var options = ServingOptions.For("some/base", TensorType.F32, [adapter.Config]);
        Assert.True(ServingExport.TryCreate(Merging.Run(plan, [adapter]), options, out var export, out _));
        Assert.True(AdapterReader.TryRead(export.Config.ToJson(), Bytes(export), out var reloaded, out var issues), string.Join("; ", issues));
        Assert.Empty(export.Check(reloaded));
        Assert.Equal(adapter.Config.FanInFanOut, reloaded.Config.FanInFanOut);
        Assert.All(reloaded.Modules, m => Assert.Equal((8, 1.0), (m.Rank, m.Scaling)));
        foreach (var module in adapter.Modules)
            Dense.AssertClose(Dense.Of(adapter.Delta(module.Name)!), reloaded.Delta(module.Name)!, 1e-6);
    }

    [Theory]
    [InlineData("auto", TensorType.BF16, TensorType.BF16, TensorType.BF16)]
    [InlineData("auto", TensorType.F16, TensorType.F16, TensorType.F16)]
    [InlineData("auto", TensorType.F16, TensorType.BF16, TensorType.F32)]
    [InlineData("auto", TensorType.F16, TensorType.F64, TensorType.F32)]
    [InlineData("F32", TensorType.BF16, TensorType.BF16, TensorType.F32)]
    [InlineData("BF16", TensorType.F32, TensorType.F32, TensorType.BF16)]
    [InlineData("F16", TensorType.F32, TensorType.F32, TensorType.F16)]
    public void The_type_is_as_asked_or_holds_all_inputs(string requested, TensorType first, TensorType second, TensorType expected)
    {
        Assert.True(ServingOptions.ResolveType(requested, [first, second], out var type));
        Assert.Equal(expected, type);
    }

    [Fact]
    public void Other_types_cannot_be_asked_for() => Assert.False(ServingOptions.ResolveType("F64", [], out _));

    [Fact]
    public void Orientation_and_task_are_those_of_the_inputs()
    {
        AdapterConfig conv1d = new() { FanInFanOut = true, TaskType = "CAUSAL_LM" }, linear = new() { TaskType = "SEQ_CLS" };
        Assert.True(ServingOptions.For("b", TensorType.F32, [linear, conv1d]).FanInFanOut);
        Assert.False(ServingOptions.For("b", TensorType.F32, [linear]).FanInFanOut);
        Assert.Equal("SEQ_CLS", ServingOptions.For("b", TensorType.F32, [linear]).TaskType);
        Assert.Equal("CAUSAL_LM", ServingOptions.For("b", TensorType.F32, [linear, conv1d]).TaskType);
    }

    private static ModuleReport Report => new("", 0, 0, 0, 0, []);

    private static TargetModule Target(string name, LowRankDelta delta) => new(name, ModuleKind.Linear, delta.Out, delta.In, delta.Rank, 1);

    private static MergedModule Module(string name, int rows, int columns, int rank, Random? random = null)
    {
        var delta = Adapters.Random(random ?? new Random(7), rows, columns, rank);
        return new(Target(name, delta), delta, Report);
    }

    private static ServingExport Create(ServingOptions options, params MergedModule[] modules)
    {
        Assert.True(ServingExport.TryCreate(modules, options, out var export, out var problems), string.Join("; ", problems));
        return export;
    }

    private static bool TryCreate(ServingOptions options, LowRankDelta delta, out ServingExport? export) =>
        ServingExport.TryCreate([new(Target("layers.0.q", delta), delta, Report)], options, out export, out _);

    private static void AssertRefused(string code, ServingOptions options, LowRankDelta delta)
    {
        Assert.False(ServingExport.TryCreate([new(Target("layers.0.q", delta), delta, Report)], options, out var export, out var problems));
        Assert.Null(export);
        Assert.Equal(code, Assert.Single(problems).Code);
    }

    private static byte[] Bytes(ServingExport export)
    {
        using var stream = new MemoryStream();
        export.Write(stream);
        return stream.ToArray();
    }

    private static SafetensorsFile Written(ServingExport export) => SafetensorsFile.Read(Bytes(export));

    private static double[,] Read(SafetensorsFile file, string module) => Dense.Product(
        PeftFiles.Matrix(file, $"base_model.model.{module}.lora_B.weight"), PeftFiles.Matrix(file, $"base_model.model.{module}.lora_A.weight"));
}
