using System.Text;
using System.Text.Json;
using Marketplace.Core.Formats;

namespace Marketplace.Tests.Support;

/// <summary>Small adapters made up for a test: same seed, same bytes.</summary>
internal static class StackAdapters
{
    public const string BaseModel = "marketplace/test-base";

    private const int Rank = 2;
    private const int Width = 8;

    /// <summary>The files of an adapter.</summary>
    public static Dictionary<string, byte[]> Files(int seed, string baseModel = BaseModel, string? card = null, int rank = Rank, int width = Width)
    {
        var files = new Dictionary<string, byte[]>
        {
            ["adapter_config.json"] = Config(baseModel, rank),
            ["adapter_model.safetensors"] = Weights(seed, rank, width),
        };
        if (card is not null)
            files["README.md"] = Encoding.UTF8.GetBytes($"# {card}\n");
        return files;
    }

    public static byte[] Config(string baseModel, int rank = Rank) => JsonSerializer.SerializeToUtf8Bytes(new
    {
        base_model_name_or_path = baseModel,
        peft_type = "LORA",
        r = rank,
        lora_alpha = 2 * rank,
        target_modules = new[] { "q_proj", "v_proj" },
        task_type = "CAUSAL_LM",
    });

    private static byte[] Weights(int seed, int rank, int width)
    {
        var random = new Random(seed);
        var tensors = new List<TensorSource>();
        foreach (var module in new[] { "layers.0.self_attn.q_proj", "layers.0.self_attn.v_proj", "layers.1.self_attn.q_proj", "layers.1.self_attn.v_proj" })
        {
            tensors.Add(Tensor($"base_model.model.model.{module}.lora_A.weight", rank, width));
            tensors.Add(Tensor($"base_model.model.model.{module}.lora_B.weight", width, rank));
        }

        using var stream = new MemoryStream();
        SafetensorsWriter.Write(stream, tensors, SafetensorsWriter.PyTorch);
        return stream.ToArray();

        TensorSource Tensor(string name, int rows, int columns)
        {
            var values = Enumerable.Range(0, rows * columns).Select(_ => random.NextDouble() - 0.5).ToArray();
            return TensorSource.FromDoubles(name, TensorType.F32, [rows, columns], () => values);
        }
    }
}
