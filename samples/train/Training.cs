using System.Diagnostics;
using Marketplace.Core.Algebra;
using Marketplace.Kernels;
using Marketplace.Kernels.Models;
using Marketplace.Kernels.Training;
using TorchSharp;

namespace Marketplace.Train;

/// <summary>The two trainings: of the base model, and of an adapter on it.</summary>
internal static class Training
{
    private static readonly string[] targets = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"];

    /// <summary>config.json of the base model.</summary>
    public static byte[] Config(Settings settings) => System.Text.Encoding.UTF8.GetBytes(
        $$"""
          {
            "architectures": ["LlamaForCausalLM"],
            "model_type": "llama",
            "vocab_size": {{Symbols.Count}},
            "hidden_size": {{settings.Hidden}},
            "intermediate_size": {{2 * settings.Hidden}},
            "num_hidden_layers": {{settings.Layers}},
            "num_attention_heads": {{settings.Heads}},
            "num_key_value_heads": {{settings.Heads}},
            "head_dim": {{settings.Hidden / settings.Heads}},
            "hidden_act": "silu",
            "max_position_embeddings": 64,
            "rms_norm_eps": 1e-05,
            "rope_theta": 10000.0,
            "tie_word_embeddings": false,
            "bos_token_id": 1,
            "eos_token_id": 2,
            "pad_token_id": 0
          }

          """);

    /// <summary>Trains the base model.</summary>
    public static LanguageModel Base(World world, Settings settings, Action<string> say)
    {
        var model = LanguageModel.Create(Config(settings), settings.BaseSeed, KernelDevice.Cpu);
        foreach (var parameter in model.Parameters.Values)
            parameter.requires_grad_(true);
        using var optimiser = new AdamW([.. model.Parameters.Values], decay: 0.02);
        var random = new Philox(settings.BaseSeed, "base");
        var started = Stopwatch.GetTimestamp();
        var (sum, tokens) = (0.0, 0L);
        for (var step = 0; step < settings.BaseSteps; step++)
        {
            using var scope = torch.NewDisposeScope();
            var batch = world.BaseBatch(random, settings.BaseRows);
            tokens += batch.Sum(t => t.Tokens.Length);
            var loss = TrainingLoss.Of(model, ActiveAdapters.None, batch);
            optimiser.Step(loss, AdamW.Rate(step, settings.BaseSteps, Math.Min(100, settings.BaseSteps / 10), settings.BaseRate));
            sum += loss.ToSingle();
            if ((step + 1) % 200 == 0)
            {
                say($"  step {step + 1}: loss {sum / 200:f3}, {tokens / Stopwatch.GetElapsedTime(started).TotalSeconds:f0} tokens/s");
                sum = 0;
            }
        }

        foreach (var parameter in model.Parameters.Values)
            parameter.requires_grad_(false);
        return model;
    }

    /// <summary>Trains an adapter on what is drawn.</summary>
    public static TrainableAdapter Adapter(LanguageModel model, Settings settings, Func<Philox, TrainingText> draw, ulong seed)
    {
        var adapter = TrainableAdapter.Create(model, targets, settings.Rank, 2 * settings.Rank, seed);
        using var optimiser = new AdamW(adapter.Parameters);
        var random = new Philox(seed, "lessons");
        for (var step = 0; step < settings.Steps; step++)
        {
            using var scope = torch.NewDisposeScope();
            var loss = TrainingLoss.Of(model, adapter, [.. Enumerable.Range(0, settings.Rows).Select(_ => draw(random))]);
            optimiser.Step(loss, AdamW.Rate(step, settings.Steps, Math.Min(10, settings.Steps / 10), settings.Rate));
        }

        return adapter;
    }
}
