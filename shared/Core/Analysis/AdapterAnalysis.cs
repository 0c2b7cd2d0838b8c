using System.Collections.Immutable;
using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using System.Text.Json;
using Marketplace.Core.Algebra;
using Marketplace.Core.Api;
using Marketplace.Core.Formats;
using Marketplace.Core.Methods;

namespace Marketplace.Core.Analysis;

/// <summary>A result of analysis.</summary>
/// <param name="Name">Its name below the adapter's analysis.</param>
/// <param name="Bytes">Its content; the same for the same adapter.</param>
public sealed record AnalysisFile(string Name, byte[] Bytes);

/// <summary>
/// What is computed once for each published adapter and kept beside it: statistics of its modules, its Arrow prototypes, and its sketch. It can be computed
/// again at any time; another method is another version.
/// </summary>
public static class AdapterAnalysis
{
    /// <summary>Version of the method; part of the place where the results are stored.</summary>
    public const string Version = "2";

    /// <summary>The adapter's <see cref="AdapterStatistics"/>, JSON.</summary>
    public const string StatisticsFile = "statistics.json";

    /// <summary>Prototypes, safetensors: one F32 vector (in) per module, named after it; zero where ΔW = 0.</summary>
    public const string PrototypesFile = "prototypes.safetensors";

    /// <summary>The adapter's <see cref="AdapterSketch"/>, safetensors.</summary>
    public const string SketchFile = "sketch.safetensors";

    /// <summary>Analyses an adapter: everything of a module in one visit, while its factors are in the cache, and two light passes for the sparsified factors.</summary>
    /// <exception cref="NotFiniteNumberException">A factor holds NaN or infinity.</exception>
    public static ImmutableArray<AnalysisFile> Compute(Adapter adapter)
    {
        var statistics = ImmutableArray.CreateBuilder<ModuleStatistics>(adapter.Modules.Length);
        var prototypes = new List<TensorSource>(adapter.Modules.Length);
        var (sketch, factors) = (new SketchBuilder(adapter), new FactorBuffer(adapter));
        foreach (var module in adapter.Modules)
        {
            factors.Read(module);
            var spectrum = LowRankSpectrum.Of(factors.B, factors.A, module.Rank);
            var prototype = Prototype.Of(module.Name, spectrum, factors.A);
            statistics.Add(ModuleStatistics.Of(module, spectrum, prototype.Degenerate));
            prototypes.Add(Direction(prototype));
            sketch.Add(module, factors, spectrum.Norm);
        }

        using var stream = new MemoryStream();
        SafetensorsWriter.Write(stream, prototypes, SafetensorsWriter.PyTorch);
        return
        [
            new(StatisticsFile, JsonSerializer.SerializeToUtf8Bytes(AdapterStatistics.Of(statistics.MoveToImmutable()), ApiJson.Options)),
            new(PrototypesFile, stream.ToArray()),
            new(SketchFile, sketch.Finish(factors).ToBytes()),
        ];
    }

    private static TensorSource Direction(Prototype prototype)
    {
        var singles = new float[prototype.Direction.Length];
        TensorPrimitives.ConvertTruncating(prototype.Direction.AsSpan(), singles);
        return new(prototype.Module, TensorType.F32, [singles.Length], () => MemoryMarshal.AsBytes(singles.AsSpan()).ToArray());
    }
}
