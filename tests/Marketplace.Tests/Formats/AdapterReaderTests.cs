using System.Text;
using System.Text.Json;
using CsCheck;
using Marketplace.Core;
using Marketplace.Core.Formats;
using Marketplace.Core.Validation;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Formats;

public sealed class AdapterReaderTests
{
    public static TheoryData<string> Accepted => [.. Fixtures.Adapters.Where(a => IsAccepted(a)).Select(Named)];

    public static TheoryData<string> Merged => [.. Fixtures.Adapters.Where(a => File.Exists(Path.Combine(a, "merged.safetensors"))).Select(Named)];

    [Theory]
    [MemberData(nameof(Accepted))]
    public void The_modules_and_scalings_are_those_that_PEFT_resolved(string name)
    {
        using var adapter = AdapterReader.Open(Fixtures.Adapter(name));
        var expected = Expected(Fixtures.Adapter(name)).GetProperty("scaling").EnumerateObject()
            .ToDictionary(p => p.Name, p => p.Value.GetDouble(), StringComparer.Ordinal);
        Assert.Equal(expected.Keys.Order(StringComparer.Ordinal), adapter.Modules.Select(m => m.Name));
        Assert.All(adapter.Modules, m => Assert.Equal(expected[m.Name], m.Scaling, 14));
    }

    [Theory]
    [MemberData(nameof(Merged))]
    public void The_base_weight_and_the_delta_give_the_weight_that_PEFT_merged(string name)
    {
        using var adapter = AdapterReader.Open(Fixtures.Adapter(name));
        using var @base = SafetensorsFile.Open(Path.Combine(Fixtures.Root, "base", name.Split('/')[0], "model.safetensors"));
        using var merged = SafetensorsFile.Open(Path.Combine(Fixtures.Adapter(name), "merged.safetensors"));
        using var own = SafetensorsFile.Open(Path.Combine(Fixtures.Adapter(name), RepositoryPath.Weights));
        var compared = 0;
        foreach (var tensor in merged.Tensors)
        {
            var parameter = tensor.Name["merged_weight.".Length..];
            if (!parameter.EndsWith(".weight", StringComparison.Ordinal) || adapter.Find(parameter[..^".weight".Length]) is not { } module)
                continue;
            var weight = Added(@base, @base.Find(parameter)!, adapter, module);
            if (module.HasMagnitude)
                Rescale(weight, own.ReadDouble(own.Find(TensorName.Of(module.Name, TensorPart.Magnitude))!), StoredWeight.IsTransposed(module, adapter.Config, tensor.Shape.AsSpan()));
            var expected = merged.ReadDouble(tensor);
            var error = expected.Zip(weight.Values, (x, y) => Math.Abs(x - y)).Max();
            Assert.True(error < 2e-6 * Math.Max(1, expected.Max(Math.Abs)), $"{parameter} differs by {error}.");
            compared++;
        }

        Assert.True(compared > 0);
    }

    [Fact]
    public void What_PEFT_cannot_load_as_a_lora_is_refused_and_why()
    {
        var refused = Fixtures.Adapters.Where(a => !IsAccepted(a)).ToDictionary(Named, StringComparer.Ordinal);
        Assert.Equal(["llama/ia3", "llama/loha", "llama/pissa", "llama/prompt_tuning"], refused.Keys.Order(StringComparer.Ordinal));
        foreach (var (name, folder) in refused)
        {
            Assert.False(AdapterReader.TryOpen(folder, out _, out var issues));
            Assert.Contains(issues, i => i.Code == (name == "llama/pissa" ? IssueCodes.InitUnsupported : IssueCodes.PeftTypeUnsupported));
            Assert.Throws<InvalidDataException>(() => AdapterReader.Open(folder));
        }
    }

    [Fact]
    public void What_is_no_factor_is_carried_by_name()
    {
        string[] Carried(string name)
        {
            using var adapter = AdapterReader.Open(Fixtures.Adapter(name));
            return [.. adapter.Carried];
        }

        Assert.Empty(Carried("llama/plain"));
        Assert.Equal(["base_model.model.lm_head.weight"], Carried("llama/modules_to_save"));
        Assert.Equal(["base_model.model.model.embed_tokens.base_layer.weight"], Carried("llama/embed"));
        Assert.Equal(2, Carried("llama/lora_bias").Count(c => c.EndsWith(".lora_B.bias", StringComparison.Ordinal)));
        Assert.Equal(6, Carried("llama/dora").Count(c => c.EndsWith(".lora_magnitude_vector", StringComparison.Ordinal)));
        Assert.Equal(4, Carried("qwen2/bias_lora_only").Count(c => c.EndsWith(".base_layer.bias", StringComparison.Ordinal)));
        Assert.Equal(13, Carried("gpt2/bias_all").Length);
    }

    [Fact]
    public void An_embedding_changes_by_the_transpose()
    {
        using var adapter = AdapterReader.Open(Fixtures.Adapter("gpt2/embed_tied"));
        using var file = SafetensorsFile.Open(Path.Combine(Fixtures.Adapter("gpt2/embed_tied"), RepositoryPath.Weights));
        var module = Assert.Single(adapter.Modules);
        Assert.Equal((ModuleKind.Embedding, 48, 257, 4), (module.Kind, module.Out, module.In, module.Rank));
        var (a, b) = (file.ReadDouble(file.Tensors[0]), file.ReadDouble(file.Tensors[1]));
        var delta = adapter.Delta(module.Name)!;
        Assert.True(StoredWeight.IsTransposed(module, adapter.Config, [257, 48]));
        for (var token = 0; token < 257; token += 51)
        {
            // row `token` of s (B A)^T
            for (var i = 0; i < 48; i++)
                Assert.Equal(2 * Enumerable.Range(0, 4).Sum(k => b[(i * 4) + k] * a[(k * 257) + token]), Product(delta, i, token), 12);
        }
    }

    [Fact]
    public void A_convolution_is_flattened_over_its_kernel()
    {
        // ΔW[o, i, y, x] = s Σ_k B[o, k] A[k, i, y, x]
        var a = Enumerable.Range(0, 2 * 3 * 2 * 2).Select(i => Math.Sin(i)).ToArray();
        var b = Enumerable.Range(0, 5 * 2).Select(i => Math.Cos(i)).ToArray();
        using var adapter = Open(
            """{"peft_type":"LORA","r":2,"lora_alpha":3,"target_modules":["conv"]}""",
            TensorSource.FromDoubles("base_model.model.conv.lora_A.weight", TensorType.F64, [2, 3, 2, 2], () => a),
            TensorSource.FromDoubles("base_model.model.conv.lora_B.weight", TensorType.F64, [5, 2, 1, 1], () => b));
        var module = Assert.Single(adapter.Modules);
        Assert.Equal((ModuleKind.Conv2d, 5, 12, (2, 2)), (module.Kind, module.Out, module.In, module.Kernel!.Value));
        Assert.False(StoredWeight.IsTransposed(module, adapter.Config, [5, 3, 2, 2]));
        var delta = adapter.Delta("conv")!;
        for (var o = 0; o < 5; o++)
        {
            for (var rest = 0; rest < 12; rest++)
                Assert.Equal(1.5 * ((b[o * 2] * a[rest]) + (b[(o * 2) + 1] * a[12 + rest])), Product(delta, o, rest), 14);
        }
    }

    [Fact]
    public void The_scaling_may_stand_in_the_configuration_or_in_the_factors()
    {
        var values = Enumerable.Range(1, 6).Select(i => (double)i).ToArray();
        Adapter Build(string config, double factor) => Open(
            config,
            TensorSource.FromDoubles("base_model.model.x.lora_A.weight", TensorType.F64, [2, 3], () => values),
            TensorSource.FromDoubles("base_model.model.x.lora_B.weight", TensorType.F64, [3, 2], () => [.. values.Select(v => v * factor)]));
        using var plain = Build("""{"peft_type":"LORA","r":2,"lora_alpha":8}""", 1);
        using var rsLora = Build("""{"peft_type":"LORA","r":2,"lora_alpha":8,"use_rslora":true}""", Math.Sqrt(2) / 2);
        using var pattern = Build("""{"peft_type":"LORA","r":7,"lora_alpha":1,"rank_pattern":{"x":2},"alpha_pattern":{"x":2}}""", 4);
        Assert.All([rsLora, pattern], other => Assert.All(
            plain.Delta("x")!.B.Values.Zip(other.Delta("x")!.B.Values), pair => Assert.Equal(pair.First, pair.Second, 12)));
        Assert.Null(plain.Delta("y"));
    }

    [Fact]
    public void Applying_the_adapter_to_a_token_equals_applying_the_merged_weight() => Gen.Select(Gen.Int[1, 6], Gen.Int[1, 6], Gen.Int[1, 4], Gen.Int).Sample((rows, columns, rank, seed) =>
    {
        var random = new Random(seed);
        double[] Draw(int count) => [.. Enumerable.Range(0, count).Select(_ => random.NextDouble() - 0.5)];
        var (a, b, w, x) = (Draw(rank * columns), Draw(rows * rank), Draw(rows * columns), Draw(columns));
        using var adapter = Open(
            $$"""{"peft_type":"LORA","r":{{rank}},"lora_alpha":3}""",
            TensorSource.FromDoubles("base_model.model.x.lora_A.weight", TensorType.F64, [rank, columns], () => a),
            TensorSource.FromDoubles("base_model.model.x.lora_B.weight", TensorType.F64, [rows, rank], () => b));
        var delta = adapter.Delta("x")!;
        var down = Enumerable.Range(0, rank).Select(k => Enumerable.Range(0, columns).Sum(j => a[(k * columns) + j] * x[j])).ToArray();
        for (var i = 0; i < rows; i++)
        {
            var unmerged = Enumerable.Range(0, columns).Sum(j => w[(i * columns) + j] * x[j]) + (3.0 / rank * Enumerable.Range(0, rank).Sum(k => b[(i * rank) + k] * down[k]));
            Assert.Equal(unmerged, Enumerable.Range(0, columns).Sum(j => (w[(i * columns) + j] + Product(delta, i, j)) * x[j]), 12);
        }
    }, iter: 200);

    [Fact]
    public void A_square_layer_is_transposed_as_the_flag_says_and_another_as_its_shape_says()
    {
        TargetModule Module(int rows, int columns) => new("m", ModuleKind.Linear, rows, columns, 1, 1);
        var (conv1D, linear) = (new AdapterConfig { FanInFanOut = true }, new AdapterConfig());
        Assert.True(StoredWeight.IsTransposed(Module(4, 4), conv1D, [4, 4]));
        Assert.False(StoredWeight.IsTransposed(Module(4, 4), linear, [4, 4]));
        Assert.True(StoredWeight.IsTransposed(Module(6, 2), linear, [2, 6])); // a wrong flag
        Assert.False(StoredWeight.IsTransposed(Module(6, 2), conv1D, [6, 2]));
    }

    private static Adapter Open(string config, params TensorSource[] tensors)
    {
        using var stream = new MemoryStream();
        SafetensorsWriter.Write(stream, tensors);
        Assert.True(AdapterReader.TryRead(Encoding.UTF8.GetBytes(config), stream.ToArray(), out var adapter, out var issues), string.Join(' ', issues));
        return adapter;
    }

    private static double Product(LowRankDelta delta, int row, int column) =>
        Enumerable.Range(0, delta.Rank).Sum(k => delta.B[row, k] * delta.A[k, column]);

    /// <summary>W + ΔW in the orientation in which the base stores W.</summary>
    private static Matrix Added(SafetensorsFile @base, TensorInfo stored, Adapter adapter, TargetModule module)
    {
        var weight = new Matrix((int)stored.Shape[0], (int)stored.Shape[1], @base.ReadDouble(stored));
        var delta = adapter.Delta(module.Name)!;
        var transposed = StoredWeight.IsTransposed(module, adapter.Config, stored.Shape.AsSpan());
        for (var i = 0; i < weight.Rows; i++)
        {
            for (var j = 0; j < weight.Columns; j++)
                weight[i, j] += transposed ? Product(delta, j, i) : Product(delta, i, j);
        }

        return weight;
    }

    /// <summary>DoRA: each output's weights are scaled to the length that the magnitude vector gives.</summary>
    private static void Rescale(Matrix weight, double[] magnitude, bool transposed)
    {
        for (var output = 0; output < magnitude.Length; output++)
        {
            ref double At(int k) => ref weight.Values[transposed ? (k * weight.Columns) + output : (output * weight.Columns) + k];
            var count = transposed ? weight.Rows : weight.Columns;
            var norm = Math.Sqrt(Enumerable.Range(0, count).Sum(k => At(k) * At(k)));
            for (var k = 0; k < count; k++)
                At(k) *= magnitude[output] / norm;
        }
    }

    private static JsonElement Expected(string folder)
    {
        using var document = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "expected.json")));
        return document.RootElement.Clone();
    }

    private static bool IsAccepted(string folder) => Expected(folder).GetProperty("expected").GetString() == "accept";

    private static string Named(string folder) => $"{Path.GetFileName(Path.GetDirectoryName(folder))}/{Path.GetFileName(folder)}";
}
