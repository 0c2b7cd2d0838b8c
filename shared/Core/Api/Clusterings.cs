using Marketplace.Core.Methods;

namespace Marketplace.Core.Api;

/// <summary>POST /api/v1/clusterings.</summary>
/// <param name="BaseModel">Whose library is clustered.</param>
/// <param name="Similarity">delta (cosine of ΔW) or flatAb (as published: flattened, sparsified A and B).</param>
/// <param name="K">Number of clusters; chosen by silhouette if absent.</param>
/// <param name="Scope">public (public adapters; everybody sees the snapshot) or mine (the caller's private ones too; only the caller sees it).</param>
/// <param name="Mode">exact (from the weights), sketch (from the sketches made at validation) or auto (exact up to the size the service is set to).</param>
/// <param name="Sparsity">flatAb: the share of smallest entries set to zero, 0 … 1; 0.8 if absent, and in sketch mode always.</param>
/// <param name="Components">Dimensions that are kept where not all are; 64 for flatAb as published, 128 for delta from sketches.</param>
/// <param name="Derived">Whether adapters that were merged or subtracted take part; otherwise only trained ones do.</param>
public sealed record ClusteringRequest(
    string BaseModel, string Similarity = "delta", int? K = null, string Scope = "public", string Mode = "auto", double? Sparsity = null, int? Components = null,
    bool Derived = false);

/// <summary>A library's clusters at one moment.</summary>
/// <param name="Id">Names the snapshot.</param>
/// <param name="BaseModel">Whose library.</param>
/// <param name="Similarity">delta or flatAb.</param>
/// <param name="Scope">public, or the owner whose private adapters are included.</param>
/// <param name="Mode">exact or sketch.</param>
/// <param name="Sparsity">flatAb: the share of entries set to zero.</param>
/// <param name="Components">Dimensions that were kept; absent where all were.</param>
/// <param name="Kept">The share of the library's squares that they hold.</param>
/// <param name="K">Number of clusters.</param>
/// <param name="Members">Number of adapters in them.</param>
/// <param name="Silhouette">Mean silhouette on 1 − cosine; absent when it is undefined.</param>
/// <param name="Inertia">Sum of squared distances to the centroids, in the space of similarity rows.</param>
/// <param name="CreatedAt">When it was asked for.</param>
/// <param name="Clusters">The clusters.</param>
/// <param name="Zero">The bucket <c>zero</c>: adapters whose ΔW are all zero, which no clustering can place.</param>
/// <param name="Excluded">Members of the library that could not take part, and why.</param>
/// <param name="Curve">Silhouette and inertia by number of clusters, where the number was chosen.</param>
/// <param name="Explained">The shares of the library's variance that the two axes of the map show.</param>
/// <param name="Previous">The snapshot before, whose names of clusters were kept where they could be.</param>
/// <param name="Moves">Who is not where it was in that snapshot.</param>
/// <param name="NextName">The first number that no cluster of this chain of snapshots has had.</param>
/// <param name="Arrivals">Adapters published since, placed without clustering again; as far as the caller may see them.</param>
public sealed record ClusterSnapshotView(
    string Id, string BaseModel, string Similarity, string Scope, string Mode, double? Sparsity, int? Components, double Kept, int K, int Members,
    double? Silhouette, double Inertia, DateTimeOffset CreatedAt, IReadOnlyList<ClusterView> Clusters, IReadOnlyList<VersionReference> Zero,
    IReadOnlyList<ExcludedView> Excluded, IReadOnlyList<CurvePoint> Curve, IReadOnlyList<double> Explained, string? Previous,
    IReadOnlyList<MoveView> Moves, int NextName, IReadOnlyList<ArrivalView>? Arrivals = null);

/// <summary>One cluster.</summary>
/// <param name="Name">c0, c1, …: it stays from snapshot to snapshot as long as most of the cluster does.</param>
/// <param name="Medoid">The member most similar to the others.</param>
/// <param name="Size">Number of members.</param>
/// <param name="Cohesion">Mean cosine of two members; 1 for a single one.</param>
/// <param name="Separation">Mean cosine of members with those of the nearest other cluster.</param>
/// <param name="Nearest">That cluster.</param>
/// <param name="Silhouette">Mean silhouette of its members.</param>
/// <param name="Members">All members, by name.</param>
public sealed record ClusterView(
    string Name, VersionReference Medoid, int Size, double Cohesion, double? Separation, string? Nearest, double? Silhouette, IReadOnlyList<ClusterMemberView> Members);

/// <summary>A member of a cluster.</summary>
/// <param name="Version">The version that was compared.</param>
/// <param name="MedoidCosine">Its similarity to the medoid.</param>
/// <param name="CentreCosine">Its similarity to the mean of the cluster, from sketches.</param>
/// <param name="X">Its first coordinate on the map.</param>
/// <param name="Y">Its second coordinate.</param>
public sealed record ClusterMemberView(VersionReference Version, double MedoidCosine, double CentreCosine, double X, double Y);

/// <summary>A member of the library that was left out.</summary>
/// <param name="Version">The version.</param>
/// <param name="Reason">Why, in words.</param>
public sealed record ExcludedView(VersionReference Version, string Reason);

/// <summary>An adapter that is not where it was in the snapshot before.</summary>
/// <param name="Version">Its version now; the former one if it left.</param>
/// <param name="From">The cluster where it was; absent if it was in none.</param>
/// <param name="To">The cluster where it is; absent if it is in none.</param>
/// <param name="Reason">joined, left, newVersion, split, merged, vanished or nearer.</param>
/// <param name="OldCosine">Its similarity to the former centre of the cluster where it was.</param>
/// <param name="NewCosine">Its similarity to the centre of the cluster where it is.</param>
public sealed record MoveView(VersionReference Version, string? From, string? To, string Reason, double? OldCosine, double? NewCosine);

/// <summary>An adapter placed into a snapshot that was made without it.</summary>
/// <param name="Version">The version that arrived.</param>
/// <param name="Cluster">The cluster whose centroid is nearest; <c>zero</c> for an adapter that changes nothing.</param>
/// <param name="CentreCosine">Its similarity to the cluster's centre.</param>
/// <param name="Outlier">Whether it is so far from there that it belongs to none.</param>
/// <param name="At">When.</param>
public sealed record ArrivalView(VersionReference Version, string Cluster, double CentreCosine, bool Outlier, DateTimeOffset At);

/// <summary>A snapshot in lists, without its members.</summary>
/// <param name="Id">Names the snapshot.</param>
/// <param name="BaseModel">Whose library.</param>
/// <param name="Similarity">delta or flatAb.</param>
/// <param name="Scope">public, or the owner whose private adapters are included.</param>
/// <param name="Mode">exact or sketch.</param>
/// <param name="K">Number of clusters.</param>
/// <param name="Members">Number of adapters in them.</param>
/// <param name="Zero">Adapters whose ΔW are all zero.</param>
/// <param name="Excluded">Adapters left out.</param>
/// <param name="Moves">Adapters that are not where they were in the snapshot before.</param>
/// <param name="Silhouette">Mean silhouette.</param>
/// <param name="Inertia">Sum of squared distances to the centroids.</param>
/// <param name="CreatedAt">When it was asked for.</param>
/// <param name="Previous">The snapshot before.</param>
/// <param name="Clusters">Names and sizes.</param>
public sealed record ClusterSnapshotSummary(
    string Id, string BaseModel, string Similarity, string Scope, string Mode, int K, int Members, int Zero, int Excluded, int Moves,
    double? Silhouette, double Inertia, DateTimeOffset CreatedAt, string? Previous, IReadOnlyList<ClusterSizeView> Clusters);

/// <summary>A cluster in lists.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Size">Number of members.</param>
/// <param name="Medoid"><c>owner/name</c> of its most typical member.</param>
public sealed record ClusterSizeView(string Name, int Size, string Medoid);

/// <summary>The cluster of one adapter.</summary>
/// <param name="Version">The version that was compared.</param>
/// <param name="SnapshotId">The newest snapshot that has it.</param>
/// <param name="Similarity">delta or flatAb.</param>
/// <param name="Scope">public, or the owner whose private adapters are included.</param>
/// <param name="Cluster">The cluster's name; <c>zero</c> if the adapter changes nothing; absent if it was left out.</param>
/// <param name="Role">member, arrival, zero or excluded.</param>
/// <param name="CentreCosine">Its similarity to the cluster's centre.</param>
/// <param name="Outlier">Whether it was placed far from every cluster.</param>
/// <param name="Reason">Why it was left out.</param>
public sealed record AdapterClusterView(
    VersionReference Version, string SnapshotId, string Similarity, string Scope, string? Cluster, string Role, double? CentreCosine, bool Outlier, string? Reason);

/// <summary>A library as points.</summary>
/// <param name="SnapshotId">The snapshot.</param>
/// <param name="BaseModel">Whose library.</param>
/// <param name="Explained">The shares of the variance that the two axes show.</param>
/// <param name="Points">Its members, cluster by cluster.</param>
public sealed record ClusterMapView(string SnapshotId, string BaseModel, IReadOnlyList<double> Explained, IReadOnlyList<MapPointView> Points);

/// <summary>An adapter on a map.</summary>
/// <param name="Version">The version.</param>
/// <param name="Cluster">Its cluster.</param>
/// <param name="X">First coordinate.</param>
/// <param name="Y">Second coordinate.</param>
/// <param name="Medoid">Whether it is its cluster's most typical member.</param>
public sealed record MapPointView(VersionReference Version, string Cluster, double X, double Y, bool Medoid);
