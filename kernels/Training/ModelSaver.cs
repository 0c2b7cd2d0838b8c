using Marketplace.Core.Formats;
using Marketplace.Kernels.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Marketplace.Kernels.Training;

/// <summary>Writes a model as transformers lays it out.</summary>
public static class ModelSaver
{
    /// <summary>Writes config.json and model.safetensors.</summary>
    /// <param name="model">The model.</param>
    /// <param name="configJson">The config.json that it was made from.</param>
    /// <param name="folder">The folder, which is made.</param>
    /// <param name="type">Of the parameters.</param>
    public static void Save(LanguageModel model, ReadOnlyMemory<byte> configJson, string folder, TensorType type = TensorType.F32)
    {
        Directory.CreateDirectory(folder);
        File.WriteAllBytes(Path.Combine(folder, "config.json"), configJson.ToArray());
        SafetensorsWriter.Save(Path.Combine(folder, "model.safetensors"), model.Parameters.Select(p => Source(p.Key, p.Value, type)));
    }

    internal static TensorSource Source(string name, Tensor tensor, TensorType type) => TensorSource.FromDoubles(name, type, [.. tensor.shape], () =>
    {
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        var values = new double[tensor.numel()];
        tensor.detach().to(ScalarType.Float64, CPU).contiguous().view(-1).data<double>().CopyTo(values);
        return values;
    });
}
