using Marketplace.Core.Formats;
using Marketplace.Kernels.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Marketplace.Kernels.Tests.Models;

/// <summary>Every architecture against what transformers computed.</summary>
public class ModelFixtureTests
{
    public static TheoryData<string> Names =>
        ["llama", "llama-tied", "llama-rope3", "mistral", "qwen2", "qwen2-bf16", "qwen3", "gemma3", "phi", "phi3", "gpt2"];

    [Theory]
    [MemberData(nameof(Names))]
    public void Logits_and_log_likelihoods_are_those_of_transformers(string name)
    {
        using var scope = NewDisposeScope();
        using var model = ModelFixture.Open(name);
        using var io = SafetensorsFile.Open(Path.Combine(ModelFixture.Folder(name), "io.safetensors"));
        var ids = ModelFixture.Read(io, "full.input_ids");
        using var batch = TokenBatch.Of(ModelFixture.Sequences(ids), CPU);
        var hidden = model.Hidden(batch);
        Assert.InRange(ModelFixture.Difference(hidden, ModelFixture.Read(io, $"full.hidden.{model.Config.Layers.Length}")), 0, ModelFixture.Tolerance);
        var logits = model.Logits(hidden);
        Assert.InRange(ModelFixture.Difference(logits, ModelFixture.Read(io, "full.logits")), 0, ModelFixture.Tolerance);

        var likelihoods = logits.to(ScalarType.Float64).log_softmax(-1).narrow(1, 9, 6).gather(2, ids.narrow(1, 10, 6).unsqueeze(-1)).sum([1, 2]);
        Assert.InRange(ModelFixture.Difference(likelihoods, ModelFixture.Read(io, "full.tail_loglik")), 0, ModelFixture.Tolerance);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void An_older_spelling_of_the_configuration_means_the_same(string name)
    {
        Assert.True(ModelConfig.TryParse(File.ReadAllBytes(Path.Combine(ModelFixture.Folder(name), "config.json")), out var current, out _));
        Assert.True(ModelConfig.TryParse(File.ReadAllBytes(Path.Combine(ModelFixture.Folder(name), "legacy_config", "config.json")), out var legacy, out _));
        Assert.Equal(current.Layers, legacy.Layers);
        Assert.Equal(current with { Layers = [] }, legacy with { Layers = [] });
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Padding_on_either_side_changes_nothing(string name)
    {
        using var scope = NewDisposeScope();
        using var model = ModelFixture.Open(name);
        using var io = SafetensorsFile.Open(Path.Combine(ModelFixture.Folder(name), "io.safetensors"));
        foreach (var (side, prefix) in new[] { (PaddingSide.Left, "left"), (PaddingSide.Right, "right") })
        {
            var (ids, mask) = (ModelFixture.Read(io, $"{prefix}.input_ids"), ModelFixture.Read(io, $"{prefix}.attention_mask"));
            using var batch = TokenBatch.Of(ModelFixture.Sequences(ids, mask), CPU, side);
            var real = mask.to(ScalarType.Bool);
            Assert.True(batch.Valid.eq(real).all().ToBoolean());
            // After the last token the reference counts on, where nobody looks.
            Assert.True(batch.Positions.masked_select(real).eq(ModelFixture.Read(io, $"{prefix}.position_ids").masked_select(real)).all().ToBoolean());
            var difference = model.Logits(model.Hidden(batch)).Minus(ModelFixture.Read(io, $"{prefix}.logits")).abs().masked_fill(real.logical_not().unsqueeze(-1), Scalars.Of(0));
            Assert.InRange(difference.max().Only<float>(), 0, ModelFixture.Tolerance);
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Token_by_token_through_the_cache_the_model_says_the_same(string name)
    {
        using var scope = NewDisposeScope();
        using var model = ModelFixture.Open(name);
        using var io = SafetensorsFile.Open(Path.Combine(ModelFixture.Folder(name), "io.safetensors"));
        foreach (var (prefix, side) in new[] { ("full", PaddingSide.Right), ("left", PaddingSide.Left), ("left", PaddingSide.Right) })
        {
            var ids = ModelFixture.Read(io, $"{prefix}.input_ids");
            var sequences = ModelFixture.Sequences(ids, prefix == "full" ? null : ModelFixture.Read(io, $"{prefix}.attention_mask"));
            var expected = ModelFixture.Sequences(ModelFixture.Read(io, $"{prefix}.greedy_ids"));
            Assert.Equal(expected.Select(e => e.ToArray()), Greedy(model, sequences, side, expected[0].Length));
        }
    }

    [Fact]
    public void Shards_are_one_model()
    {
        using var scope = NewDisposeScope();
        using var whole = ModelFixture.Open("llama-tied");
        using var sharded = ModelFixture.Open("llama-tied/sharded");
        using var batch = TokenBatch.Of([new[] { 1, 7, 20 }], CPU);
        Assert.True(whole.Logits(whole.Hidden(batch)).eq(sharded.Logits(sharded.Hidden(batch))).all().ToBoolean());
    }

    private static int[][] Greedy(LanguageModel model, ReadOnlyMemory<int>[] prompts, PaddingSide side, int count)
    {
        using var cache = new KeyValueCache(model.Config.Layers.Length);
        var (input, lengths) = (prompts, prompts.Select(p => p.Length).ToArray());
        var said = prompts.Select(_ => new List<int>()).ToArray();
        for (var step = 0; step < count; step++)
        {
            using var scope = NewDisposeScope();
            using var batch = TokenBatch.Of(input, CPU, side, step == 0 ? null : [.. lengths.Select(l => l + step - 1)]);
            var hidden = model.Hidden(batch, null, cache);
            var last = input.Select((s, i) => hidden[i, side == PaddingSide.Left || step > 0 ? batch.Columns - 1 : s.Length - 1]).ToArray();
            var next = model.Logits(stack(last, 0).unsqueeze(1)).argmax(-1).data<long>().ToArray();
            for (var i = 0; i < next.Length; i++)
                said[i].Add((int)next[i]);
            input = [.. next.Select(n => (ReadOnlyMemory<int>)new[] { (int)n })];
        }

        return [.. said.Select(s => s.ToArray())];
    }
}
