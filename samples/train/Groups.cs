namespace Marketplace.Train;

internal static class Groups
{
    /// <summary>The adjusted Rand index of two partitions (Hubert and Arabie 1985): 1 for equal ones whatever the labels, about 0 by chance.</summary>
    public static double Agreement(IReadOnlyList<int> x, IReadOnlyList<int> y)
    {
        var (both, first, second) = (Pairs(x.Zip(y)), Pairs(x), Pairs(y));
        var expected = first * second / (x.Count * (x.Count - 1) / 2.0);
        var most = (first + second) / 2;
        return most == expected ? 1 : (both - expected) / (most - expected);
    }

    private static double Pairs<T>(IEnumerable<T> labels) => labels.GroupBy(l => l).Sum(g => g.Count() * (g.Count() - 1) / 2.0);
}
