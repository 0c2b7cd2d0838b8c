using System.Text.Json;
using Marketplace.Core.Formats;
using Marketplace.Kernels;
using Marketplace.Kernels.Evaluation;
using Marketplace.Kernels.Models;

namespace Marketplace.Benchmarks;

/// <summary>A model, adapters and items for <see cref="EvaluationBenchmark"/>, as transformers and PEFT read them too.</summary>
internal static class EvaluationFiles
{
    /// <summary>How many items.</summary>
    public const int Items = 200;

    private const int Hidden = 512;
    private const int Layers = 8;
    private const int Vocabulary = 8000;
    private const int Rank = 8;

    private static readonly string[] Projections = ["q_proj", "k_proj", "v_proj", "o_proj"];

    private static readonly string Config = JsonSerializer.Serialize(new Dictionary<string, object>
    {
        ["architectures"] = new[] { "LlamaForCausalLM" },
        ["model_type"] = "llama",
        ["hidden_size"] = Hidden,
        ["intermediate_size"] = 1376,
        ["num_hidden_layers"] = Layers,
        ["num_attention_heads"] = 8,
        ["num_key_value_heads"] = 4,
        ["vocab_size"] = Vocabulary,
        ["max_position_embeddings"] = 1024,
        ["rms_norm_eps"] = 1e-5,
        ["hidden_act"] = "silu",
        ["tie_word_embeddings"] = false,
    });

    /// <summary>Writes everything; returns how many tokens the sequences have, prompts counted with each choice.</summary>
    public static long Write(string folder, int adapters)
    {
        Directory.CreateDirectory(Path.Combine(folder, "model"));
        File.WriteAllText(Path.Combine(folder, "model", "config.json"), Config);
        using (var model = LanguageModel.Create(System.Text.Encoding.UTF8.GetBytes(Config), 1, KernelDevice.Cpu))
        {
            SafetensorsWriter.Save(Path.Combine(folder, "model", "model.safetensors"), model.Parameters.Select(p =>
                new TensorSource(p.Key, TensorType.F32, [.. p.Value.shape], () => p.Value.bytes.ToArray())));
        }

        var random = new Random(2);
        for (var i = 0; i < adapters; i++)
            WriteAdapter(Path.Combine(folder, "adapters", $"{i}"), random);
        var items = Enumerable.Range(0, Items).Select(_ => new object[]
        {
            Tokens(random, random.Next(32, 65)), Enumerable.Range(0, 4).Select(_ => Tokens(random, random.Next(2, 9))).ToArray(),
        }).ToArray();
        File.WriteAllText(Path.Combine(folder, "items.json"), JsonSerializer.Serialize(items));
        return Read(folder).Sum(i => i.Sum(s => (long)s.Tokens.Length));
    }

    /// <summary>The sequences of each item.</summary>
    public static List<IReadOnlyList<ScoredSequence>> Read(string folder)
    {
        using var document = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "items.json")));
        return [.. document.RootElement.EnumerateArray().Select(item => (IReadOnlyList<ScoredSequence>)
            [.. item[1].EnumerateArray().Select(choice => new ScoredSequence((int[])[.. Numbers(item[0]), .. Numbers(choice)], item[0].GetArrayLength()))])];
    }

    /// <summary>Numbers that the model has.</summary>
    public static long Parameters(string folder)
    {
        using var file = SafetensorsFile.Open(Path.Combine(folder, "model", "model.safetensors"));
        return file.Tensors.Sum(t => t.ElementCount);
    }

    /// <summary>The program that measures the peers.</summary>
    public static string PeerScript()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (Path.Combine(folder.FullName, "benchmarks", "peers", "evaluate.py") is var path && File.Exists(path))
                return File.ReadAllText(path);
        }

        throw new FileNotFoundException("benchmarks/peers/evaluate.py is not there.");
    }

    private static void WriteAdapter(string folder, Random random)
    {
        Directory.CreateDirectory(folder);
        var config = new AdapterConfig { Rank = Rank, Alpha = 2 * Rank, BaseModel = "benchmark/llama", TaskType = "CAUSAL_LM", TargetModules = ModuleSelector.List(Projections) };
        File.WriteAllBytes(Path.Combine(folder, "adapter_config.json"), config.ToJson());
        IEnumerable<TensorSource> tensors = from layer in Enumerable.Range(0, Layers)
                                            from projection in Projections
                                            let width = projection is "k_proj" or "v_proj" ? Hidden / 2 : Hidden
                                            from factor in new[] { ("A", Rank, Hidden), ("B", width, Rank) }
                                            let values = Enumerable.Range(0, factor.Item2 * factor.Item3).Select(_ => (random.NextDouble() - 0.5) * 0.1).ToArray()
                                            select TensorSource.FromDoubles($"base_model.model.model.layers.{layer}.self_attn.{projection}.lora_{factor.Item1}.weight", TensorType.F32, [factor.Item2, factor.Item3], () => values);
        SafetensorsWriter.Save(Path.Combine(folder, "adapter_model.safetensors"), tensors);
    }

    private static int[] Tokens(Random random, int count) => [.. Enumerable.Range(0, count).Select(_ => random.Next(3, Vocabulary))];

    private static IEnumerable<int> Numbers(JsonElement array) => array.EnumerateArray().Select(n => n.GetInt32());
}
