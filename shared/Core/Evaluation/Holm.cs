using System.Collections.Immutable;

namespace Marketplace.Core.Evaluation;

/// <summary>Holm's correction (1979): of several tests at once, none is called significant by chance with more than the level's probability, however they depend on each other.</summary>
public static class Holm
{
    /// <summary>
    /// Adjusted p-values in the order given: with p sorted upwards, max over j ≤ i of min(1, (m − j + 1)·p₍ⱼ₎). Those of at most α are significant at the level α.
    /// </summary>
    public static ImmutableArray<double> Adjust(IReadOnlyList<double> p)
    {
        var adjusted = new double[p.Count];
        var (largest, left) = (0.0, p.Count);
        foreach (var i in Enumerable.Range(0, p.Count).OrderBy(i => p[i]))
        {
            largest = Math.Max(largest, Math.Min(1, left * p[i]));
            adjusted[i] = largest;
            left--;
        }

        return [.. adjusted];
    }
}
