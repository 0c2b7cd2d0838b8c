using System.Collections.Immutable;
using System.Globalization;
using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using Marketplace.Core.Algebra;
using Marketplace.Core.Formats;

namespace Marketplace.Core.Analysis;

/// <summary>
/// An adapter in a few kilobytes, from which libraries are compared: a random linear image of ΔW over all modules, and one of its sparsified factors as
/// published MBC compares them. Both are seeded by module names, so sketches of adapters with other ranks or modules fit together.
/// </summary>
/// <param name="Delta">S (<see cref="Size"/>), with E⟨S₁, S₂⟩ = Σ over modules ⟨ΔW₁, ΔW₂⟩.</param>
/// <param name="Norm">|ΔW| over all modules, exact.</param>
/// <param name="FlatAb">The same of all entries of A and B, unscaled, the smallest 80 % set to zero; empty where a scaling of 0 hides B.</param>
/// <param name="FlatNorm">The exact norm of those entries.</param>
/// <param name="Shape">Names the modules with their ranks and sizes: factors can be compared entry by entry only where it is equal.</param>
public sealed record AdapterSketch(ImmutableArray<float> Delta, double Norm, ImmutableArray<float> FlatAb, double FlatNorm, string Shape)
{
    /// <summary>Numbers of one sketch.</summary>
    public const int Size = 1024;

    /// <summary>|S|, the length of the sketch of ΔW: about <see cref="Norm"/>, and what cosines of sketches are divided by.</summary>
    public double DeltaLength { get; } = Math.Sqrt(TensorPrimitives.SumOfSquares(Delta.AsSpan()));

    /// <summary>The same of the sparsified factors.</summary>
    public double FlatLength { get; } = Math.Sqrt(TensorPrimitives.SumOfSquares(FlatAb.AsSpan()));

    /// <summary>Whether the adapter changes nothing.</summary>
    public bool IsZero => Norm == 0;

    /// <summary>Estimates the cosine of ΔW; 0 where one of them is zero.</summary>
    public static double DeltaCosine(AdapterSketch first, AdapterSketch second) =>
        Cosine(first.Delta.AsSpan(), second.Delta.AsSpan(), first.DeltaLength * second.DeltaLength);

    /// <summary>Estimates the cosine of the sparsified factors; null where they can't be compared entry by entry.</summary>
    public static double? FlatAbCosine(AdapterSketch first, AdapterSketch second) =>
        first.Shape != second.Shape || first.FlatAb.IsEmpty || second.FlatAb.IsEmpty ? null : Cosine(first.FlatAb.AsSpan(), second.FlatAb.AsSpan(), first.FlatLength * second.FlatLength);

    /// <summary>Sketches an adapter, one module at a time.</summary>
    /// <exception cref="NotFiniteNumberException">A factor holds NaN or infinity.</exception>
    public static AdapterSketch Of(Adapter adapter)
    {
        var (builder, factors) = (new SketchBuilder(adapter), new FactorBuffer(adapter));
        foreach (var module in adapter.Modules)
        {
            factors.Read(module);
            builder.Add(module, factors, LowRankSpectrum.Of(factors.B, factors.A, module.Rank).Norm);
        }

        return builder.Finish(factors);
    }

    /// <summary>A digest over modules, ranks and sizes.</summary>
    public static string ShapeOf(Adapter adapter)
    {
        var text = string.Join('\n', adapter.Modules.Select(m => string.Create(CultureInfo.InvariantCulture, $"{m.Name} {m.Out} {m.In} {m.Rank}")));
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)))[..32];
    }

    /// <summary>The sketch as a safetensors file; numbers that are no tensors are in its metadata.</summary>
    public byte[] ToBytes()
    {
        var tensors = new List<TensorSource> { Tensor("delta", Delta) };
        if (!FlatAb.IsEmpty)
            tensors.Add(Tensor("flat_ab", FlatAb));
        using var stream = new MemoryStream();
        SafetensorsWriter.Write(stream, tensors, SafetensorsWriter.PyTorch
            .Add("norm", Norm.ToString("R", CultureInfo.InvariantCulture)).Add("flat_norm", FlatNorm.ToString("R", CultureInfo.InvariantCulture)).Add("shape", Shape));
        return stream.ToArray();
    }

    /// <summary>Reads what <see cref="ToBytes"/> wrote.</summary>
    /// <exception cref="InvalidDataException">The bytes are something else.</exception>
    public static AdapterSketch Parse(ReadOnlyMemory<byte> bytes)
    {
        using var file = SafetensorsFile.Read(bytes);
        var metadata = file.Header.Metadata;
        var delta = Read(file, "delta");
        if (delta.Length != Size)
            throw new InvalidDataException($"A sketch of {delta.Length} numbers instead of {Size}.");
        return new(delta, Number(metadata, "norm"), Read(file, "flat_ab"), Number(metadata, "flat_norm"), metadata.GetValueOrDefault("shape", ""));
    }

    private static double Cosine(ReadOnlySpan<float> first, ReadOnlySpan<float> second, double lengths) =>
        lengths == 0 ? 0 : Math.Clamp(TensorPrimitives.Dot(first, second) / lengths, -1, 1);

    private static TensorSource Tensor(string name, ImmutableArray<float> values) =>
        new(name, TensorType.F32, [values.Length], () => MemoryMarshal.AsBytes(values.AsSpan()).ToArray());

    private static ImmutableArray<float> Read(SafetensorsFile file, string name) =>
        file.Find(name) is { } tensor ? [.. MemoryMarshal.Cast<byte, float>(file.Bytes(tensor))] : [];

    private static double Number(ImmutableSortedDictionary<string, string> metadata, string name) =>
        metadata.TryGetValue(name, out var text) && double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var value)
            ? value
            : throw new InvalidDataException($"A sketch without '{name}'.");
}
