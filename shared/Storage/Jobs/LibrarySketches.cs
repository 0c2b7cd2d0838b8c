using Marketplace.Core;
using Marketplace.Core.Analysis;
using Marketplace.Core.Formats;

namespace Marketplace.Storage.Jobs;

/// <summary>The sketches of published adapters: from the results of their analysis, or computed and stored now where this version of the analysis has not run yet.</summary>
public sealed class LibrarySketches(MarketplaceStorage storage, ContentCache cache)
{
    /// <summary>The sketches of adapters by the digests of their files, in the order asked for; null where the bytes are gone or not finite.</summary>
    public async Task<IReadOnlyList<AdapterSketch?>> LoadAsync(IReadOnlyList<(Digest Config, Digest Weights)> adapters, CancellationToken cancellationToken)
    {
        var sketches = new AdapterSketch?[adapters.Count];
        await Parallel.ForEachAsync(
            Enumerable.Range(0, adapters.Count), new ParallelOptions { MaxDegreeOfParallelism = 16, CancellationToken = cancellationToken },
            async (i, ct) => sketches[i] = await LoadAsync(adapters[i].Config, adapters[i].Weights, ct));
        return sketches;
    }

    private async Task<AdapterSketch?> LoadAsync(Digest config, Digest weights, CancellationToken cancellationToken)
    {
        if (await storage.Derived.ReadAsync(weights, AdapterAnalysis.Version, AdapterAnalysis.SketchFile, cancellationToken) is { } stored)
            return AdapterSketch.Parse(stored.ToMemory());
        if (await cache.GetAsync(config, cancellationToken) is not { } configPath || await cache.GetAsync(weights, cancellationToken) is not { } weightsPath)
            return null;
        using var adapter = AdapterReader.Open(configPath, weightsPath);
        try
        {
            foreach (var file in AdapterAnalysis.Compute(adapter))
                await storage.Derived.PutAsync(weights, AdapterAnalysis.Version, file.Name, file.Bytes, cancellationToken);
            return AdapterSketch.Of(adapter);
        }
        catch (NotFiniteNumberException)
        {
            return null;
        }
    }
}
