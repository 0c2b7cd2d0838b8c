using Marketplace.Core;
using Marketplace.Core.Formats;
using Marketplace.Core.Methods;
using Marketplace.Storage.Jobs;

namespace Marketplace.Functions.Routers;

/// <summary>Prototypes that analysis left beside published weights, so that they need not be computed again.</summary>
public sealed class PublishedPrototypes(AdapterAnalyses analyses)
{
    /// <summary>Those of a version that are not zero, by module; empty where there is no analysis.</summary>
    public async Task<IReadOnlyDictionary<string, KnownPrototype>> LoadAsync(ResolvedInput input, CancellationToken cancellationToken)
    {
        var known = new Dictionary<string, KnownPrototype>(StringComparer.Ordinal);
        var (config, weights) = (Digest.Parse(input.Config), Digest.Parse(input.Weights));
        if (await analyses.LoadStatisticsAsync(config, weights, cancellationToken) is not { } statistics
            || await analyses.LoadPrototypesAsync(config, weights, cancellationToken) is not { } prototypes)
        {
            return known;
        }

        using var file = SafetensorsFile.Read(prototypes);
        foreach (var module in statistics.Modules)
        {
            if (module.SpectralNorm > 0 && file.Find(module.Module) is { Type: TensorType.F32 } tensor && tensor.ElementCount == module.In)
                known[module.Module] = new(file.ReadSingle(tensor), module.SpectralNorm, module.SingularValues.Length > 1 ? module.SingularValues[1] : 0);
        }

        return known;
    }
}
