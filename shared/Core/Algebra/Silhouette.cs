namespace Marketplace.Core.Algebra;

/// <summary>
/// How well points sit in their clusters: the mean of (b − a) ∕ max(a, b), where a is a point's mean distance to the rest of its
/// cluster and b the smallest mean distance to another one (Rousseeuw 1987). 1 is perfect; a point alone in its cluster counts 0.
/// </summary>
public static class Silhouette
{
    /// <summary>The mean over all points; null unless there are at least 2 clusters and more points than clusters.</summary>
    /// <param name="labels">The cluster of each point.</param>
    /// <param name="distance">The distance between two points, by index.</param>
    public static double? Mean(IReadOnlyList<int> labels, Func<int, int, double> distance)
    {
        var clusters = labels.Distinct().Count();
        return clusters >= 2 && clusters < labels.Count
            ? Enumerable.Range(0, labels.Count).Average(i => Of(i, labels, distance))
            : null;
    }

    private static double Of(int point, IReadOnlyList<int> labels, Func<int, int, double> distance)
    {
        var means = Enumerable.Range(0, labels.Count)
            .Where(i => i != point)
            .GroupBy(i => labels[i])
            .ToDictionary(g => g.Key, g => g.Average(i => distance(point, i)));
        if (!means.Remove(labels[point], out var own))
            return 0;
        var other = means.Values.Min();
        var larger = Math.Max(own, other);
        return larger == 0 ? 0 : (other - own) / larger;
    }
}
