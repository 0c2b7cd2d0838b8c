using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Text.Json;
using Marketplace.Core;
using Marketplace.Core.Analysis;
using Marketplace.Core.Api;
using Marketplace.Core.Formats;

namespace Marketplace.Storage.Jobs;

/// <summary>
/// The analyses of published adapters. What this version of the analysis has not computed yet is computed when it is asked for, and kept; results of other versions are
/// not looked at. They lie with the weights, under the digest of the configuration, since ΔW depends on both.
/// </summary>
public sealed class AdapterAnalyses(MarketplaceStorage storage, ContentCache cache) : IDisposable
{
    private readonly ConcurrentDictionary<SketchKey, Lazy<Task<ImmutableArray<AnalysisFile>>>> running = [];
    private readonly SemaphoreSlim turns = new(Environment.ProcessorCount);

    /// <summary>The results of an analysis as they are stored with a version.</summary>
    public static ImmutableArray<DerivedFile> Files(Digest config, IEnumerable<AnalysisFile> analysis) =>
        [.. analysis.Select(f => new DerivedFile(AdapterAnalysis.Version, Name(config, f.Name), f.Bytes))];

    /// <summary>Statistics of an adapter; null where its bytes are gone or not finite.</summary>
    public Task<AdapterStatistics?> LoadStatisticsAsync(Digest config, Digest weights, CancellationToken cancellationToken) =>
        LoadAsync(new(config, weights), AdapterAnalysis.StatisticsFile, bytes => JsonSerializer.Deserialize<AdapterStatistics>(bytes.Span, ApiJson.Options), cancellationToken);

    /// <summary>Its prototypes, the bytes of a safetensors file with one F32 vector per module; null where its bytes are gone or not finite.</summary>
    public Task<byte[]?> LoadPrototypesAsync(Digest config, Digest weights, CancellationToken cancellationToken) =>
        LoadAsync(new(config, weights), AdapterAnalysis.PrototypesFile, bytes =>
        {
            using var file = SafetensorsFile.Read(bytes);
            return bytes.ToArray();
        }, cancellationToken);

    /// <summary>Its sketch; null where its bytes are gone or not finite.</summary>
    public Task<AdapterSketch?> LoadSketchAsync(Digest config, Digest weights, CancellationToken cancellationToken) =>
        LoadAsync(new(config, weights), AdapterAnalysis.SketchFile, AdapterSketch.Parse, cancellationToken);

    /// <inheritdoc/>
    public void Dispose() => turns.Dispose();

    private static string Name(Digest config, string file) => $"{config.Hex}/{file}";

    private async Task<T?> LoadAsync<T>(SketchKey adapter, string name, Func<ReadOnlyMemory<byte>, T?> parse, CancellationToken cancellationToken)
        where T : class
    {
        if (await storage.Derived.ReadAsync(adapter.Weights, AdapterAnalysis.Version, Name(adapter.Config, name), cancellationToken) is { } stored
            && TryParse(stored.ToMemory(), parse) is { } found)
            return found;
        var computed = await running.GetOrAdd(adapter, key => new(() => ComputeAsync(key))).Value.WaitAsync(cancellationToken);
        return computed.FirstOrDefault(f => f.Name == name) is { } file ? parse(file.Bytes) : null;
    }

    private static T? TryParse<T>(ReadOnlyMemory<byte> bytes, Func<ReadOnlyMemory<byte>, T?> parse)
        where T : class
    {
        try
        {
            return parse(bytes);
        }
        catch (Exception e) when (e is InvalidDataException or JsonException)
        {
            return null; // not what was written: it is computed again
        }
    }

    // Once begun it is finished and stored, so that it is there for the next who asks.
    private async Task<ImmutableArray<AnalysisFile>> ComputeAsync(SketchKey adapter)
    {
        await turns.WaitAsync();
        try
        {
            if (await cache.GetAsync(adapter.Config, CancellationToken.None) is not { } config || await cache.GetAsync(adapter.Weights, CancellationToken.None) is not { } weights)
                return [];
            using var opened = AdapterReader.Open(config, weights);
            var files = await Task.Run(() => AdapterAnalysis.Compute(opened));
            foreach (var file in Files(adapter.Config, files))
                await storage.Derived.PutAsync(adapter.Weights, file.AnalysisVersion, file.Name, file.Content);
            return files;
        }
        catch (NotFiniteNumberException)
        {
            return [];
        }
        finally
        {
            turns.Release();
            running.TryRemove(adapter, out _);
        }
    }
}
