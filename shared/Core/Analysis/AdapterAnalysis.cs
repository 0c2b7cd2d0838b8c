using System.Collections.Immutable;
using System.Text.Json;
using Marketplace.Core.Algebra;
using Marketplace.Core.Api;
using Marketplace.Core.Formats;
using Marketplace.Core.Methods;

namespace Marketplace.Core.Analysis;

/// <summary>What is known of one module without its factors.</summary>
/// <param name="Module">Its name.</param>
/// <param name="Kind">Linear, Embedding or Conv2d.</param>
/// <param name="Out">Rows of ΔW.</param>
/// <param name="In">Columns of ΔW.</param>
/// <param name="Rank">r.</param>
/// <param name="Scaling">s.</param>
/// <param name="Norm">|ΔW|, Frobenius.</param>
/// <param name="SpectralNorm">The largest singular value of ΔW.</param>
/// <param name="StableRank">(|ΔW| ∕ largest singular value)², between 1 and r: how many directions count. 0 where ΔW = 0.</param>
/// <param name="PrototypeDegenerate">Whether the two largest singular values are too close for the prototype to mean one direction.</param>
public sealed record ModuleStatistics(
    string Module, string Kind, int Out, int In, int Rank, double Scaling,
    double Norm, double SpectralNorm, double StableRank, bool PrototypeDegenerate);

/// <summary>A result of analysis.</summary>
/// <param name="Name">Its name below the adapter's analysis.</param>
/// <param name="Bytes">Its content; the same for the same adapter.</param>
public sealed record AnalysisFile(string Name, byte[] Bytes);

/// <summary>
/// What is computed once for each published adapter and kept beside it: statistics of its modules and its Arrow prototypes. It can be computed
/// again at any time; another method is another version.
/// </summary>
public static class AdapterAnalysis
{
    /// <summary>Version of the method; part of the place where the results are stored.</summary>
    public const string Version = "2";

    /// <summary>Statistics per module, JSON, in ordinal order of module names.</summary>
    public const string StatisticsFile = "statistics.json";

    /// <summary>Prototypes, safetensors: one F32 vector (in) per module, named after it; zero where ΔW = 0.</summary>
    public const string PrototypesFile = "prototypes.safetensors";

    /// <summary>The adapter's <see cref="AdapterSketch"/>, safetensors.</summary>
    public const string SketchFile = "sketch.safetensors";

    /// <summary>Analyses an adapter, one module at a time.</summary>
    /// <exception cref="NotFiniteNumberException">A factor holds NaN or infinity.</exception>
    public static ImmutableArray<AnalysisFile> Compute(Adapter adapter)
    {
        var statistics = new List<ModuleStatistics>(adapter.Modules.Length);
        var prototypes = new List<TensorSource>(adapter.Modules.Length);
        foreach (var module in adapter.Modules)
        {
            var delta = adapter.Delta(module.Name)!;
            var prototype = Prototype.Of(module.Name, delta);
            var norm = Deltas.Norm(delta);
            var stableRank = prototype.IsZero ? 0 : norm / prototype.S1 * (norm / prototype.S1);
            statistics.Add(new(
                module.Name, module.Kind.ToString(), module.Out, module.In, module.Rank, module.Scaling,
                norm, prototype.S1, stableRank, prototype.Degenerate));
            prototypes.Add(TensorSource.FromDoubles(module.Name, TensorType.F32, [module.In], () => [.. prototype.Direction]));
        }

        using var stream = new MemoryStream();
        SafetensorsWriter.Write(stream, prototypes, SafetensorsWriter.PyTorch);
        return
        [
            new(StatisticsFile, JsonSerializer.SerializeToUtf8Bytes(statistics, ApiJson.Options)),
            new(PrototypesFile, stream.ToArray()),
            new(SketchFile, AdapterSketch.Of(adapter).ToBytes()),
        ];
    }
}
