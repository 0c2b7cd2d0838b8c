using Marketplace.Core;
using Marketplace.Core.Analysis;
using Marketplace.Core.Formats;

namespace Marketplace.Storage.Jobs;

/// <summary>
/// The sketches of published adapters. They are looked for in memory, then in the pack of their base model, then among the results of their analyses, and computed
/// where this version of the analysis has not run yet. Who finds many missing from the pack writes it anew; a pack that is lost, stale or broken costs time and nothing else.
/// </summary>
public sealed class LibrarySketches
{
    // Below this a pack is not worth its reading: so many results are fetched one by one, sixteen at a time.
    private const int Few = 32;

    private readonly MarketplaceStorage storage;
    private readonly ContentCache content;
    private readonly AdapterAnalyses analyses;
    private readonly SketchCache cache;

    /// <summary>Sketches of a storage.</summary>
    public LibrarySketches(MarketplaceStorage storage, ContentCache content, AdapterAnalyses analyses)
    {
        (this.storage, this.content, this.analyses) = (storage, content, analyses);
        cache = new SketchCache(storage.Options.SketchCacheBytes);
    }

    /// <summary>
    /// The sketches of adapters of one base model by the digests of their files, in the order asked for; null where the bytes are gone or not finite. Which base model,
    /// and so which pack, the first configuration tells.
    /// </summary>
    public async Task<IReadOnlyList<AdapterSketch?>> LoadAsync(IReadOnlyList<(Digest Config, Digest Weights)> adapters, CancellationToken cancellationToken)
    {
        var baseModel = "";
        if (adapters.Count > Few && await content.GetAsync(adapters[0].Config, cancellationToken) is { } config)
            baseModel = AdapterConfig.Parse(await File.ReadAllBytesAsync(config, cancellationToken)).Config?.BaseModel ?? "";
        return await LoadAsync(baseModel, adapters, cancellationToken);
    }

    /// <summary>The sketches of adapters of a base model by the digests of their files, in the order asked for; null where the bytes are gone or not finite.</summary>
    public async Task<IReadOnlyList<AdapterSketch?>> LoadAsync(
        string baseModel, IReadOnlyList<(Digest Config, Digest Weights)> adapters, CancellationToken cancellationToken)
    {
        SketchKey[] keys = [.. adapters.Select(a => new SketchKey(a.Config, a.Weights))];
        var sketches = Array.ConvertAll(keys, cache.Find);
        var missing = Missing(keys, sketches);
        if (missing.Count > Few)
            await LoadManyAsync(baseModel, keys, sketches, missing, cancellationToken);
        else
            await FetchAsync(keys, sketches, missing, cancellationToken);
        return sketches;
    }

    /// <summary>Keeps a sketch that is known already, such as that of an adapter about to be published.</summary>
    public void Keep(Digest config, Digest weights, AdapterSketch sketch) => cache.Add(new(config, weights), sketch);

    private static List<int> Missing(SketchKey[] keys, AdapterSketch?[] sketches) => [.. Enumerable.Range(0, keys.Length).Where(i => sketches[i] is null)];

    private async Task LoadManyAsync(string baseModel, SketchKey[] keys, AdapterSketch?[] sketches, List<int> missing, CancellationToken cancellationToken)
    {
        var (bytes, etag) = await storage.SketchPacks.ReadAsync(baseModel, cancellationToken);
        var pack = SketchPack.Read(bytes.Span) ?? [];
        foreach (var i in missing)
        {
            if (pack.TryGetValue(keys[i], out var sketch))
                cache.Add(keys[i], sketches[i] = sketch);
        }

        missing = Missing(keys, sketches);
        await FetchAsync(keys, sketches, missing, cancellationToken);
        var found = missing.Count(i => sketches[i] is not null);
        if (found <= Math.Max(Few, pack.Count / 20))
            return;

        // Others see other members of the library, so what nobody asked for now stays, unless it is most of the pack.
        if (pack.Count > (4 * keys.Length) + 1000)
            pack.Clear();
        for (var i = 0; i < keys.Length; i++)
        {
            if (sketches[i] is { } sketch)
                pack[keys[i]] = sketch;
        }

        if (pack.Count <= SketchPack.MaxEntries)
            await storage.SketchPacks.TryWriteAsync(baseModel, SketchPack.Write(pack), etag, cancellationToken);
    }

    private Task FetchAsync(SketchKey[] keys, AdapterSketch?[] sketches, List<int> missing, CancellationToken cancellationToken) => Parallel.ForEachAsync(
        missing, new ParallelOptions { MaxDegreeOfParallelism = 16, CancellationToken = cancellationToken }, async (i, ct) =>
        {
            if (await analyses.LoadSketchAsync(keys[i].Config, keys[i].Weights, ct) is { } sketch)
                cache.Add(keys[i], sketches[i] = sketch);
        });
}
