using System.Collections.Immutable;
using System.Globalization;
using Marketplace.Core.Algebra;

namespace Marketplace.Core.Methods;

/// <summary>A member of a clustering, for comparison with another one.</summary>
/// <param name="Adapter">Its name.</param>
/// <param name="Version">Its version's id.</param>
/// <param name="Cluster">Its cluster's name.</param>
public sealed record NamedMember(string Adapter, string Version, string Cluster);

/// <summary>Why an adapter is not where it was.</summary>
public enum MoveReason
{
    /// <summary>It is new in the library.</summary>
    Joined,

    /// <summary>It is no longer in the library, or can't be compared any more.</summary>
    Left,

    /// <summary>It has another version.</summary>
    NewVersion,

    /// <summary>Its cluster fell into parts, and its part has a name of its own now.</summary>
    Split,

    /// <summary>Its cluster is no more, and most of it is part of the one where it is now.</summary>
    Merged,

    /// <summary>Its cluster is no more, and most of it went elsewhere.</summary>
    Vanished,

    /// <summary>The clusters' centres moved, and it is nearer to another one now.</summary>
    Nearer,
}

/// <summary>One adapter's move.</summary>
/// <param name="Adapter">Its name.</param>
/// <param name="From">The cluster where it was; null if it was in none.</param>
/// <param name="To">The cluster where it is; null if it is in none.</param>
/// <param name="Reason">Why.</param>
public sealed record Move(string Adapter, string? From, string? To, MoveReason Reason);

/// <summary>
/// Names of clusters that stay when a library is clustered again. Clusters are matched to those of the clustering before so that as many adapters as possible stay under
/// their name; a cluster without a counterpart gets a number that was never used.
/// </summary>
public static class MbcNames
{
    /// <summary>A cluster's name: <c>c</c> and its number.</summary>
    public static string Of(int number) => string.Create(CultureInfo.InvariantCulture, $"c{number}");

    /// <summary>Names for new clusters.</summary>
    /// <param name="before">The members of the clustering before; none for the first.</param>
    /// <param name="clusters">The adapters of each new cluster.</param>
    /// <param name="next">The first number never used before.</param>
    /// <returns>A name for each cluster, and the first number that is unused now.</returns>
    public static (ImmutableArray<string> Names, int Next) Match(IReadOnlyList<NamedMember> before, IReadOnlyList<IReadOnlyList<string>> clusters, int next)
    {
        string[] old = [.. before.Select(m => m.Cluster).Distinct().OrderBy(Number).ThenBy(n => n, StringComparer.Ordinal)];
        var column = old.Select((name, index) => (name, index)).ToDictionary(c => c.name, c => c.index, StringComparer.Ordinal);
        var was = before.ToDictionary(m => m.Adapter, m => column[m.Cluster], StringComparer.OrdinalIgnoreCase);
        var overlap = new Matrix(clusters.Count, old.Length);
        for (var c = 0; c < clusters.Count; c++)
            foreach (var adapter in clusters[c])
            {
                if (was.TryGetValue(adapter, out var index))
                    overlap[c, index]++;
            }

        var matched = Assignment.Maximum(overlap);
        var names = new string[clusters.Count];
        for (var c = 0; c < names.Length; c++)
        {
            // Nothing in common is no reason to inherit a name.
            names[c] = matched[c] >= 0 && overlap[c, matched[c]] > 0 ? old[matched[c]] : Of(next++);
        }

        return ([.. names], next);
    }

    /// <summary>Who moved from one clustering to the next, in ordinal order of names. Who stayed under a name with the same or another version did not move.</summary>
    /// <param name="before">The members before.</param>
    /// <param name="after">The members after, clusters named by <see cref="Match"/>.</param>
    public static ImmutableArray<Move> Moves(IReadOnlyList<NamedMember> before, IReadOnlyList<NamedMember> after)
    {
        var was = before.ToDictionary(m => m.Adapter, StringComparer.OrdinalIgnoreCase);
        var now = after.ToDictionary(m => m.Adapter, StringComparer.OrdinalIgnoreCase);
        var (oldNames, newNames) = (before.Select(m => m.Cluster).ToHashSet(StringComparer.Ordinal), after.Select(m => m.Cluster).ToHashSet(StringComparer.Ordinal));
        // Where most of a cluster that is no more went.
        var heirs = before.Where(m => !newNames.Contains(m.Cluster)).GroupBy(m => m.Cluster, StringComparer.Ordinal).ToDictionary(
            g => g.Key,
            g => g.Select(m => now.GetValueOrDefault(m.Adapter)?.Cluster).OfType<string>().GroupBy(c => c, StringComparer.Ordinal)
                .OrderByDescending(c => c.Count()).ThenBy(c => Number(c.Key)).FirstOrDefault()?.Key,
            StringComparer.Ordinal);
        var moves = ImmutableArray.CreateBuilder<Move>();
        foreach (var adapter in was.Keys.Union(now.Keys, StringComparer.OrdinalIgnoreCase).Order(StringComparer.OrdinalIgnoreCase))
        {
            var (from, to) = (was.GetValueOrDefault(adapter), now.GetValueOrDefault(adapter));
            if (from is null || to is null)
                moves.Add(new(adapter, from?.Cluster, to?.Cluster, from is null ? MoveReason.Joined : MoveReason.Left));
            else if (from.Cluster != to.Cluster)
                moves.Add(new(adapter, from.Cluster, to.Cluster, Reason(from, to)));
        }

        return moves.ToImmutable();

        MoveReason Reason(NamedMember from, NamedMember to) =>
            from.Version != to.Version ? MoveReason.NewVersion
            : heirs.TryGetValue(from.Cluster, out var heir) ? heir == to.Cluster ? MoveReason.Merged : MoveReason.Vanished
            : !oldNames.Contains(to.Cluster) ? MoveReason.Split
            : MoveReason.Nearer;
    }

    // Names of other kinds, should there be any, come last.
    private static int Number(string name) =>
        name is ['c', .. var digits] && int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : int.MaxValue;
}
