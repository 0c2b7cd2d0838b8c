using Marketplace.Cli.Output;
using Marketplace.Core.Api;
using Spectre.Console;

namespace Marketplace.Cli.Commands;

/// <summary>Snapshots of clusters for people.</summary>
internal static class ClusterOutput
{
    private const int MostMembers = 200; // of a library whose members are listed one by one
    private const int MostMoves = 40;
    private const int CurveWidth = 30;

    /// <summary>Clusters, who moved, what was left out.</summary>
    public static void Show(IAnsiConsole console, ClusterSnapshotView snapshot)
    {
        console.Write(Clusters(snapshot));
        if (snapshot.Members <= MostMembers)
            console.Write(Members(snapshot));
        if (snapshot.Curve.Count > 1)
            console.Write(Curve(snapshot));
        if (snapshot.Moves.Count > 0)
            console.Write(Moves(snapshot));
        if (snapshot.Arrivals is { Count: > 0 } arrivals)
            console.Write(Arrivals(arrivals));
        if (snapshot.Zero.Count > 0)
            console.WriteLine($"zero: {string.Join(", ", snapshot.Zero.Take(MostMoves).Select(Tables.Name))}{More(snapshot.Zero.Count)}: their ΔW are zero, so they are in no cluster.");
        foreach (var group in snapshot.Excluded.GroupBy(e => e.Reason))
            console.WriteLine($"left out: {string.Join(", ", group.Take(MostMoves).Select(e => Tables.Name(e.Version)))}{More(group.Count())}: {group.Key}");
        var silhouette = snapshot.Silhouette is { } s ? $", silhouette {Units.Number(s)}" : "";
        console.WriteLine(
            $"{snapshot.K} clusters of {snapshot.Members} adapters of {snapshot.BaseModel} by {snapshot.Similarity} ({snapshot.Mode}){silhouette}; snapshot {snapshot.Id}"
            + (snapshot.Previous is { } previous ? $" after {previous}, {snapshot.Moves.Count} moves" : ""));
    }

    private static Table Clusters(ClusterSnapshotView snapshot)
    {
        var table = Tables.Create("cluster", "adapters", "medoid", "cohesion", "nearest", "silhouette");
        foreach (var c in snapshot.Clusters)
        {
            table.Row(
                c.Name, $"{c.Size}", Tables.Name(c.Medoid), Units.Number(c.Cohesion),
                c.Nearest is null ? "" : $"{c.Nearest} at {Units.Number(c.Separation ?? 0)}", c.Silhouette is { } s ? Units.Number(s) : "");
        }

        return table;
    }

    private static Table Members(ClusterSnapshotView snapshot)
    {
        var table = Tables.Create("cluster", "adapter", "cosine to medoid", "to centre");
        foreach (var cluster in snapshot.Clusters)
        {
            var name = cluster.Name;
            foreach (var member in cluster.Members)
            {
                var medoid = member.Version == cluster.Medoid ? " (medoid)" : "";
                table.Row(name, Tables.Name(member.Version) + medoid, Units.Number(member.MedoidCosine), Units.Number(member.CentreCosine));
                name = "";
            }
        }

        return table;
    }

    private static Table Curve(ClusterSnapshotView snapshot)
    {
        var table = Tables.Create("k", "inertia", "silhouette", "");
        foreach (var point in snapshot.Curve)
        {
            var bar = new string('█', (int)Math.Round(CurveWidth * Math.Clamp(point.Silhouette ?? 0, 0, 1)));
            table.Row($"{point.K}{(point.K == snapshot.K ? " ←" : "")}", Units.Number(point.Inertia), point.Silhouette is { } s ? Units.Number(s) : "", bar);
        }

        return table;
    }

    private static Table Moves(ClusterSnapshotView snapshot)
    {
        var table = Tables.Create("moved", "from", "to", "why", "cosine to the old centre", "to the new one");
        foreach (var m in snapshot.Moves.Take(MostMoves))
        {
            table.Row(
                Tables.Name(m.Version), m.From, m.To, m.Reason, m.OldCosine is { } o ? Units.Number(o) : "", m.NewCosine is { } n ? Units.Number(n) : "");
        }

        if (snapshot.Moves.Count > MostMoves)
            table.Row($"… and {snapshot.Moves.Count - MostMoves} more; --json lists all");
        return table;
    }

    private static Table Arrivals(IReadOnlyList<ArrivalView> arrivals)
    {
        var table = Tables.Create("arrived since", "cluster", "cosine to centre", "");
        foreach (var a in arrivals)
            table.Row(Tables.Name(a.Version), a.Cluster, Units.Number(a.CentreCosine), a.Outlier ? "outlier" : "");
        return table;
    }

    private static string More(int count) => count > MostMoves ? $" and {count - MostMoves} more" : "";
}
