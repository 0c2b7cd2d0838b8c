using Marketplace.Core.Formats;
using Marketplace.Kernels.Models;
using Marketplace.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace Marketplace.Kernels.Tests.Models;

/// <summary>Models and numbers that transformers and PEFT wrote.</summary>
internal static class ModelFixture
{
    /// <summary>Single precision on both sides; what was measured there is at most 1.2e-5.</summary>
    public const double Tolerance = 1e-4;

    public static string Folder(string name) => Path.Combine(Fixtures.Root, "base", name);

    public static LanguageModel Open(string name)
    {
        Assert.True(LanguageModel.TryOpen(Folder(name), KernelDevice.Cpu, out var model, out var problems), string.Join(' ', problems.Select(p => p.Message)));
        return model!;
    }

    /// <summary>A tensor of a file, in its shape; whole numbers as int64.</summary>
    public static Tensor Read(SafetensorsFile file, string name)
    {
        var info = file.Find(name) ?? throw new ArgumentException($"No '{name}'.");
        var flat = info.Type switch
        {
            TensorType.I64 => from_array(file.View<long>(info).ToArray()),
            TensorType.F64 => from_array(file.ReadDouble(info)),
            TensorType.I32 => from_array(file.View<int>(info).ToArray()).to(ScalarType.Int64),
            _ => from_array(file.ReadSingle(info)),
        };
        return flat.reshape(info.Shape.ToArray());
    }

    /// <summary>The rows of a two-dimensional tensor of ids, each as far as its mask says.</summary>
    public static ReadOnlyMemory<int>[] Sequences(Tensor ids, Tensor? mask = null) =>
    [
        .. Enumerable.Range(0, (int)ids.shape[0]).Select(i => (ReadOnlyMemory<int>)Enumerable.Range(0, (int)ids.shape[1])
            .Where(t => mask is null || mask[i, t].ToInt64() == 1).Select(t => (int)ids[i, t].ToInt64()).ToArray()),
    ];

    public static double Difference(Tensor x, Tensor y) => x.to(ScalarType.Float64).Minus(y.to(ScalarType.Float64)).abs().max().Only<double>();
}
