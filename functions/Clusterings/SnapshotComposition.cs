using System.Numerics.Tensors;
using System.Text.Json;
using Marketplace.Core.Algebra;
using Marketplace.Core.Analysis;
using Marketplace.Core.Api;
using Marketplace.Core.Methods;
using Marketplace.Storage.Jobs;

namespace Marketplace.Functions.Clusterings;

/// <summary>The snapshot before, as far as the next one needs it.</summary>
/// <param name="View">It.</param>
/// <param name="Placement">Its centres; null if they are gone.</param>
internal sealed record PreviousSnapshot(ClusterSnapshotView View, MbcPlacement? Placement)
{
    public IReadOnlyList<NamedMember> Members { get; } =
        [.. View.Clusters.SelectMany(c => c.Members.Select(m => new NamedMember(m.Version.Adapter, m.Version.Id, c.Name)))];
}

/// <summary>Makes a snapshot of a clustering: names, quality, the map, and what moved.</summary>
internal static class SnapshotComposition
{
    public static (ClusterSnapshotView View, MbcPlacement Placement) Compose(
        string id, DateTimeOffset createdAt, ClusteringJobRequest request, AdapterSimilarity similarity, IReadOnlyList<ResolvedInput> members,
        ComparedLibrary library, Clustering clustering, IReadOnlyList<CurvePoint> curve, PreviousSnapshot? previous)
    {
        ResolvedInput Member(int index) => members[library.Selection.Compared[index]];
        var (names, next) = MbcNames.Match(
            previous?.Members ?? [], [.. clustering.Clusters.Select(c => c.Members.Select(i => Member(i).Adapter).ToList())], previous?.View.NextName ?? 0);
        var placement = MbcPlacement.Fit(
            library.Rows, library.FromSketches, clustering.Labels, names,
            similarity == AdapterSimilarity.FlatAb ? library.Sketches[library.Selection.Compared[0]]!.Shape : null);
        var map = MbcMap.Of(library.Library);
        var unit = library.Library.Unit;

        var clusters = clustering.Clusters.Select((cluster, number) => new ClusterView(
            names[number], Reference(Member(cluster.Medoid)), cluster.Members.Length, Round(cluster.Cohesion), Round(cluster.Separation),
            cluster.Nearest is { } nearest ? names[nearest] : null, Round(cluster.Silhouette),
            [
                .. cluster.Members.Select(i => new ClusterMemberView(
                    Reference(Member(i)), Round(Math.Clamp(TensorPrimitives.Dot<double>(unit.Row(i), unit.Row(cluster.Medoid)), -1, 1)),
                    Round(placement.CentreCosine(library.Rows.Row(i), number)), Round(map.X[i]), Round(map.Y[i]))),
            ])).OrderBy(c => Number(c.Name)).ToList();
        var view = new ClusterSnapshotView(
            id, request.BaseModel, request.Similarity, request.Scope, request.Mode, request.Sparsity, request.Components, Round(library.Library.Kept),
            clusters.Count, clustering.Labels.Length, clustering.Silhouette, clustering.Inertia, createdAt, clusters,
            [.. library.Selection.Zero.Select(i => Reference(members[i]))],
            [.. library.Selection.Excluded.Select(e => new ExcludedView(Reference(members[e.Index]), e.Reason))],
            [.. curve.Select(c => c with { Inertia = Round(c.Inertia), Silhouette = Round(c.Silhouette) })],
            [Round(map.Explained.First), Round(map.Explained.Second)], previous?.View.Id, [], next);
        return (previous is null ? view : view with { Moves = Moves(view, previous, placement, members, library, similarity) }, placement);
    }

    /// <summary>What lists show of a snapshot.</summary>
    public static string Summary(ClusterSnapshotView view) => JsonSerializer.Serialize(
        new ClusterSnapshotSummary(
            view.Id, view.BaseModel, view.Similarity, view.Scope, view.Mode, view.K, view.Members, view.Zero.Count, view.Excluded.Count, view.Moves.Count,
            view.Silhouette, view.Inertia, view.CreatedAt, view.Previous, [.. view.Clusters.Select(c => new ClusterSizeView(c.Name, c.Size, c.Medoid.Adapter))]),
        ApiJson.Options);

    private static List<MoveView> Moves(
        ClusterSnapshotView view, PreviousSnapshot previous, MbcPlacement placement, IReadOnlyList<ResolvedInput> members, ComparedLibrary library, AdapterSimilarity similarity)
    {
        var now = view.Clusters.SelectMany(c => c.Members.Select(m => new NamedMember(m.Version.Adapter, m.Version.Id, c.Name))).ToList();
        var before = previous.View.Clusters.SelectMany(c => c.Members).ToDictionary(m => m.Version.Adapter, m => m.Version, StringComparer.OrdinalIgnoreCase);
        var index = members.Select((m, i) => (m.Adapter, i)).ToDictionary(m => m.Adapter, m => m.i, StringComparer.OrdinalIgnoreCase);
        return [.. MbcNames.Moves(previous.Members, now).Select(Describe)];

        MoveView Describe(Move move)
        {
            var vector = index.TryGetValue(move.Adapter, out var i) && library.Sketches[i] is { } sketch ? Vector(sketch, similarity) : null;
            return new(
                vector is null && before.TryGetValue(move.Adapter, out var gone) ? gone : Reference(members[i]), move.From, move.To, ApiJson.Name(move.Reason),
                Cosine(previous.Placement, vector, move.From), Cosine(placement, vector, move.To));
        }
    }

    private static double? Cosine(MbcPlacement? placement, double[]? vector, string? cluster) =>
        placement is not null && vector is not null && cluster is not null && placement.Names.IndexOf(cluster) is >= 0 and var number
            ? Round(placement.CentreCosine(vector, number))
            : null;

    private static double[] Vector(AdapterSketch sketch, AdapterSimilarity similarity)
    {
        var vector = new double[AdapterSketch.Size];
        MbcSelection.Vector(sketch, similarity, vector);
        return vector;
    }

    private static VersionReference Reference(ResolvedInput member) => new(member.Adapter, member.Number, member.VersionId);

    private static int Number(string name) => int.TryParse(name.AsSpan(1), out var number) ? number : int.MaxValue;

    // What sketches and pictures are good for; a library of thousands is read and sent often.
    private static double Round(double x) => Math.Round(x, 6) + 0;

    private static double? Round(double? x) => x is { } value ? Round(value) : null;
}
