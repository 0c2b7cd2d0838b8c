using System.Collections.Concurrent;
using Marketplace.Core;
using Marketplace.Core.Analysis;
using Marketplace.Core.Api;
using Marketplace.Core.Methods;
using Microsoft.Extensions.Logging;

namespace Marketplace.Storage.Jobs;

/// <summary>
/// Places a newly published adapter into the newest clusterings of its library, from its sketch and without clustering again: those for everybody, and its owner's own. It may
/// be done again at any time. A publish does not depend on it: what goes wrong here is logged, and the next clustering takes the adapter in anyway.
/// </summary>
public sealed class ArrivalPlacement(MarketplaceStorage storage, LibrarySketches sketches, TimeProvider time, ILogger<ArrivalPlacement> logger)
{
    private const int Kept = 8; // placements in memory, half a megabyte each

    private readonly ConcurrentDictionary<string, MbcPlacement> placements = new(StringComparer.Ordinal);

    /// <summary>Places a version.</summary>
    public async Task PlaceAsync(VersionRecord version, CancellationToken cancellationToken)
    {
        try
        {
            if (await storage.Adapters.GetAsync(version.Adapter, cancellationToken) is not { BaseModel: { } baseModel } adapter)
                return;
            AdapterSketch? sketch = null;
            foreach (var similarity in Enum.GetValues<AdapterSimilarity>())
                foreach (var owner in adapter.Private ? [adapter.Id.Owner] : new[] { null, adapter.Id.Owner })
                {
                    if (await storage.Libraries.NewestSnapshotAsync(baseModel, owner, ApiJson.Name(similarity), null, cancellationToken) is not { } snapshot)
                        continue;
                    sketch ??= (await sketches.LoadAsync([(version.Config, version.Weights)], cancellationToken))[0];
                    if (sketch is null)
                        return;
                    if (Place(sketch, similarity, await PlacementAsync(snapshot.Id, cancellationToken)) is not var (cluster, placed))
                        continue;
                    await storage.Arrivals.PutAsync(
                        new Arrival(snapshot.Id, adapter.Id, new VersionPointer(version.Number, version.Id), cluster, placed.Cosine, placed.IsOutlier, time.GetUtcNow()),
                        cancellationToken);
                }
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            logger.LogWarning("{Adapter}@{Version} was published but not placed into clusters: {Reason}", version.Adapter, version.Number, e.Message);
        }
    }

    // Null where the adapter can't be compared with this library.
    private static (string Cluster, Placement Placement)? Place(AdapterSketch sketch, AdapterSimilarity similarity, MbcPlacement? placement)
    {
        if (sketch.IsZero)
            return (MbcSelection.ZeroBucket, new(-1, 0, false));
        if (placement is null || (similarity == AdapterSimilarity.FlatAb && (sketch.FlatAb.IsEmpty || placement.Shape != sketch.Shape)))
            return null;
        var vector = new double[AdapterSketch.Size];
        MbcSelection.Vector(sketch, similarity, vector);
        var placed = placement.Place(vector);
        return (placement.Names[placed.Cluster], placed);
    }

    private async Task<MbcPlacement?> PlacementAsync(string snapshotId, CancellationToken cancellationToken)
    {
        if (placements.TryGetValue(snapshotId, out var known))
            return known;
        if (await storage.Libraries.ReadPlacementAsync(snapshotId, cancellationToken) is not { } placement)
            return null;
        if (placements.Count >= Kept)
            placements.Clear();
        return placements[snapshotId] = placement;
    }
}
