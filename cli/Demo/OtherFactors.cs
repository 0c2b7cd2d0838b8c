using System.Runtime.InteropServices;
using Marketplace.Core;
using Marketplace.Core.Formats;

namespace Marketplace.Cli.Demo;

/// <summary>The same ΔW in other factors, as a re-upload in disguise has it: (B·M)(M⁻¹·A), where M reverses the ranks and halves them. Hardly an entry stays what it was.</summary>
internal static class OtherFactors
{
    private const string A = ".lora_A.weight";
    private const string B = ".lora_B.weight";

    /// <summary>Copies an adapter with factors in F32 into another folder.</summary>
    public static void Copy(string from, string to)
    {
        Directory.CreateDirectory(to);
        File.Copy(Path.Combine(from, RepositoryPath.Config), Path.Combine(to, RepositoryPath.Config));
        using var file = SafetensorsFile.Open(Path.Combine(from, RepositoryPath.Weights));
        SafetensorsWriter.Save(
            Path.Combine(to, RepositoryPath.Weights),
            file.Tensors.Select(t => new TensorSource(t.Name, t.Type, t.Shape, () => MemoryMarshal.AsBytes(Factor(t, MemoryMarshal.Cast<byte, float>(file.Bytes(t))).AsSpan()).ToArray())));
    }

    private static float[] Factor(TensorInfo tensor, ReadOnlySpan<float> values)
    {
        DemoCheck.That(tensor.Type == TensorType.F32 && (tensor.Name.EndsWith(A, StringComparison.Ordinal) || tensor.Name.EndsWith(B, StringComparison.Ordinal)), $"{tensor.Name} is not a factor in F32.");
        var (rows, columns) = ((int)tensor.Shape[0], (int)tensor.Shape[1]);
        var isA = tensor.Name.EndsWith(A, StringComparison.Ordinal);
        var changed = new float[values.Length];
        for (var i = 0; i < rows; i++)
            for (var j = 0; j < columns; j++)
                changed[(i * columns) + j] = isA ? values[((rows - 1 - i) * columns) + j] * 2 : values[(i * columns) + columns - 1 - j] / 2;
        return changed;
    }
}
