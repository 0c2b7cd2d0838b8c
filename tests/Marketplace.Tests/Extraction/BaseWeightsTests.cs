using System.Text;
using Marketplace.Core;
using Marketplace.Core.Formats;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Extraction;

public sealed class BaseWeightsTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    [Fact]
    public void Shards_hold_the_same_tensors_as_one_file()
    {
        using var one = Models.OpenBase("llama-tied");
        using var many = Models.Open(Path.Combine(Models.Base("llama-tied"), "sharded"));
        Assert.Equal(2, many.Files.Count());
        Assert.Equal(one.Tensors.Select(t => t.Name), many.Tensors.Select(t => t.Name));
        Assert.All(one.Tensors, t => Assert.Equal(one.Read(t), many.Read(many.Find(t.Name)!)));
        Assert.All(one.Tensors, t => Assert.True(one.SameBytes(t, many, many.Find(t.Name)!)));
    }

    [Fact]
    public void A_part_of_a_tensor_is_that_part_of_the_whole()
    {
        using var weights = Models.OpenBase("llama");
        var tensor = weights.Find("model.layers.0.mlp.up_proj.weight")!;
        var part = new double[100];
        weights.Read(tensor, 57, part);
        Assert.Equal(weights.Read(tensor).AsSpan(57, 100).ToArray(), part);
    }

    [Theory]
    [InlineData(TensorType.BF16)]
    [InlineData(TensorType.F16)]
    [InlineData(TensorType.F64)]
    public void Every_factor_type_is_read(TensorType type)
    {
        using var original = Models.OpenBase("llama");
        var path = Path.Combine(folder.Path, "model");
        Models.Write(original, path, type: type);
        using var weights = Models.Open(path);
        Assert.All(weights.Tensors, t => Assert.Equal(type, t.Type));
        foreach (var tensor in original.Tensors)
            Assert.All(original.Read(tensor).Zip(weights.Read(weights.Find(tensor.Name)!)), v => Assert.Equal(v.First, v.Second, Math.Abs(v.First) / 200 + 1e-4));
    }

    [Theory]
    [InlineData("llama", "llama/plain")]
    [InlineData("gpt2", "gpt2/plain")]
    [InlineData("llama", "llama/embed")]
    public void Modules_are_found_whether_or_not_the_export_names_the_model(string model, string name)
    {
        using var adapter = AdapterReader.Open(Fixtures.Adapter(name));
        using var full = Models.OpenBase(model);
        var path = Path.Combine(folder.Path, "bare");
        Models.Write(full, path, rename: n => n[(n.IndexOf('.') + 1)..] is { Length: > 0 } rest && !n.StartsWith("lm_head", StringComparison.Ordinal) ? rest : n);
        using var bare = Models.Open(path);
        foreach (var module in adapter.Modules)
        {
            var expected = full.FindWeight(module, adapter.Config, out _)!;
            var found = bare.FindWeight(module, adapter.Config, out _)!;
            Assert.Equal(module.Name + ".weight", expected.Tensor.Name);
            Assert.NotEqual(expected.Tensor.Name, found.Tensor.Name);
            Assert.Equal(full.Read(expected).Values, bare.Read(found).Values);
            Assert.Equal((module.Out, module.In), (full.Read(expected).Rows, full.Read(expected).Columns));
            Assert.Equal(module.Name, bare.ModuleName(ModelNaming.ModuleOf(found.Tensor.Name)!));
        }
    }

    [Fact]
    public void A_square_weight_of_gpt2_is_turned_whatever_the_flag_says()
    {
        using var gpt2 = Models.OpenBase("gpt2");
        var module = new TargetModule("transformer.h.0.attn.c_proj", ModuleKind.Linear, 48, 48, 4, 1);
        var stored = gpt2.Read(gpt2.Find(module.Name + ".weight")!);
        foreach (var flag in new[] { true, false })
        {
            var weight = gpt2.FindWeight(module, new AdapterConfig { FanInFanOut = flag }, out _)!;
            Assert.True(weight.Transposed);
            Assert.Equal(stored[1], gpt2.Read(weight)[1, 0]);
        }

        using var llama = Models.OpenBase("llama");
        var square = new TargetModule("model.layers.0.self_attn.q_proj", ModuleKind.Linear, 48, 48, 4, 1);
        Assert.False(llama.FindWeight(square, new AdapterConfig { FanInFanOut = true }, out _)!.Transposed);
    }

    [Fact]
    public void A_tied_head_is_the_embeddings_and_an_untied_one_is_not()
    {
        using var tied = Models.OpenBase("llama-tied");
        Assert.Equal("model.embed_tokens.weight", tied.Find("lm_head.weight")!.Name);
        using var untied = Models.OpenBase("llama");
        Assert.Equal("lm_head.weight", untied.Find("lm_head.weight")!.Name);
        var path = Path.Combine(folder.Path, "headless");
        Models.Write(untied, path, rename: n => n == "lm_head.weight" ? null : n);
        using var headless = Models.Open(path);
        Assert.Null(headless.Find("lm_head.weight")); // its configuration says that they are not tied
    }

    [Fact]
    public void A_module_without_a_weight_or_of_another_shape_or_type_is_a_problem()
    {
        using var llama = Models.OpenBase("llama");
        Assert.Equal(WeightsProblem.TensorMissing, Problem(llama, new("model.layers.9.self_attn.q_proj", ModuleKind.Linear, 48, 48, 4, 1)));
        Assert.Equal(WeightsProblem.ShapeMismatch, Problem(llama, new("model.layers.0.self_attn.q_proj", ModuleKind.Linear, 48, 47, 4, 1)));
        SafetensorsWriter.Save(Path.Combine(folder.Path, "model.safetensors"), [new("q.weight", TensorType.I8, [2, 2], () => new byte[4])]);
        using var quantised = Models.Open(folder.Path);
        Assert.Equal(WeightsProblem.TypeUnsupported, Problem(quantised, new("q", ModuleKind.Linear, 2, 2, 1, 1)));
    }

    [Theory]
    [InlineData("none", WeightsProblem.NoWeights)]
    [InlineData("pickle", WeightsProblem.PickleRefused)]
    [InlineData("zip", WeightsProblem.PickleRefused)]
    [InlineData("pickle named safetensors", WeightsProblem.PickleRefused)]
    [InlineData("config", WeightsProblem.ConfigInvalid)]
    [InlineData("garbage", WeightsProblem.ShardInvalid)]
    [InlineData("shard missing", WeightsProblem.ShardMissing)]
    [InlineData("tensor missing", WeightsProblem.TensorMissing)]
    [InlineData("index is no json", WeightsProblem.IndexInvalid)]
    [InlineData("index without map", WeightsProblem.IndexInvalid)]
    [InlineData("index names a number", WeightsProblem.IndexInvalid)]
    [InlineData("index leaves the folder", WeightsProblem.IndexInvalid)]
    [InlineData("index names twice", WeightsProblem.IndexInvalid)]
    public void A_folder_that_is_not_whole_is_refused_with_its_code(string defect, string code)
    {
        byte[] tensors = File.ReadAllBytes(Path.Combine(Models.Base("llama-tied"), "model.safetensors"));
        (string Name, byte[] Bytes)[] files = defect switch
        {
            "none" => [],
            "pickle" => [("pytorch_model.bin", [0x80, 2, 0x7d, 0x2e])],
            "zip" => [("pytorch_model.bin", "PK\u0003\u0004rest"u8.ToArray())],
            "pickle named safetensors" => [("model.safetensors", [0x80, 4, 0x95, 0, 0, 0, 0, 0, 0, 0, 0x2e])],
            "config" => [("config.json", "[]"u8.ToArray()), ("model.safetensors", tensors)],
            "garbage" => [("model.safetensors", "nothing of the kind"u8.ToArray())],
            "shard missing" => [Index("""{"weight_map":{"model.norm.weight":"a.safetensors"}}""")],
            "tensor missing" => [Index("""{"weight_map":{"no.weight":"a.safetensors"}}"""), ("a.safetensors", tensors)],
            "index is no json" => [Index("{")],
            "index without map" => [Index("{}")],
            "index names a number" => [Index("""{"weight_map":{"a":1}}""")],
            "index leaves the folder" => [Index("""{"weight_map":{"a":"../a.safetensors"}}""")],
            _ => [Index("""{"weight_map":{"a":"a.safetensors","a":"b.safetensors"}}""")],
        };
        foreach (var (name, bytes) in files)
            File.WriteAllBytes(Path.Combine(folder.Path, name), bytes);
        Assert.False(BaseWeights.TryOpen(folder.Path, out _, out var problems));
        Assert.All(problems, p => Assert.Equal(code, p.Code));
        Assert.NotEmpty(problems);
        if (code == WeightsProblem.PickleRefused)
            Assert.Contains("weights_only=True", problems[0].Message);

        static (string, byte[]) Index(string json) => ("model.safetensors.index.json", Encoding.UTF8.GetBytes(json));
    }

    [Fact]
    public void Every_missing_shard_is_named()
    {
        using var weights = Models.OpenBase("llama");
        Models.WriteSharded(weights, Path.Combine(folder.Path, "m"), 4);
        File.Delete(Path.Combine(folder.Path, "m", "model-00002-of-00004.safetensors"));
        File.Delete(Path.Combine(folder.Path, "m", "model-00004-of-00004.safetensors"));
        Assert.False(BaseWeights.TryOpen(Path.Combine(folder.Path, "m"), out _, out var problems));
        Assert.Equal(["model-00002-of-00004.safetensors", "model-00004-of-00004.safetensors"], problems.Select(p => p.File));
    }

    public void Dispose() => folder.Dispose();

    private static string Problem(BaseWeights weights, TargetModule module)
    {
        Assert.Null(weights.FindWeight(module, new AdapterConfig(), out var problem));
        return problem!.Code;
    }
}
