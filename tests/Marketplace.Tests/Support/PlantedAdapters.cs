using Marketplace.Core.Formats;

namespace Marketplace.Tests.Support;

/// <summary>Small adapters around planted centres: of one group those with the same centre, each with a little of its own.</summary>
internal static class PlantedAdapters
{
    private static readonly string[] Modules = ["layers.0.self_attn.q_proj", "layers.0.self_attn.v_proj", "layers.1.self_attn.q_proj", "layers.1.self_attn.v_proj"];

    /// <summary>The files of an adapter.</summary>
    /// <param name="group">Whose centre it has.</param>
    /// <param name="seed">Its own part.</param>
    /// <param name="noise">How much of that.</param>
    /// <param name="rank">Its rank; another rank has other factors.</param>
    /// <param name="zero">Whether B is zero, as in an untrained adapter.</param>
    /// <param name="baseModel">Its base model.</param>
    public static Dictionary<string, byte[]> Files(
        int group, int seed, double noise = 0.4, int rank = 2, bool zero = false, string baseModel = StackAdapters.BaseModel)
    {
        const int width = 12;
        var (centre, own) = (new Random(1000 + group), new Random(seed));
        var tensors = new List<TensorSource>();
        foreach (var module in Modules)
        {
            tensors.Add(Tensor($"base_model.model.model.{module}.lora_A.weight", rank, width, false));
            tensors.Add(Tensor($"base_model.model.model.{module}.lora_B.weight", width, rank, zero));
        }

        using var stream = new MemoryStream();
        SafetensorsWriter.Write(stream, tensors, SafetensorsWriter.PyTorch);
        return new() { ["adapter_config.json"] = StackAdapters.Config(baseModel, rank), ["adapter_model.safetensors"] = stream.ToArray() };

        TensorSource Tensor(string name, int rows, int columns, bool empty)
        {
            var values = Enumerable.Range(0, rows * columns).Select(_ => centre.NextDouble() - 0.5 + (noise * (own.NextDouble() - 0.5))).ToArray();
            if (empty)
                Array.Clear(values);
            return TensorSource.FromDoubles(name, TensorType.F32, [rows, columns], () => values);
        }
    }
}
