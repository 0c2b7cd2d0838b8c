using Marketplace.Core.Analysis;

namespace Marketplace.Storage.Jobs;

/// <summary>
/// Sketches in memory, by the digests they follow from, hence never stale. Two generations of half the bound each: what is used moves to the young one, and when that is full
/// the old one goes.
/// </summary>
internal sealed class SketchCache(long maxBytes)
{
    private readonly Lock gate = new();
    private readonly int perGeneration = (int)Math.Clamp(maxBytes / 2 / SketchPack.EntryBytes, 1, int.MaxValue);
    private Dictionary<SketchKey, AdapterSketch> young = [];
    private Dictionary<SketchKey, AdapterSketch> old = [];

    /// <summary>How many are kept.</summary>
    public int Count
    {
        get
        {
            lock (gate)
                return young.Count + old.Count;
        }
    }

    public AdapterSketch? Find(SketchKey key)
    {
        lock (gate)
        {
            if (young.TryGetValue(key, out var sketch))
                return sketch;
            if (old.Remove(key, out sketch))
                Keep(key, sketch);
            return sketch;
        }
    }

    public void Add(SketchKey key, AdapterSketch sketch)
    {
        lock (gate)
        {
            old.Remove(key);
            Keep(key, sketch);
        }
    }

    private void Keep(SketchKey key, AdapterSketch sketch)
    {
        if (young.Count >= perGeneration)
            (old, young) = (young, []);
        young[key] = sketch;
    }
}
