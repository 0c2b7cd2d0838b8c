using System.Text;
using System.Text.Json.Nodes;
using Marketplace.Core.Formats;
using Marketplace.Kernels.Models;
using TorchSharp;

namespace Marketplace.Kernels.Tests.Models;

/// <summary>What can't be computed is refused with its place, and nothing is passed over.</summary>
public class ModelProblemTests
{
    public static TheoryData<string, string, string, string> Configs => new()
    {
        { "llama", "model_type", "\"mamba\"", WeightsProblem.ArchitectureUnknown },
        { "llama", "model_type", "null", WeightsProblem.ArchitectureUnknown },
        { "llama", "hidden_size", "null", WeightsProblem.ConfigInvalid },
        { "llama", "hidden_size", "-48", WeightsProblem.ConfigInvalid },
        { "llama", "vocab_size", "3.5", WeightsProblem.ConfigInvalid },
        { "llama", "num_key_value_heads", "4", WeightsProblem.ConfigInvalid },
        { "llama", "hidden_act", "\"snake\"", WeightsProblem.ConfigUnsupported },
        { "llama", "rope_parameters", "{\"rope_type\":\"yarn\",\"rope_theta\":10000}", WeightsProblem.ConfigUnsupported },
        { "phi", "qk_layernorm", "true", WeightsProblem.ConfigUnsupported },
        { "gpt2", "scale_attn_by_inverse_layer_idx", "true", WeightsProblem.ConfigUnsupported },
        { "gpt2", "scale_attn_weights", "false", WeightsProblem.ConfigUnsupported },
        { "gemma3", "attn_logit_softcapping", "50.0", WeightsProblem.ConfigUnsupported },
        { "gemma3", "use_bidirectional_attention", "true", WeightsProblem.ConfigUnsupported },
        { "gemma3", "layer_types", "[\"linear_attention\",\"full_attention\"]", WeightsProblem.ConfigUnsupported },
        { "phi", "partial_rotary_factor", "0.1", "" }, // the newer spelling beside it counts
    };

    [Theory]
    [MemberData(nameof(Configs))]
    public void A_configuration_that_is_not_computed_is_refused_by_its_member(string name, string member, string value, string code)
    {
        var config = JsonNode.Parse(File.ReadAllText(Path.Combine(ModelFixture.Folder(name), "config.json")))!.AsObject();
        config[member] = JsonNode.Parse(value);
        var read = ModelConfig.TryParse(Encoding.UTF8.GetBytes(config.ToJsonString()), out _, out var problems);
        Assert.Equal(code.Length == 0, read);
        Assert.All(problems, p => Assert.Equal(code, p.Code));
        Assert.All(problems, p => Assert.Equal("config.json", p.File));
        if (!read && code != WeightsProblem.ArchitectureUnknown)
            Assert.Contains(problems, p => p.Tensor == (member == "rope_parameters" ? "rope_type" : member));
    }

    [Theory]
    [InlineData("[]")]
    [InlineData("{")]
    [InlineData("")]
    public void What_is_no_JSON_object_is_no_configuration(string text)
    {
        Assert.False(ModelConfig.TryParse(Encoding.UTF8.GetBytes(text), out _, out var problems));
        Assert.Equal(WeightsProblem.ConfigInvalid, Assert.Single(problems).Code);
    }

    [Fact]
    public void Weights_that_do_not_fit_the_configuration_are_refused_by_their_tensors()
    {
        using var folder = new ModelFolder("llama");
        folder.Rewrite(t => t.Name.EndsWith("k_proj.weight", StringComparison.Ordinal) ? null
            : t.Name == "model.norm.weight" ? t with { Shape = [24], Bytes = () => t.Bytes()[..96] }
            : t.Name == "lm_head.weight" ? t with { Type = TensorType.I32 } : t);
        Assert.False(LanguageModel.TryOpen(folder.Path, KernelDevice.Cpu, out _, out var problems));
        Assert.Equal(
            [
                (WeightsProblem.ShapeMismatch, "model.norm.weight"), (WeightsProblem.TensorMissing, "model.layers.0.self_attn.k_proj.weight"),
                (WeightsProblem.TensorMissing, "model.layers.1.self_attn.k_proj.weight"), (WeightsProblem.TypeUnsupported, "lm_head.weight"),
            ],
            problems.Select(p => (p.Code, p.Tensor!)).Order());
    }

    [Fact]
    public void A_folder_without_configuration_or_weights_is_refused()
    {
        using var folder = new ModelFolder("llama");
        File.Delete(Path.Combine(folder.Path, "model.safetensors"));
        Assert.False(LanguageModel.TryOpen(folder.Path, KernelDevice.Cpu, out _, out var problems));
        Assert.Equal(WeightsProblem.NoWeights, Assert.Single(problems).Code);
        File.Delete(Path.Combine(folder.Path, "config.json"));
        Assert.False(LanguageModel.TryOpen(folder.Path, KernelDevice.Cpu, out _, out problems));
        Assert.Equal(WeightsProblem.ConfigInvalid, Assert.Single(problems).Code);
    }

    [Fact]
    public void Half_precision_is_read_exactly()
    {
        using var scope = torch.NewDisposeScope();
        using var folder = new ModelFolder("qwen2");
        using var file = SafetensorsFile.Open(Path.Combine(ModelFixture.Folder("qwen2"), "model.safetensors"));
        folder.Rewrite(t => TensorSource.FromDoubles(t.Name, TensorType.F16, t.Shape, () => file.ReadDouble(file.Find(t.Name)!)));
        Assert.True(LanguageModel.TryOpen(folder.Path, KernelDevice.Cpu, out var model, out _));
        using var opened = model;
        Assert.All(model!.Parameters, p => Assert.Equal(
            file.ReadSingle(file.Find(p.Key)!).Select(v => (float)(Half)v), p.Value.flatten().data<float>().ToArray()));
    }

    private sealed class ModelFolder : IDisposable
    {
        private readonly string source;

        public ModelFolder(string name)
        {
            source = ModelFixture.Folder(name);
            Path = Directory.CreateTempSubdirectory("marketplace-model-").FullName;
            foreach (var file in new[] { "config.json", "model.safetensors" })
                File.Copy(System.IO.Path.Combine(source, file), System.IO.Path.Combine(Path, file));
        }

        public string Path { get; }

        public void Rewrite(Func<TensorSource, TensorSource?> change)
        {
            using var file = SafetensorsFile.Open(System.IO.Path.Combine(source, "model.safetensors"));
            SafetensorsWriter.Save(
                System.IO.Path.Combine(Path, "model.safetensors"),
                file.Tensors.Select(t => change(new(t.Name, t.Type, t.Shape, () => file.Bytes(t).ToArray()))).OfType<TensorSource>());
        }

        public void Dispose() => Directory.Delete(Path, recursive: true);
    }
}
