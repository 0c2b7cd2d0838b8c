using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;
using Marketplace.Core.Algebra;
using Marketplace.Core.Formats;
using TorchSharp;
using static TorchSharp.torch;

namespace Marketplace.Kernels.Models;

/// <summary>Brings a model's parameters into memory, after their names and shapes have been held against what the configuration says.</summary>
internal static class ModelLoader
{
    private const string ConfigFile = "config.json";

    public static bool TryOpen(string folder, KernelDevice device, [NotNullWhen(true)] out LanguageModel? model, out ImmutableArray<WeightsProblem> problems)
    {
        model = null;
        var path = Path.Combine(folder, ConfigFile);
        if (!File.Exists(path))
        {
            problems = [new(WeightsProblem.ConfigInvalid, $"'{folder}' holds no config.json.", File: ConfigFile)];
            return false;
        }

        if (!ModelConfig.TryParse(File.ReadAllBytes(path), out var config, out problems) || !BaseWeights.TryOpen(folder, out var weights, out problems))
            return false;
        using (weights)
        {
            var layout = DecoderLayout.Find(config.ModelType)!;
            var found = new List<WeightsProblem>();
            var stored = new List<(string Name, TensorInfo Tensor)>();
            foreach (var parameter in ParameterShapes.Of(config, layout))
            {
                if (Check(parameter, weights, found) is { } tensor)
                    stored.Add((parameter.Name, tensor));
            }

            problems = [.. found];
            if (!problems.IsEmpty)
                return false;
            model = new(config, layout, stored.ToDictionary(s => s.Name, s => Read(weights, s.Tensor, device), StringComparer.Ordinal), device.Device);
            return true;
        }
    }

    public static LanguageModel Create(ReadOnlyMemory<byte> configJson, ulong seed, KernelDevice device)
    {
        if (!ModelConfig.TryParse(configJson, out var config, out var problems))
            throw new InvalidDataException(string.Join(' ', problems.Select(p => p.Message)));
        var layout = DecoderLayout.Find(config.ModelType)!;
        using var generator = new Generator(seed, CPU);
        var parameters = ParameterShapes.Of(config, layout).Where(p => !p.Optional).ToDictionary(p => p.Name, p =>
        {
            using var scope = NewDisposeScope();
            var isMatrix = p.Shape.Length == 2;
            var tensor = isMatrix ? randn(p.Shape, generator: generator).mul(Scalars.Of(0.02)) : layout.Norm == NormKind.RmsPlusOne || p.Name.EndsWith(".bias", StringComparison.Ordinal) ? zeros(p.Shape) : ones(p.Shape);
            return tensor.to(device.Device).DetachFromDisposeScope();
        }, StringComparer.Ordinal);
        return new(config, layout, parameters, device.Device);
    }

    private static TensorInfo? Check(ParameterShape parameter, BaseWeights weights, List<WeightsProblem> found)
    {
        if (weights.Find(parameter.Name) is not { } tensor)
        {
            if (!parameter.Optional)
                found.Add(new(WeightsProblem.TensorMissing, $"The weights have no '{parameter.Name}'.", parameter.Name));
            return null;
        }

        if (!tensor.Type.IsFactorType())
            found.Add(new(WeightsProblem.TypeUnsupported, $"'{tensor.Name}' is stored as {tensor.Type}; only F64, F32, F16 and BF16 can be computed with.", tensor.Name));
        else if (!tensor.Shape.SequenceEqual(parameter.Shape))
            found.Add(new(WeightsProblem.ShapeMismatch, $"'{tensor.Name}' has the shape {tensor.ShapeText}, but config.json says ({string.Join(", ", parameter.Shape)}).", tensor.Name));
        else
            return tensor;
        return null;
    }

    // Row by row in blocks, so that a table of any size passes through views of at most 2³¹ bytes, and nothing is in memory twice.
    private static Tensor Read(BaseWeights weights, TensorInfo info, KernelDevice device)
    {
        const int Block = 1 << 24;
        using var scope = NewDisposeScope();
        var tensor = empty(info.Shape.ToArray(), dtype: ScalarType.Float32);
        using var flat = tensor.view(-1);
        for (var start = 0L; start < info.ElementCount; start += Block)
        {
            using var part = flat.narrow(0, start, Math.Min(Block, info.ElementCount - start));
            weights.Read(info, start, MemoryMarshal.Cast<byte, float>(part.bytes));
        }

        return tensor.to(device.Device).DetachFromDisposeScope();
    }
}
