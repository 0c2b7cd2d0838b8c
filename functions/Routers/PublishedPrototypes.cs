using System.Text.Json;
using Marketplace.Core;
using Marketplace.Core.Analysis;
using Marketplace.Core.Formats;
using Marketplace.Core.Methods;
using Marketplace.Storage;
using Marketplace.Storage.Jobs;

namespace Marketplace.Functions.Routers;

/// <summary>
/// Prototypes that analysis left beside published weights, so that they need not be computed again. They are kept under the weights' digest alone: a direction is the same whatever the
/// configuration, singular values go with the scaling.
/// </summary>
public sealed class PublishedPrototypes(MarketplaceStorage storage)
{
    /// <summary>Those of a version, by module; empty where analysis has not run or has no singular values.</summary>
    /// <param name="input">The version.</param>
    /// <param name="adapter">The same, open.</param>
    /// <param name="cancellationToken">Stops.</param>
    public async Task<IReadOnlyDictionary<string, KnownPrototype>> LoadAsync(ResolvedInput input, Adapter adapter, CancellationToken cancellationToken)
    {
        var known = new Dictionary<string, KnownPrototype>(StringComparer.Ordinal);
        var weights = Digest.Parse(input.Weights);
        if (await storage.Derived.ReadAsync(weights, AdapterAnalysis.Version, AdapterAnalysis.StatisticsFile, cancellationToken) is not { } statistics
            || await storage.Derived.ReadAsync(weights, AdapterAnalysis.Version, AdapterAnalysis.PrototypesFile, cancellationToken) is not { } prototypes)
        {
            return known;
        }

        using var file = SafetensorsFile.Read(prototypes.ToMemory());
        using var document = JsonDocument.Parse(statistics.ToMemory());
        foreach (var (name, scaling, s) in Modules(document.RootElement))
        {
            if (adapter.Find(name) is { } module && scaling != 0 && module.Scaling != 0 && file.Find(name) is { Type: TensorType.F32 } tensor && tensor.ElementCount == module.In)
                known[name] = new(file.ReadSingle(tensor), s[0] * Math.Abs(module.Scaling / scaling), s.Length > 1 ? s[1] * Math.Abs(module.Scaling / scaling) : 0);
        }

        return known;
    }

    private static IEnumerable<(string Module, double Scaling, double[] S)> Modules(JsonElement root)
    {
        if (root.ValueKind != JsonValueKind.Object || !root.TryGetProperty("modules", out var modules))
            yield break;
        foreach (var module in modules.EnumerateArray())
        {
            // S₁ as it is in the spectrum is rounding noise where ΔW = 0; the spectral norm is 0 there.
            if (module.TryGetProperty("singularValues", out var s) && module.GetProperty("spectralNorm").GetDouble() > 0)
                yield return (module.GetProperty("module").GetString()!, module.GetProperty("scaling").GetDouble(), [.. s.EnumerateArray().Select(x => x.GetDouble())]);
        }
    }
}
